//! The pages of the reference, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    MessageOptions, MethodDescriptorProto, ServiceDescriptorProto,
};

use crate::HOW;
use crate::contract::{Contract, page_of};

// Where things stand in the descriptor of a file, a message, an enum and a service.
pub(crate) const MESSAGE: i32 = 4;
pub(crate) const ENUM: i32 = 5;
const SERVICE: i32 = 6;
pub(crate) const FIELD: i32 = 2;
pub(crate) const ONEOF: i32 = 8;
pub(crate) const VALUE: i32 = 2;
const METHOD: i32 = 2;

/// Every page by its name.
pub(crate) fn all(contract: &Contract) -> BTreeMap<String, String> {
    let links = Links::of(contract);
    let mut pages: BTreeMap<String, String> = contract
        .files()
        .map(|file| (page_of(file), Page { contract, links: &links, file }.text()))
        .collect();
    pages.insert("README.md".to_owned(), index(contract, &links));
    pages
}

/// The first page: services with their methods, and what each page is about.
fn index(contract: &Contract, links: &Links) -> String {
    let mut out = format!(
        "<!-- Made from proto/encours/v1: {HOW} -->\n\n# Reference\n\n\
         What [`proto/encours/v1`](../../proto/encours/v1) says, as pages. What holds for every call \
         stands in [money.md](money.md#conventions-of-every-service), every reason of an error in \
         [errors.md](errors.md).\n\n| service | methods |\n| --- | --- |\n"
    );
    for (file, service) in
        contract.files().flat_map(|file| file.service.iter().map(move |s| (file, s)))
    {
        let link = |method: &MethodDescriptorProto| {
            let name = method.name();
            format!("[{name}]({}#{})", page_of(file), anchor(&format!("{}.{name}", service.name())))
        };
        let methods: Vec<_> = service.method.iter().map(link).collect();
        let service = links.to(&format!(".encours.v1.{}", service.name()), "");
        writeln!(out, "| {service} | {} |", methods.join(", ")).unwrap();
    }
    out.push_str("\n| page | what |\n| --- | --- |\n");
    for file in contract.files() {
        let page = page_of(file);
        let about = cell(contract.about(file).split("\n\n").next().unwrap_or_default());
        writeln!(out, "| [{page}]({page}) | {about} |").unwrap();
    }
    out.push_str("| [errors.md](errors.md) | Every reason of an error, with its code. |\n");
    out
}

/// Where each service, message and enum is described.
struct Links(BTreeMap<String, String>);

impl Links {
    fn of(contract: &Contract) -> Self {
        let mut pages = BTreeMap::new();
        for file in contract.files() {
            let messages = file.message_type.iter().map(DescriptorProto::name);
            let enums = file.enum_type.iter().map(EnumDescriptorProto::name);
            let services = file.service.iter().map(ServiceDescriptorProto::name);
            for name in messages.chain(enums).chain(services) {
                pages.insert(format!(".{}.{name}", file.package()), page_of(file));
            }
        }
        Self(pages)
    }

    /// A link to a type from a page; of other packages only its name.
    fn to(&self, full: &str, from: &str) -> String {
        let name = full.rsplit('.').next().unwrap_or_default();
        match self.0.get(full) {
            Some(page) if page == from => format!("[`{name}`](#{})", anchor(name)),
            Some(page) => format!("[`{name}`]({page}#{})", anchor(name)),
            None => format!("`{}`", full.trim_start_matches('.')),
        }
    }
}

/// What a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept =
        heading.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A comment in a cell of a table.
fn cell(comment: &str) -> String {
    comment.replace("\n\n", "<br>").replace('\n', " ").replace('|', "\\|")
}

/// The page of a file.
struct Page<'a> {
    contract: &'a Contract,
    links: &'a Links,
    file: &'a FileDescriptorProto,
}

