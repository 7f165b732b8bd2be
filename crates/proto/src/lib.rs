//! The gRPC contract: the code generated from `proto/encours/v1` and its conversions.
//!
//! The only crate that turns messages into what the domain decides on, and resources, events and
//! refusals into messages. A value that does not fit is refused as a [`Refusal`] that names the
//! field as the protocol calls it, such as `lines[2].amount`; nothing is guessed and nothing is
//! dropped.
//!
//! [`Refusal`]: encours_domain::Refusal

pub mod codec;
pub mod command;
pub mod credit;
pub mod credit_note;
pub mod customer;
pub mod draft;
pub mod events;
pub mod filter;
pub mod invoice;
pub mod json;
pub mod ledger;
pub mod money;
pub mod opening;
pub mod payment;
pub mod plan;
pub mod reminder;
pub mod subject;
mod weight;

/// What every message can do: tell its size and write its bytes.
pub use prost::Message;

/// Messages, clients and servers of package `encours.v1`, as generated.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("encours.v1");
}

/// The encoded `FileDescriptorSet` of the contract, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/encours_descriptor.bin"));

/// The path of every method of the contract, such as `/encours.v1.LedgerService/GetLedger`, in the
/// order of the files.
#[must_use]
pub fn method_paths() -> Vec<String> {
    // The set was written by our own build, so that it decodes.
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let files = set.file.iter().filter(|file| file.package() == "encours.v1");
    files
        .flat_map(|file| &file.service)
        .flat_map(|service| {
            let path = |name: &str| format!("/encours.v1.{}/{name}", service.name());
            service.method.iter().map(move |method| path(method.name()))
        })
        .collect()
}
