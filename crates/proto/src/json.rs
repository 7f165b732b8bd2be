//! Public events as proto3 JSON, by the descriptors of the contract.

use std::io;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::{FILE_DESCRIPTOR_SET, v1};

/// Looks into public events field by field.
#[derive(Clone, Debug)]
pub struct Reflection {
    event: MessageDescriptor,
}

impl Reflection {
    /// One for the contract that was compiled in.
    ///
    /// # Errors
    /// Where the contract cannot be read, which is a defect.
    pub fn new() -> Result<Self, String> {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET);
        let pool = pool.map_err(|error| format!("the contract: {error}"))?;
        let event = pool.get_message_by_name("encours.v1.PublicEvent");
        Ok(Self { event: event.ok_or("the contract: it has no PublicEvent")? })
    }

    /// The event, with its fields by name.
    ///
    /// # Errors
    /// Where it is not what the contract says, which is a defect.
    pub fn event(&self, event: &v1::PublicEvent) -> Result<DynamicMessage, String> {
        let bytes = event.encode_to_vec();
        DynamicMessage::decode(self.event.clone(), bytes.as_slice())
            .map_err(|error| format!("event {}: {error}", event.position))
    }
}

/// Writes an event as one line of proto3 JSON, without the end of the line.
///
/// # Errors
/// Where it cannot be written.
pub fn write(event: &DynamicMessage, out: impl io::Write) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(out);
    event.serialize_with_options(&mut serializer, &SerializeOptions::new())
}
