//! `asyncapi.json`: the public stream as an AsyncAPI document, made of the descriptors of
//! `PublicEvent`, of what is written about them, and of messages that were published.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use serde_json::{Map, Value, json};

use crate::contract::Contract;
use crate::page::{ENUM, FIELD, MESSAGE, ONEOF, VALUE, number};

/// The page.
pub(crate) const NAME: &str = "asyncapi.json";
/// Events of these belong to no ledger.
const NO_LEDGER: [&str; 3] = ["log", "clock", "day"];
/// The id of a log, as a pattern.
const LOG_ID: &str = "[0-9a-f]{32}";

/// An event that is published.
pub(crate) struct Published {
    /// Such as `invoice.overdue`.
    pub(crate) name: String,
    /// Such as `encours.v1.{ledger}.invoice.overdue`.
    pub(crate) address: String,
    /// What is written about it.
    pub(crate) about: String,
    /// The field of `PublicEvent` that holds it, as JSON names it: `invoiceOverdue`.
    pub(crate) field: String,
    /// The name of its message, such as `InvoiceOverdue`.
    pub(crate) message: String,
}

impl Published {
    fn is_of_ledger(&self) -> bool {
        !NO_LEDGER.contains(&self.name.split('.').next().unwrap_or_default())
    }
}

/// Every event of the contract, in its order.
pub(crate) fn events(contract: &Contract) -> Vec<Published> {
    let (file, at, event) = find(contract, ".encours.v1.PublicEvent");
    let bodies = event.field.iter().enumerate().filter(|(_, field)| field.oneof_index.is_some());
    let told = bodies.map(|(index, field)| {
        let path = [MESSAGE, number(at), FIELD, number(index)];
        let name = contract.comment(file, &path).trim_matches('`').to_owned();
        let (of, at, message) = find(contract, field.type_name());
        let mut event = Published {
            address: String::new(),
            about: contract.comment(of, &[MESSAGE, number(at)]).to_owned(),
            field: field.json_name().to_owned(),
            message: message.name().to_owned(),
            name,
        };
        let ledger = if event.is_of_ledger() { "{ledger}" } else { "~" };
        event.address = format!("encours.v1.{ledger}.{}", event.name);
        event
    });
    told.collect()
}

/// The document, with a message of each event as its example.
pub(crate) fn document(contract: &Contract, examples: &str) -> String {
    let examples: Vec<Value> =
        examples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = events(contract);
    let mut schemas = Schemas { contract, made: BTreeMap::new() };
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for event in &events {
        let Published { name, field, message, .. } = event;
        let example = examples.iter().find(|example| example["name"] == **name);
        let example = example.unwrap_or_else(|| panic!("no message of {name} was recorded"));
        messages.insert(message.clone(), schemas.message(event, example));
        channels.insert(field.clone(), channel(event));
        let operation = json!({
            "action": "receive",
            "channel": { "$ref": format!("#/channels/{field}") },
            "messages": [{ "$ref": format!("#/channels/{field}/messages/{message}") }],
            "summary": event.about,
        });
        operations.insert(format!("on{message}"), operation);
    }
    let envelope = schemas.envelope();
    schemas.made.insert("PublicEvent".to_owned(), envelope);
    schemas.made.insert("EventHeaders".to_owned(), headers());
    let document = json!({
        "asyncapi": "3.0.0",
        "info": info(),
        "defaultContentType": "application/json",
        "servers": { "jetstream": {
            "host": "127.0.0.1:4222",
            "protocol": "nats",
            "description": "NATS with JetStream, given to `encours serve --publish-nats`. The stream \
                            is `ENCOURS_EVENTS`, of a log with a name `ENCOURS_EVENTS_<name>`.",
        } },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "parameters": { "ledger": {
                "description": "The ledger's id as one token: characters other than `A-Z a-z 0-9 _ -` \
                                are `%` and two hexadecimal digits, as in `fr%2Fparis`.",
                "examples": ["acme", "fr%2Fparis"],
            } },
            "schemas": schemas.made,
        },
    });
    serde_json::to_string_pretty(&document).unwrap() + "\n"
}

fn info() -> Value {
    json!({
        "title": "Public events of Encours",
        "version": "1",
        "license": { "name": "MIT OR Apache-2.0" },
        "description": "What an application receives that subscribes to the public stream: every event \
            of a log as one message, in log order, at least once. CloudEvents 1.0 in binary mode over \
            NATS JetStream. Made from `proto/encours/v1/events.proto`; docs/subscribers.md tells how \
            to subscribe.\n\nBodies are the message `PublicEvent` as proto3 JSON: a field with its \
            default value (an empty text, 0, false, the first value of an enumeration) is left out, \
            and numbers of 64 bits are texts. A later version may add fields, values and events. With \
            `--publish-format protobuf` bodies are that message in its binary form, and `content-type` \
            is `application/protobuf`.",
    })
}

