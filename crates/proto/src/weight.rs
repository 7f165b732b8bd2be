//! How much memory the parts of a request take once it is read, from its bytes alone.
//!
//! WHY: a part that says nothing is two bytes on the wire and a struct of hundreds in memory, so that a
//! request of 1 MiB could ask for half a gigabyte.

use std::collections::HashMap;
use std::sync::OnceLock;

use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::FileDescriptorSet;

use crate::FILE_DESCRIPTOR_SET;

/// Bytes that a field takes in the struct of its message: that of a text or a list.
const FIELD_BYTES: usize = 24;
/// What the parts of a request may take together.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;
/// A message that is no longer than this is not looked at: what it can ask for is bounded enough.
pub(crate) const SMALL: usize = 16 * 1024;
/// As deep as messages are read.
const DEPTH: usize = 100;

/// A message: its bytes in memory, and which of its fields are messages, by number.
#[derive(Debug, Default)]
struct Shape {
    bytes: usize,
    parts: HashMap<u32, usize>,
}

/// The messages of the contract.
#[derive(Debug, Default)]
struct Shapes {
    names: HashMap<String, usize>,
    shapes: Vec<Shape>,
}

fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| {
        // The set was written by our own build, so that it decodes.
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        let messages: Vec<_> = set
            .file
            .iter()
            .flat_map(|file| file.message_type.iter().map(move |of| (file.package(), of)))
            .collect();
        let name = |package: &str, name: &str| format!(".{package}.{name}");
        let names: HashMap<_, _> =
            messages.iter().map(|(package, of)| name(package, of.name())).zip(0..).collect();
        let shape = |(_, of): &(&str, &prost_types::DescriptorProto)| {
            let part = |field: &prost_types::FieldDescriptorProto| {
                let number = u32::try_from(field.number()).ok()?;
                Some((number, *names.get(field.type_name())?))
            };
            let parts = of.field.iter().filter_map(part).collect();
            Shape { bytes: of.field.len().max(1) * FIELD_BYTES, parts }
        };
        let shapes = messages.iter().map(shape).collect();
        Shapes { names, shapes }
    })
}

/// Whether the parts of this message of the contract take more than they may. Bytes that are no
/// message are for the one who reads them: up to there, what they ask for is counted.
pub(crate) fn is_too_much(name: &str, bytes: &[u8]) -> bool {
    let shapes = shapes();
    let Some(shape) = shapes.names.get(name) else { return false };
    let mut left = MAX_BYTES;
    // `None` where they are used up.
    shapes.weigh(*shape, bytes, DEPTH, &mut left).is_none()
}

impl Shapes {
    fn weigh(&self, shape: usize, mut bytes: &[u8], depth: usize, left: &mut usize) -> Option<()> {
        let Some(Shape { parts, .. }) = self.shapes.get(shape).filter(|_| depth > 0) else {
            return Some(());
        };
        while !bytes.is_empty() {
            let Ok((number, wire)) = decode_key(&mut bytes) else { return Some(()) };
            let skip = match wire {
                WireType::Varint => match decode_varint(&mut bytes) {
                    Ok(_) => 0,
                    Err(_) => return Some(()),
                },
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                // The contract has none: what is in one is skipped, and takes nothing.
                WireType::StartGroup | WireType::EndGroup => 0,
                WireType::LengthDelimited => match decode_varint(&mut bytes) {
                    Ok(len) => usize::try_from(len).unwrap_or(usize::MAX),
                    Err(_) => return Some(()),
                },
            };
            let Some((field, rest)) = bytes.split_at_checked(skip) else { return Some(()) };
            bytes = rest;
            if wire == WireType::LengthDelimited
                && let Some(part) = parts.get(&number)
            {
                let bytes = self.shapes.get(*part).map_or(0, |part| part.bytes);
                *left = left.checked_sub(bytes)?;
                self.weigh(*part, field, depth - 1, left)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    const EXECUTE: &str = ".encours.v1.ExecuteRequest";
    const ISSUE: &str = ".encours.v1.IssueInvoiceRequest";

    #[test]
    fn parts_that_say_nothing_are_counted_at_any_depth() {
        assert!(!is_too_much(EXECUTE, &[]));
        assert!(is_too_much(EXECUTE, &[0x0a, 0].repeat(500_000)));
        let lines = vec![v1::InvoiceLine::default(); 400_000];
        let issue = v1::IssueInvoiceRequest { lines, ..Default::default() };
        assert!(is_too_much(ISSUE, &issue.encode_to_vec()));
        let command = v1::command::Command::IssueInvoice(issue);
        let command = v1::Command { command: Some(command) };
        let execute = v1::ExecuteRequest { commands: vec![command] };
        assert!(is_too_much(EXECUTE, &execute.encode_to_vec()));
        // In a group, which nobody reads; and behind one.
        let group = [&[0xfb, 0x06][..], &[0x0a, 0].repeat(500_000), &[0xfc, 0x06]].concat();
        assert!(is_too_much(EXECUTE, &group));
    }

    #[test]
    fn what_people_send_is_not_too_much() {
        let money = v1::Money { currency_code: "EUR".into(), units: 10, nanos: 0 };
        let line = v1::InvoiceLine {
            description: "Work".into(),
            amount: Some(money.clone()),
            ..Default::default()
        };
        let issue = v1::IssueInvoiceRequest {
            ledger_id: "acme".into(),
            customer_id: "ada".into(),
            total: Some(money),
            lines: vec![line; 30],
            ..Default::default()
        };
        let command = v1::command::Command::IssueInvoice(issue);
        let command = v1::Command { command: Some(command) };
        let execute = v1::ExecuteRequest { commands: vec![command; 1_000] };
        let bytes = execute.encode_to_vec();
        assert!(bytes.len() > SMALL && bytes.len() < 1024 * 1024, "{}", bytes.len());
        assert!(!is_too_much(EXECUTE, &bytes));
        // Texts are no parts, whatever they hold.
        let text = "\u{a}\0".repeat(400_000);
        let issue = v1::IssueInvoiceRequest { text, ..Default::default() };
        assert!(!is_too_much(ISSUE, &issue.encode_to_vec()));
    }
}
