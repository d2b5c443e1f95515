//! Messages <-> upstream wires, and what is known about each attempt.
//!
//! A provider's service takes a gRPC request, and this crate does the rest: the mapping tables
//! ([`table`]) turn the message into a neutral tree ([`node`]), a wire ([`wire`]) turns the tree into an
//! HTTP request, the outbound profile ([`http`]) sends it, and the way back is the same in reverse.
//! [`Upstream`] ties them together and decides what may be repeated. It knows no provider and no gRPC
//! server.

mod account;
mod account_health;
mod binary;
mod breaker;
mod call;
mod credential_guard;
mod detached;
mod dialects;
mod download;
mod farewell;
pub mod fault;
pub mod http;
mod login;
pub mod node;
pub mod problem;
mod provider;
mod retry;
pub mod session;
mod sign;
mod status;
pub mod table;
mod telemetry;
mod upstream;
pub mod wire;
pub mod xml;

pub use account::{AccountSetup, SetupError, account_problems};
pub use account_health::AccountStatus;
pub use call::Call;
pub use dialects::{DialectId, Dialects};
pub use download::Download;
pub use fault::Fault;
pub use node::Node;
pub use provider::{Outgoing, Provider};
pub use telemetry::Telemetry;
pub use upstream::{Reply, Upstream};
