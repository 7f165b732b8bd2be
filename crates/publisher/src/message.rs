//! A public event as a message: CloudEvents 1.0 in binary mode over NATS.

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use encours_log::Position;
use encours_proto::Message as _;
use encours_proto::json::{self, Reflection};
use encours_proto::subject::{SUBJECT_PREFIX, subject_below};
use encours_proto::v1::PublicEvent;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

/// The header with the log's id, as 32 hexadecimal digits.
pub const LOG_ID_HEADER: &str = "Encours-Log-Id";
/// The header with the position in the log: dense, from 1.
pub const POSITION_HEADER: &str = "Encours-Position";
/// The header with the customer's id; missing where an event concerns none.
pub const CUSTOMER_HEADER: &str = "Encours-Customer";

/// The header with the time that the event was recorded.
const TIME_HEADER: &str = "ce-time";

/// What the body of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The message `PublicEvent` as proto3 JSON.
    #[default]
    Json,
    /// The message `PublicEvent` in its binary form.
    Protobuf,
}

impl Format {
    /// The content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
        }
    }
}

/// A message to publish.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) position: Position,
    /// What it is published to; the stream turns it into the subject that subscribers see.
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) facts: Facts,
}

/// What tells an event from every other one that may stand at its position: when it was recorded, to the
/// microsecond, and the subject and customer that subscribers see.
///
/// WHY not the body: a later version may tell more of the same event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts(pub(crate) String);

impl Facts {
    fn new(time: &str, subject: &str, customer: &str) -> Self {
        Self(format!("{time} {subject} {customer}").trim_end().to_owned())
    }

    /// Those of a message of the stream.
    pub(crate) fn of_message(headers: &HeaderMap, subject: &str) -> Self {
        let text = |name| headers.get(name).map_or("", HeaderValue::as_str);
        Self::new(text(TIME_HEADER), subject, text(CUSTOMER_HEADER))
    }

    /// Those of an event of the log; `None` where it has no time.
    pub(crate) fn of_event(event: &PublicEvent) -> Option<Self> {
        let subject = subject_below(SUBJECT_PREFIX, event);
        Some(Self::new(&time_of(event)?, &subject, &event.customer_id))
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes messages.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    format: Format,
    /// What subjects begin with.
    prefix: String,
    reflection: Reflection,
}

impl Encoder {
    /// One that makes bodies of this format, for subjects that begin with `prefix`.
    ///
    /// # Errors
    /// Where the contract that was compiled in cannot be read.
    pub(crate) fn new(format: Format, prefix: String) -> Result<Self, String> {
        Ok(Self { format, prefix, reflection: Reflection::new()? })
    }

    /// The message of an event.
    ///
    /// # Errors
    /// Where the event cannot be told as the contract says.
    pub(crate) fn message(&self, event: &PublicEvent) -> Result<Outgoing, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("event {}: {why}", event.position);
        let told = self.reflection.event(event)?;
        let headers = headers(event, &told, self.format).ok_or_else(|| wrong(&"it has no time"))?;
        let facts = Facts::of_event(event).ok_or_else(|| wrong(&"it has no time"))?;
        let body = match self.format {
            Format::Protobuf => event.encode_to_vec().into(),
            Format::Json => {
                let mut body = Vec::with_capacity(512);
                json::write(&told, &mut body).map_err(|error| wrong(&error))?;
                body.into()
            }
        };
        let subject = subject_below(&self.prefix, event);
        Ok(Outgoing { position: Position(event.position), subject, headers, body, facts })
    }
}

/// Log id and position: names the event for ever.
pub(crate) fn message_id(event: &PublicEvent) -> String {
    format!("{}-{}", event.log_id, event.position)
}

fn headers(event: &PublicEvent, told: &DynamicMessage, format: Format) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", message_id(event));
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", message_id(event));
    headers.insert("ce-source", format!("urn:encours:log:{}", event.log_id));
    headers.insert("ce-type", format!("encours.v1.{}", event.event));
    headers.insert(TIME_HEADER, time_of(event)?);
    if let Some(about) = about(event, told) {
        headers.insert("ce-subject", about);
    }
    headers.insert("content-type", format.content_type());
    headers.insert(LOG_ID_HEADER, event.log_id.as_str());
    headers.insert(POSITION_HEADER, event.position.to_string());
    if !event.customer_id.is_empty() {
        headers.insert(CUSTOMER_HEADER, event.customer_id.as_str());
    }
    Some(headers)
}

/// When an event was recorded, as in RFC 3339.
fn time_of(event: &PublicEvent) -> Option<String> {
    let at = event.recorded_at.as_ref()?;
    let time = DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// What an event is about, such as `invoice/F-1`: what the first field of its body names, else its
/// ledger.
fn about(event: &PublicEvent, told: &DynamicMessage) -> Option<String> {
    let body = told.descriptor().oneofs().find(|oneof| oneof.name() == "body")?;
    let body = body.fields().find(|field| told.has_field(field))?;
    let body = told.get_field(&body);
    let first = body.as_message().and_then(|body| {
        let field = body.descriptor().get_field(1)?;
        let kind = field.name().strip_suffix("_id")?.to_owned();
        match &*body.get_field(&field) {
            Value::String(id) => Some(format!("{kind}/{id}")),
            _ => None,
        }
    });
    first.or_else(|| (!event.ledger_id.is_empty()).then(|| format!("ledger/{}", event.ledger_id)))
}
