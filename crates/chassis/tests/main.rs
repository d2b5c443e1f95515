//! The chassis from outside: a small program over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/apart.rs"]
mod apart;
#[path = "main/attacks.rs"]
mod attacks;
#[path = "main/callers.rs"]
mod callers;
#[path = "main/calls.rs"]
mod calls;
#[path = "main/door.rs"]
mod door;
#[path = "main/logs.rs"]
mod logs;
#[path = "main/pki.rs"]
mod pki;
#[path = "main/probe.rs"]
mod probe;
#[path = "main/redact.rs"]
mod redact;
#[path = "main/reload.rs"]
mod reload;
#[path = "main/stopping.rs"]
mod stopping;
#[path = "main/telemetry.rs"]
mod telemetry;
#[path = "main/tls.rs"]
mod tls;
