//! The conversions between messages and the domain.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod commands;
mod documents;
mod events;
mod filters;
mod follow_up;
mod money;
