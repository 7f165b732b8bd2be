//! What lies in the log: frozen event shapes by version and their encoding.
//!
//! An event in the log is `(type u16, version u16, payload)`. Each pair of type and version has one
//! plain struct in here that never changes once a release has written it; a new need is a new
//! version with its own struct, decoded by the same [`decode`] into today's event. Payloads are
//! [postcard](https://postcard.jamesmunns.com/wire-format): fields in order, unsigned integers as
//! little-endian base-128 varints, signed ones zigzag first, texts, bytes and lists behind their
//! length, an option behind `0` or `1`, `u8` and arrays of it as they are.
//!
//! Promises: what [`encode`] gave, [`decode`] gives back, in this build and in every later one; no
//! bytes make it panic or take more memory than a small multiple of their length; a value that no
//! event may have is an error, as are bytes after the last field; a personal detail in clear is
//! never encoded.

mod error;
mod kind;
mod v1;
mod v2;

use encours_domain::Event;
use serde::{Deserialize, Serialize};

use error::Unfit;
pub use error::{InvalidValue, SchemaError};
pub use kind::EventKind;

/// An event as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The type number, [`EventKind::code`].
    pub kind: u16,
    /// The version of the shape.
    pub version: u16,
    /// The fields.
    pub payload: Vec<u8>,
}

/// A frozen shape: what the newest version of one event looks like in the log.
trait Frozen<'a>: Serialize + Deserialize<'a> {
    /// The type.
    const KIND: EventKind;
    /// The version.
    const VERSION: u16;
    /// Today's event.
    type Live;

    /// The shape that holds `event`.
    fn freeze(event: &'a Self::Live) -> Result<Self, Unfit>;

    /// Today's event, every value checked.
    fn thaw(self) -> Result<Self::Live, InvalidValue>;
}

/// The frozen shape of an older version, which is still read.
trait Superseded<'a>: Deserialize<'a> {
    /// The version.
    const VERSION: u16;
    /// The newest version.
    type Newer: Frozen<'a>;

