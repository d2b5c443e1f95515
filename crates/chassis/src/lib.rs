//! A process of the suite: configuration, telemetry, hardened gRPC serving, health, reflection,
//! caller context and drain. A binary implements [`Program`] and calls [`main`]; everything that
//! is the same in every process lives here, and nothing here knows a provider or a wire.
//!
//! There are no globals but the log, the panic hook and the TLS provider, which [`main`] installs
//! ([`install_globals`]). Everything else is a value of a [`Process`], so that one operating
//! system process can run several programs under several names ([`start`]).

mod admin;
mod audit;
mod cli;
mod closing;
mod connection;
mod consul;
mod dependency;
mod descriptors;
mod door;
mod drain;
mod ended;
mod file_source;
mod globals;
mod health;
mod host;
mod layers;
mod listener;
pub mod message;
mod outflow;
pub mod output;
mod prepare;
mod process;
mod program;
mod record;
mod reflection;
mod refusals;
mod reload;
mod restarts;
mod running;
mod settings;
pub mod settings_reference;
mod surface;
mod tap;
mod tls;
mod watched;
mod watches;
mod workers;

pub use audit::{Change, Unaudited};
pub use cli::{completions, config_source, main};
pub use config::{
    ConfigSource, Document, Error, Findings, Lines, Mistake, Mistakes, Networks, Seconds, Secret, counted_address,
    parse_toml, read_entry,
};
pub use connection::peer::{Peer, PeerIdentity};
pub use consul::{CheckKind, Consul, ConsulAnswer, ConsulError, ConsulInstance, ConsulSettings};
pub use door::{Answering, Door, Inside};
pub use drain::Draining;
pub use ended::{Ended, Watch};
pub use file_source::{FileSource, SourceState};
pub use globals::install_globals;
pub use layers::notes::CallNotes;
pub use process::Process;
pub use program::Program;
use protocol::redact;
pub use protocol::{
    Body, Reason, caller,
    dependency::{Dependency, DependencyState, HEALTH_PREFIX},
    grpc::{is_grpc, not_grpc},
    names,
    redact::{Describe, RedactError, Redactor},
    timing::Timing,
    told,
};
pub use record::{ConfigState, Refusal};
pub use reflection::Reflection;
pub use refusals::{RefusalSummary, Refusals, RefusedAddress, RefusedConnections};
pub use running::{Running, StartOptions, start, start_with};
pub use settings::{
    AdminSettings, AuditSettings, CallerKey, CallersMode, CallersSettings, ForwardedHeader, ForwardedSettings, OnLoss,
    ProxyProtocolSettings, ServerSettings, Settings,
};
pub use surface::Surface;
pub use telemetry::{
    Durations, Exporter, LogFormat, LogSettings, MetricsTemporality, OtlpCompression, OtlpHeaders, Propagator,
    SignalSettings, TelemetrySettings, Timed,
};
pub use tls::{ClientAuth, TlsSettings};
pub use workers::Workers;
