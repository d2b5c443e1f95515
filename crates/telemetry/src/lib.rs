//! What a process tells of itself: spans and metrics, by OTLP and for Prometheus, and the log.
//!
//! This crate owns the settings of telemetry and log, the providers that a process has once ([`Telemetry`]), the instruments that
//! every process keeps, histograms whose buckets name a trace ([`Durations`]), and the log's filter and format ([`log`]). It
//! knows names and headers from `protocol` and settings from `config`. It does not know a listener, a connection or a process:
//! whoever serves calls records them here.

mod durations;
mod exemplars;
mod export;
mod extract;
mod headers;
mod instruments;
mod keep;
pub mod log;
mod openmetrics;
mod otlp;
mod propagation;
mod providers;
mod settings;
mod time_breakdown;

pub use durations::{Durations, Timed};
pub use extract::Headers;
pub use headers::OtlpHeaders;
pub use instruments::BoundInstruments;
pub use openmetrics::CONTENT_TYPE as OPEN_METRICS;
pub use otlp::check;
pub use propagation::push_hex;
pub use providers::{Instruments, Telemetry};
pub use settings::{
    Exporter, LogFormat, LogSettings, MetricsTemporality, OtlpCompression, Propagator, SignalSettings,
    TelemetrySettings,
};
pub use time_breakdown::TimeBreakdown;
