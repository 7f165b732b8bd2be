//! The behaviour of the domain, given / when / then, through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_imports,
    reason = "tests fail by panicking and speak the vocabulary of their scenario"
)]

mod almanac;
mod books;
mod corrections;
mod credit_limits;
mod documents;
mod draft_model;
mod drafts;
mod items;
mod openings;
mod payments;
mod planned_payments;
mod plans;
mod refunds;
mod reminders;
mod reminders_at_random;
mod reminders_of_openings;
mod scenario;
mod telling;
mod values;
mod world;