fn channel(event: &Published) -> Value {
    let Published { address, message, .. } = event;
    let mut channel = json!({
        "address": address,
        "messages": { message: { "$ref": format!("#/components/messages/{message}") } },
        "servers": [{ "$ref": "#/servers/jetstream" }],
    });
    if event.is_of_ledger() {
        channel["parameters"] = json!({ "ledger": { "$ref": "#/components/parameters/ledger" } });
    }
    channel
}

/// What every message has beside its body.
fn headers() -> Value {
    let text = |pattern: &str, about: &str| json!({ "type": "string", "pattern": format!("^{pattern}$"), "description": about });
    let position = "[1-9][0-9]*";
    let id = format!("{LOG_ID}-{position}");
    json!({
        "type": "object",
        "description": "CloudEvents 1.0 in binary mode, and the place in the log.",
        "required": [
            "Nats-Msg-Id", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time",
            "content-type", "Encours-Log-Id", "Encours-Position",
        ],
        "properties": {
            "ce-specversion": { "const": "1.0" },
            "ce-id": text(&id, "Log id and position: names the event for ever."),
            "ce-source": text(&format!("urn:encours:log:{LOG_ID}"), "The log."),
            "ce-type": text("encours\\.v1\\.[a-z_]+\\.[a-z_]+", "The name of the event."),
            "ce-time": {
                "type": "string", "format": "date-time", "description": "When it was recorded.",
            },
            "ce-subject": text(
                "[a-z_]+/.+",
                "What it is about, such as `invoice/F-1`; missing for events of the log.",
            ),
            "content-type": { "enum": ["application/json"] },
            "Encours-Log-Id": text(LOG_ID, "The log."),
            "Encours-Position": text(
                position,
                "The position in the log. Rises by one from message to message of the stream: what \
                 duplicates are told by.",
            ),
            "Encours-Customer": text(".+", "The customer; missing where the event concerns none."),
            "Nats-Msg-Id": text(&id, "The same as `ce-id`."),
            "Nats-Expected-Stream": text(
                "[A-Za-z0-9_-]+",
                "What the publisher expected of the stream; nothing for subscribers.",
            ),
            "Nats-Expected-Last-Sequence": text(
                "[0-9]+",
                "What the publisher expected of the stream; nothing for subscribers.",
            ),
        },
    })
}

/// A message of the contract, with its file and its index there.
fn find<'a>(
    contract: &'a Contract,
    full: &str,
) -> (&'a FileDescriptorProto, usize, &'a DescriptorProto) {
    let name = full.rsplit('.').next().unwrap_or_default();
    contract
        .files()
        .find_map(|file| {
            let at = file.message_type.iter().position(|message| message.name() == name)?;
            Some((file, at, &file.message_type[at]))
        })
        .unwrap_or_else(|| panic!("{full} is no message of the contract"))
}

/// JSON schemas of messages as proto3 JSON.
struct Schemas<'a> {
    contract: &'a Contract,
    /// Those that others point to, by name.
    made: BTreeMap<String, Value>,
}

