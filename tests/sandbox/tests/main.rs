//! The stand-in upstreams over real sockets.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

mod aex;
mod azotel;
mod azotel_functions;
mod freeside;
mod misbehaviour;
mod peers;
mod wire;
