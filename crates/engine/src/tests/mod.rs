//! Tests of the whole engine on one thread and on several.

mod durability;
mod recovery;
mod repeats;
mod secrecy;
mod support;
mod threads;
mod time;
