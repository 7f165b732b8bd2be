//! What Encours decides: money, dates, receivables, commands, events, refusals.
//!
//! No input or output, no clock, no randomness, no hash-map order: the same commands give the same
//! events on every machine. `Command::decide(&state, &context)` yields events or a refusal;
//! `State::apply` folds an event into the state.

pub mod balance;
pub mod calendar;
pub mod commands;
pub mod content;
pub mod credit;
mod currency;
pub mod details;
pub mod dunning;
pub mod event;
mod id;
pub mod labels;
pub mod limits;
pub mod money;
pub mod number;
mod position;
pub mod reference;
mod refusal;
pub mod resource;
pub mod series;
pub mod state;
pub mod status;
pub mod table;
pub mod tax;
pub mod terms;
pub mod text;

pub use commands::{Command, Context, Decision};
pub use currency::Currency;
pub use event::Event;
pub use id::Id;
pub use money::Money;
pub use number::{
    ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source, Subject,
};
pub use position::{Day, Micros, Position};
pub use refusal::{Kind, Reason, Refusal, Rule};
pub use resource::Resource;
pub use state::State;
