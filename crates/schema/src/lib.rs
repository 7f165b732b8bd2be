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
use postcard::ser_flavors::Flavor;
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
    let mut payload = Vec::new();
    let (kind, version) = encode_into(event, &mut payload)?;
    Ok(Encoded { kind, version, payload })
}

/// As [`encode`], with the bytes put behind those that are in `out`; tells type number and version.
/// After an error, `out` has a part of them.
///
/// # Errors
/// As those of [`encode`].
pub fn encode_into(event: &Event, out: &mut Vec<u8>) -> Result<(u16, u16), SchemaError> {
    match event {
        Event::LogCreated(e) => write::<v1::LogCreated>(e, out),
        Event::WriterOpened(e) => write::<v1::WriterOpened>(e, out),
        Event::LogForked(e) => write::<v1::LogForked>(e, out),
        Event::ClockCreated(e) => write::<v1::ClockCreated<'_>>(e, out),
        Event::ClockAdvanced(e) => write::<v2::ClockAdvanced>(e, out),
        Event::DayOpened(e) => write::<v1::DayOpened>(e, out),
        Event::DayFinished(e) => write::<v1::DayFinished>(e, out),
        Event::LedgerCreated(e) => write::<v2::LedgerCreated<'_>>(e, out),
        Event::CustomerCreated(e) => write::<v1::CustomerCreated<'_>>(e, out),
        Event::CustomerUpdated(e) => write::<v1::CustomerUpdated<'_>>(e, out),
        Event::CreditLimitSet(e) => write::<v1::CreditLimitSet>(e, out),
        Event::CustomerReminderRecorded(e) => write::<v1::CustomerReminderRecorded<'_>>(e, out),
        Event::InvoiceIssued(e) => write::<v1::InvoiceIssued<'_>>(e, out),
        Event::InvoiceSent(e) => write::<v1::InvoiceSent>(e, out),
        Event::InvoiceDisputed(e) => write::<v1::InvoiceDisputed<'_>>(e, out),
        Event::DisputeResolved(e) => write::<v1::DisputeResolved>(e, out),
        Event::InvoiceDue(e) => write::<v1::InvoiceDue>(e, out),
        Event::InvoiceOverdue(e) => write::<v1::InvoiceOverdue>(e, out),
        Event::InvoicePaid(e) => write::<v1::InvoicePaid>(e, out),
        Event::InvoiceReopened(e) => write::<v1::InvoiceReopened>(e, out),
        Event::InvoiceCancelled(e) => write::<v1::InvoiceCancelled>(e, out),
        Event::DraftCreated(e) => write::<v1::DraftCreated<'_>>(e, out),
        Event::DraftUpdated(e) => write::<v1::DraftUpdated<'_>>(e, out),
        Event::DraftDeleted(e) => write::<v1::DraftDeleted>(e, out),
        Event::OpeningItemAdded(e) => write::<v1::OpeningItemAdded<'_>>(e, out),
        Event::OpeningItemCorrected(e) => write::<v1::OpeningItemCorrected>(e, out),
        Event::PaymentPlanned(e) => write::<v1::PaymentPlanned>(e, out),
        Event::PlannedPaymentCancelled(e) => write::<v1::PlannedPaymentCancelled>(e, out),
        Event::PlannedPaymentCleared(e) => write::<v1::PlannedPaymentCleared>(e, out),
        Event::PlannedPaymentLapsed(e) => write::<v1::PlannedPaymentLapsed>(e, out),
        Event::CreditLimitExceeded(e) => write::<v1::CreditLimitExceeded>(e, out),
        Event::PaymentRecorded(e) => write::<v1::PaymentRecorded<'_>>(e, out),
        Event::PaymentReversed(e) => write::<v1::PaymentReversed>(e, out),
        Event::PaymentRefunded(e) => write::<v1::PaymentRefunded<'_>>(e, out),
        Event::CreditNoteIssued(e) => write::<v1::CreditNoteIssued<'_>>(e, out),
        Event::Allocated(e) => write::<v1::Allocated>(e, out),
        Event::Deallocated(e) => write::<v1::Deallocated>(e, out),
        Event::ReminderEmitted(e) => write::<v1::ReminderEmitted<'_>>(e, out),
        Event::ReminderRecorded(e) => write::<v1::ReminderRecorded<'_>>(e, out),
        Event::RemindersStopped(e) => write::<v1::RemindersStopped<'_>>(e, out),
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
        (EventKind::LogForked, 1) => read::<v1::LogForked>(payload),
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

fn write<'a, F: Frozen<'a>>(
    event: &'a F::Live,
    out: &mut Vec<u8>,
) -> Result<(u16, u16), SchemaError> {
    let name = F::KIND.event_name();
    let frozen = F::freeze(event).map_err(|unfit| unfit.of(name))?;
    postcard::serialize_with_flavor(&frozen, Behind(out))
        .map_err(|source| SchemaError::NotEncoded { event: name, source })?;
    Ok((F::KIND.code(), F::VERSION))
}

/// Puts bytes behind others.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
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