impl Page<'_> {
    fn text(&self) -> String {
        let name = self.file.name();
        let about = self.contract.about(self.file).replace("\n# ", "\n## ");
        let mut out = format!("<!-- Made from proto/{name}: {HOW} -->\n\n# {name}\n\n{about}\n");
        for at in 0..self.file.service.len() {
            self.service(at, &mut out);
        }
        for at in 0..self.file.message_type.len() {
            self.message(at, &mut out);
        }
        for at in 0..self.file.enum_type.len() {
            self.kind(at, &mut out);
        }
        out
    }

    fn comment(&self, path: &[i32]) -> &str {
        self.contract.comment(self.file, path)
    }

    fn link(&self, full: &str) -> String {
        self.links.to(full, &page_of(self.file))
    }

    fn service(&self, at: usize, out: &mut String) {
        let service = &self.file.service[at];
        let comment = self.comment(&[SERVICE, number(at)]);
        write!(out, "\n## {}\n\n{comment}\n", service.name()).unwrap();
        for (index, method) in service.method.iter().enumerate() {
            let comment = self.comment(&[SERVICE, number(at), METHOD, number(index)]);
            let stream = |streams: bool| if streams { "stream of " } else { "" };
            let takes =
                stream(method.client_streaming()).to_owned() + &self.link(method.input_type());
            let gives =
                stream(method.server_streaming()).to_owned() + &self.link(method.output_type());
            let name = format!("{}.{}", service.name(), method.name());
            write!(out, "\n### {name}\n\n{takes} → {gives}\n\n{comment}\n").unwrap();
        }
    }

    fn message(&self, at: usize, out: &mut String) {
        let message = &self.file.message_type[at];
        let comment = self.comment(&[MESSAGE, number(at)]);
        write!(out, "\n## {}\n\n{comment}\n", message.name()).unwrap();
        if message.field.is_empty() {
            return;
        }
        out.push_str("\n| number | field | type | meaning |\n| ---: | --- | --- | --- |\n");
        let mut group = None;
        for (index, field) in message.field.iter().enumerate() {
            let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
            if let Some(choice) = oneof.filter(|choice| group != Some(*choice)) {
                let name = message.oneof_decl[usize::try_from(choice).unwrap()].name();
                let about = cell(self.comment(&[MESSAGE, number(at), ONEOF, choice]));
                writeln!(out, "| | **one of** `{name}` | | {about} |").unwrap();
            }
            group = oneof;
            let comment = cell(self.comment(&[MESSAGE, number(at), FIELD, number(index)]));
            let mark = if oneof.is_some() { "– " } else { "" };
            let (number, name, kind) = (field.number(), field.name(), self.type_of(message, field));
            writeln!(out, "| {number} | {mark}`{name}` | {kind} | {comment} |").unwrap();
        }
    }

    /// The type of a field, as the protos write it.
    fn type_of(&self, message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
        let entry = message.nested_type.iter().find(|nested| {
            nested.options.as_ref().is_some_and(MessageOptions::map_entry)
                && field.type_name().ends_with(&format!(".{}.{}", message.name(), nested.name()))
        });
        if let Some(entry) = entry {
            let [key, value] = [&entry.field[0], &entry.field[1]].map(|part| self.named(part));
            return format!("map of {key} to {value}");
        }
        let kind = self.named(field);
        match (field.label(), field.proto3_optional()) {
            (Label::Repeated, _) => format!("repeated {kind}"),
            (_, true) => format!("optional {kind}"),
            _ => kind,
        }
    }

    fn named(&self, field: &FieldDescriptorProto) -> String {
        match field.r#type() {
            Type::Message | Type::Enum => self.link(field.type_name()),
            plain => {
                format!("`{}`", plain.as_str_name().trim_start_matches("TYPE_").to_lowercase())
            }
        }
    }

    fn kind(&self, at: usize, out: &mut String) {
        let kind = &self.file.enum_type[at];
        let comment = self.comment(&[ENUM, number(at)]);
        write!(out, "\n## {}\n\n{comment}\n", kind.name()).unwrap();
        out.push_str("\n| number | value | meaning |\n| ---: | --- | --- |\n");
        for (index, value) in kind.value.iter().enumerate() {
            let comment = cell(self.comment(&[ENUM, number(at), VALUE, number(index)]));
            writeln!(out, "| {} | `{}` | {comment} |", value.number(), value.name()).unwrap();
        }
    }
}

/// An index as descriptors count.
pub(crate) fn number(at: usize) -> i32 {
    i32::try_from(at).expect("a file has fewer than 2^31 things")
}
