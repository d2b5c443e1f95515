//! What telemetry reads of a configuration.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

#[path = "main/variables.rs"]
mod variables;
