//! The suite from outside: every call goes through the gateway, a service and a stand-in upstream.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/aex.rs"]
mod aex;
#[path = "main/azotel.rs"]
mod azotel;
#[path = "main/banner.rs"]
mod banner;
#[path = "main/caller.rs"]
mod caller;
#[path = "main/command_line.rs"]
mod command_line;
#[path = "main/every_command.rs"]
mod every_command;
#[path = "main/freeside.rs"]
mod freeside;
#[path = "main/guarded.rs"]
mod guarded;
#[path = "../../../gateway/tests/main/issuer.rs"]
#[allow(dead_code, reason = "the gateway's tests need more of it")]
mod issuer;
#[path = "../../../crates/chassis/tests/main/pki.rs"]
#[allow(dead_code, reason = "the chassis' tests need more of it")]
mod pki;
#[path = "main/readme.rs"]
mod readme;
#[path = "main/refusals.rs"]
mod refusals;
#[path = "main/running.rs"]
mod running;
#[path = "main/site.rs"]
mod site;