    /// The same as the newest version says it.
    fn upcast(self) -> Self::Newer;
}

/// The bytes of an event, in the newest version of its shape.
///
/// # Errors
/// [`SchemaError::Unsealed`] for a personal detail in clear; [`SchemaError::Invalid`] for a value
/// that [`decode`] would refuse, so that nothing unreadable is ever written.
pub fn encode(event: &Event) -> Result<Encoded, SchemaError> {
    match event {
        Event::LogCreated(e) => write::<v1::LogCreated>(e),
        Event::WriterOpened(e) => write::<v1::WriterOpened>(e),
        Event::ClockCreated(e) => write::<v1::ClockCreated<'_>>(e),
        Event::ClockAdvanced(e) => write::<v2::ClockAdvanced>(e),
        Event::DayOpened(e) => write::<v1::DayOpened>(e),
        Event::DayFinished(e) => write::<v1::DayFinished>(e),
        Event::LedgerCreated(e) => write::<v2::LedgerCreated<'_>>(e),
        Event::CustomerCreated(e) => write::<v1::CustomerCreated<'_>>(e),
        Event::CustomerUpdated(e) => write::<v1::CustomerUpdated<'_>>(e),
        Event::CreditLimitSet(e) => write::<v1::CreditLimitSet>(e),
        Event::CustomerReminderRecorded(e) => write::<v1::CustomerReminderRecorded<'_>>(e),
        Event::InvoiceIssued(e) => write::<v1::InvoiceIssued<'_>>(e),
        Event::InvoiceSent(e) => write::<v1::InvoiceSent>(e),
        Event::InvoiceDisputed(e) => write::<v1::InvoiceDisputed<'_>>(e),
        Event::DisputeResolved(e) => write::<v1::DisputeResolved>(e),
        Event::InvoiceDue(e) => write::<v1::InvoiceDue>(e),
        Event::InvoiceOverdue(e) => write::<v1::InvoiceOverdue>(e),
        Event::InvoicePaid(e) => write::<v1::InvoicePaid>(e),
        Event::InvoiceReopened(e) => write::<v1::InvoiceReopened>(e),
        Event::InvoiceCancelled(e) => write::<v1::InvoiceCancelled>(e),
        Event::DraftCreated(e) => write::<v1::DraftCreated<'_>>(e),
        Event::DraftUpdated(e) => write::<v1::DraftUpdated<'_>>(e),
        Event::DraftDeleted(e) => write::<v1::DraftDeleted>(e),
        Event::OpeningItemAdded(e) => write::<v1::OpeningItemAdded<'_>>(e),
        Event::OpeningItemCorrected(e) => write::<v1::OpeningItemCorrected>(e),
        Event::PaymentPlanned(e) => write::<v1::PaymentPlanned>(e),
        Event::PlannedPaymentCancelled(e) => write::<v1::PlannedPaymentCancelled>(e),
        Event::PlannedPaymentCleared(e) => write::<v1::PlannedPaymentCleared>(e),
        Event::PlannedPaymentLapsed(e) => write::<v1::PlannedPaymentLapsed>(e),
        Event::CreditLimitExceeded(e) => write::<v1::CreditLimitExceeded>(e),
        Event::PaymentRecorded(e) => write::<v1::PaymentRecorded<'_>>(e),
        Event::PaymentReversed(e) => write::<v1::PaymentReversed>(e),
        Event::PaymentRefunded(e) => write::<v1::PaymentRefunded<'_>>(e),
        Event::CreditNoteIssued(e) => write::<v1::CreditNoteIssued<'_>>(e),
        Event::Allocated(e) => write::<v1::Allocated>(e),
        Event::Deallocated(e) => write::<v1::Deallocated>(e),
        Event::ReminderEmitted(e) => write::<v1::ReminderEmitted<'_>>(e),
        Event::ReminderRecorded(e) => write::<v1::ReminderRecorded<'_>>(e),
        Event::RemindersStopped(e) => write::<v1::RemindersStopped<'_>>(e),
    }
}

/// Today's event from the bytes of any version.
///
/// # Errors
/// A [`SchemaError`] that says what is unknown or wrong.
pub fn decode(kind: u16, version: u16, payload: &[u8]) -> Result<Event, SchemaError> {
    let known = EventKind::from_code(kind).ok_or(SchemaError::UnknownKind { kind })?;
    match (known, version) {
        (EventKind::LogCreated, 1) => read::<v1::LogCreated>(payload),
        (EventKind::WriterOpened, 1) => read::<v1::WriterOpened>(payload),
        (EventKind::ClockCreated, 1) => read::<v1::ClockCreated<'_>>(payload),
        (EventKind::ClockAdvanced, 1) => read_old::<v1::ClockAdvanced>(payload),
        (EventKind::ClockAdvanced, 2) => read::<v2::ClockAdvanced>(payload),
        (EventKind::DayOpened, 1) => read::<v1::DayOpened>(payload),
        (EventKind::DayFinished, 1) => read::<v1::DayFinished>(payload),
        (EventKind::LedgerCreated, 1) => read_old::<v1::LedgerCreated<'_>>(payload),
        (EventKind::LedgerCreated, 2) => read::<v2::LedgerCreated<'_>>(payload),
        (EventKind::CustomerCreated, 1) => read::<v1::CustomerCreated<'_>>(payload),
        (EventKind::CustomerUpdated, 1) => read::<v1::CustomerUpdated<'_>>(payload),
        (EventKind::CreditLimitSet, 1) => read::<v1::CreditLimitSet>(payload),
        (EventKind::CustomerReminderRecorded, 1) => {
            read::<v1::CustomerReminderRecorded<'_>>(payload)
        }
        (EventKind::InvoiceIssued, 1) => read::<v1::InvoiceIssued<'_>>(payload),
        (EventKind::InvoiceSent, 1) => read::<v1::InvoiceSent>(payload),
        (EventKind::InvoiceDisputed, 1) => read::<v1::InvoiceDisputed<'_>>(payload),
        (EventKind::DisputeResolved, 1) => read::<v1::DisputeResolved>(payload),
        (EventKind::InvoiceDue, 1) => read::<v1::InvoiceDue>(payload),
        (EventKind::InvoiceOverdue, 1) => read::<v1::InvoiceOverdue>(payload),
        (EventKind::InvoicePaid, 1) => read::<v1::InvoicePaid>(payload),
        (EventKind::InvoiceReopened, 1) => read::<v1::InvoiceReopened>(payload),
        (EventKind::InvoiceCancelled, 1) => read::<v1::InvoiceCancelled>(payload),
        (EventKind::DraftCreated, 1) => read::<v1::DraftCreated<'_>>(payload),
        (EventKind::DraftUpdated, 1) => read::<v1::DraftUpdated<'_>>(payload),
        (EventKind::DraftDeleted, 1) => read::<v1::DraftDeleted>(payload),
        (EventKind::OpeningItemAdded, 1) => read::<v1::OpeningItemAdded<'_>>(payload),
        (EventKind::OpeningItemCorrected, 1) => read::<v1::OpeningItemCorrected>(payload),
        (EventKind::PaymentPlanned, 1) => read::<v1::PaymentPlanned>(payload),
        (EventKind::PlannedPaymentCancelled, 1) => read::<v1::PlannedPaymentCancelled>(payload),
        (EventKind::PlannedPaymentCleared, 1) => read::<v1::PlannedPaymentCleared>(payload),
        (EventKind::PlannedPaymentLapsed, 1) => read::<v1::PlannedPaymentLapsed>(payload),
        (EventKind::CreditLimitExceeded, 1) => read::<v1::CreditLimitExceeded>(payload),
        (EventKind::PaymentRecorded, 1) => read::<v1::PaymentRecorded<'_>>(payload),
        (EventKind::PaymentReversed, 1) => read::<v1::PaymentReversed>(payload),
        (EventKind::PaymentRefunded, 1) => read::<v1::PaymentRefunded<'_>>(payload),
        (EventKind::CreditNoteIssued, 1) => read::<v1::CreditNoteIssued<'_>>(payload),
        (EventKind::Allocated, 1) => read::<v1::Allocated>(payload),
        (EventKind::Deallocated, 1) => read::<v1::Deallocated>(payload),
        (EventKind::ReminderEmitted, 1) => read::<v1::ReminderEmitted<'_>>(payload),
        (EventKind::ReminderRecorded, 1) => read::<v1::ReminderRecorded<'_>>(payload),
        (EventKind::RemindersStopped, 1) => read::<v1::RemindersStopped<'_>>(payload),
        (known, version) => Err(SchemaError::UnknownVersion { event: known.event_name(), version }),
    }
}

fn write<'a, F: Frozen<'a>>(event: &'a F::Live) -> Result<Encoded, SchemaError> {
    let name = F::KIND.event_name();
    let frozen = F::freeze(event).map_err(|unfit| unfit.of(name))?;
    let payload = postcard::to_stdvec(&frozen)
        .map_err(|source| SchemaError::NotEncoded { event: name, source })?;
    Ok(Encoded { kind: F::KIND.code(), version: F::VERSION, payload })
}

fn read<'a, F: Frozen<'a>>(payload: &'a [u8]) -> Result<Event, SchemaError>
where
    F::Live: Into<Event>,
{
    thaw(parse::<F>(F::KIND.event_name(), F::VERSION, payload)?)
}

fn read_old<'a, F: Superseded<'a>>(payload: &'a [u8]) -> Result<Event, SchemaError>
where
    <F::Newer as Frozen<'a>>::Live: Into<Event>,
{
    let event = <F::Newer as Frozen<'a>>::KIND.event_name();
    thaw(parse::<F>(event, F::VERSION, payload)?.upcast())
}

fn parse<'a, F: Deserialize<'a>>(
    event: &'static str,
    version: u16,
    payload: &'a [u8],
) -> Result<F, SchemaError> {
    let (frozen, rest) = postcard::take_from_bytes::<F>(payload)
        .map_err(|source| SchemaError::Malformed { event, version, source })?;
    if rest.is_empty() {
        Ok(frozen)
    } else {
        Err(SchemaError::TrailingBytes { event, version, bytes: rest.len() })
    }
}

fn thaw<'a, F: Frozen<'a>>(frozen: F) -> Result<Event, SchemaError>
where
    F::Live: Into<Event>,
{
    let event = F::KIND.event_name();
    frozen.thaw().map(Into::into).map_err(|source| SchemaError::Invalid { event, source })
}
