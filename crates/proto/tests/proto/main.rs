//! The conversions between messages and the domain.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod commands;
mod events;
mod money;
