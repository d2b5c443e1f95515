//! A process of the suite: configuration, telemetry, hardened gRPC serving, health, reflection,
//! caller context and drain. A binary implements [`Program`] and calls [`main`]; everything that
//! is the same in every process lives here, and nothing here knows a provider or a wire.
//!
//! There are no globals but the log, the panic hook and the TLS provider, which [`main`] installs
//! ([`install_globals`]). Everything else is a value of a [`Process`], so that one operating
//! system process can run several programs under several names ([`start`]).

mod admin;
mod audit;
mod audited;
mod cli;
mod config_status;
mod consul;
mod file_source;
mod globals;
pub mod output;
mod prepare;
mod process;
mod program;
mod registration;
mod reload;
mod restarts;
mod running;
mod schema;
mod settings;
pub mod settings_reference;
mod tap;
mod watched;

pub use audit::{Change, Unaudited};
pub use cli::{completions, config_source, main};
pub use config::Error;
pub use config_status::{ConfigState, Refusal, SourceState};
pub use consul::{CheckKind, Consul, ConsulAnswer, ConsulError, ConsulInstance, ConsulSettings};
pub use file_source::FileSource;
pub use globals::install_globals;
pub use process::Process;
pub use program::Program;
pub use running::{Running, StartOptions, start, start_with};
pub use serving::ServiceSet;
pub use settings::{AdminSettings, AuditSettings, CallerKey, CallersMode, CallersSettings, OnLoss, Settings};
