//! The single writer: decides commands and commits their events.
