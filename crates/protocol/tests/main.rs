//! The protocol from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/redact.rs"]
mod redact;
