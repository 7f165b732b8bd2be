//! Tests of the whole engine on one thread and on several.

mod durability;
mod forged;
mod recovery;
mod repeats;
mod room;
mod scripted;
mod secrecy;
mod stream;
mod support;
mod threads;
mod time;