impl Schemas<'_> {
    /// The message of an event.
    fn message(&mut self, event: &Published, example: &Value) -> Value {
        let Published { name, about, field, message, .. } = event;
        let kind = json!({ "const": format!("encours.v1.{name}") });
        json!({
            "name": name,
            "title": message,
            "summary": about,
            "contentType": "application/json",
            "headers": { "allOf": [
                { "$ref": "#/components/schemas/EventHeaders" },
                { "type": "object", "properties": { "ce-type": kind } },
            ] },
            "payload": self.payload(event),
            "examples": [{
                "name": field,
                "summary": example["subject"],
                "headers": example["headers"],
                "payload": example["payload"],
            }],
        })
    }

    /// `PublicEvent` with the body of this event.
    fn payload(&mut self, event: &Published) -> Value {
        let (file, at, public) = find(self.contract, ".encours.v1.PublicEvent");
        let mut schema = self.fields(file, at, public, |field| field.json_name() == event.field);
        let entity = event.name.split('.').next().unwrap_or_default();
        schema["properties"]["event"] = json!({ "const": event.name });
        schema["properties"]["entity"] = json!({ "const": entity });
        let of_ledger = event.is_of_ledger().then_some("ledgerId");
        let required: Vec<_> = of_ledger.into_iter().chain([event.field.as_str()]).collect();
        schema["required"] = required.into();
        json!({ "allOf": [{ "$ref": "#/components/schemas/PublicEvent" }, schema] })
    }

    /// What every event has, whatever its body.
    fn envelope(&mut self) -> Value {
        let (file, at, public) = find(self.contract, ".encours.v1.PublicEvent");
        let mut schema = self.fields(file, at, public, |field| field.oneof_index.is_none());
        schema["description"] = self.contract.comment(file, &[MESSAGE, number(at)]).into();
        schema["required"] = json!(["logId", "position", "recordedAt", "entity", "event"]);
        schema
    }

    /// An object with those fields of a message that are wanted.
    fn fields(
        &mut self,
        file: &FileDescriptorProto,
        at: usize,
        message: &DescriptorProto,
        wanted: impl Fn(&FieldDescriptorProto) -> bool,
    ) -> Value {
        let mut properties = Map::new();
        for (index, field) in message.field.iter().enumerate().filter(|(_, field)| wanted(field)) {
            let path = [MESSAGE, number(at), FIELD, number(index)];
            let mut about = self.contract.comment(file, &path).to_owned();
            let choice = field.oneof_index.filter(|_| !field.proto3_optional());
            if let Some(choice) = choice.filter(|_| message.name() != "PublicEvent") {
                let of = self.contract.comment(file, &[MESSAGE, number(at), ONEOF, choice]);
                let name = message.oneof_decl[usize::try_from(choice).unwrap()].name();
                about = format!("{about} One of `{name}`: {of}");
            }
            let mut schema = self.value(field);
            if field.label() == Label::Repeated {
                schema = json!({ "type": "array", "items": schema });
            }
            // A reference stands alone: what is beside it does not count.
            if schema.get("$ref").is_some() {
                schema = json!({ "allOf": [schema] });
            }
            schema["description"] = about.into();
            properties.insert(field.json_name().to_owned(), schema);
        }
        json!({ "type": "object", "properties": properties })
    }

    /// The value of a field as proto3 JSON writes it.
    fn value(&mut self, field: &FieldDescriptorProto) -> Value {
        match field.r#type() {
            Type::String => json!({ "type": "string" }),
            Type::Bytes => json!({ "type": "string", "pattern": "^[A-Za-z0-9+/]*=*$" }),
            Type::Bool => json!({ "type": "boolean" }),
            Type::Int32 => json!({ "type": "integer" }),
            Type::Uint64 => json!({ "type": "string", "pattern": "^[0-9]+$" }),
            Type::Int64 => json!({ "type": "string", "pattern": "^-?[0-9]+$" }),
            Type::Enum => self.reference(field.type_name(), Self::kind),
            Type::Message if field.type_name() == ".google.protobuf.Timestamp" => {
                json!({ "type": "string", "format": "date-time" })
            }
            Type::Message => self.reference(field.type_name(), Self::nested),
            other => panic!("{}: no schema for {}", field.name(), other.as_str_name()),
        }
    }

    fn reference(&mut self, full: &str, make: fn(&mut Self, &str) -> Value) -> Value {
        let name = full.rsplit('.').next().unwrap_or_default();
        if !self.made.contains_key(name) {
            let made = make(self, full);
            self.made.insert(name.to_owned(), made);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    fn nested(&mut self, full: &str) -> Value {
        let (file, at, message) = find(self.contract, full);
        let mut schema = self.fields(file, at, message, |_| true);
        schema["description"] = self.contract.comment(file, &[MESSAGE, number(at)]).into();
        schema
    }

    /// An enumeration, without its value for "not said", which is left out.
    fn kind(&mut self, full: &str) -> Value {
        let name = full.rsplit('.').next().unwrap_or_default();
        let (file, at, kind) = self
            .contract
            .files()
            .find_map(|file| {
                let at = file.enum_type.iter().position(|kind| kind.name() == name)?;
                Some((file, at, &file.enum_type[at]))
            })
            .unwrap_or_else(|| panic!("{full} is no enumeration of the contract"));
        let mut about = self.contract.comment(file, &[ENUM, number(at)]).to_owned();
        let mut names = Vec::new();
        for (index, value) in kind.value.iter().enumerate().skip(1) {
            let path = [ENUM, number(at), VALUE, number(index)];
            let told = self.contract.comment(file, &path).replace('\n', " ");
            about.push_str(&format!("\n- `{}`: {told}", value.name()));
            names.push(value.name());
        }
        json!({ "type": "string", "enum": names, "description": about })
    }
}

/// The rows of the table of subjects in `docs/subscribers.md`.
pub(crate) fn table(contract: &Contract) -> String {
    let mut rows = String::from("| subject | when | body |\n| --- | --- | --- |\n");
    let mut seen = BTreeSet::new();
    for Published { name, address, about, message, .. } in events(contract) {
        assert!(seen.insert(name), "an event stands twice in the contract");
        let address = address.replace("{ledger}", "<ledger>");
        let about = about.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let link = format!("[`{message}`](reference/events.md#{})", message.to_lowercase());
        rows.push_str(&format!("| `{address}` | {about} | {link} |\n"));
    }
    rows
}
