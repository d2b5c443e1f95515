//! `[telemetry]`: what is recorded, and which collector gets it; `[log]`: how the process logs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use config::{Findings, Seconds, Secret};

use crate::headers::OtlpHeaders;

/// `[telemetry]`. The variables of the OpenTelemetry specification that set a key stand in `docs/telemetry.md`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Whether there is no telemetry at all: nothing is recorded, pushed or shown on the admin port.
    pub disabled: bool,
    /// The collector, by OTLP over gRPC: `https://host:port`, or `http://host:port` for plain text, e.g.
    /// `http://127.0.0.1:4317`; nothing is pushed if the key is absent.
    pub otlp_endpoint: Option<String>,
    /// Headers of every export: a secret for each name (`{ authorization = { env = "..." } }`), or one secret that lists
    /// them as `name=value,name=value` with percent-encoded values.
    pub headers: OtlpHeaders,
    /// Certificates (PEM, by reference) that the collector's must be signed by; else the system's.
    pub ca: Option<Secret>,
    /// The certificate to show to the collector (PEM, by reference).
    pub certificate: Option<Secret>,
    /// The private key of `certificate` (PEM, by reference).
    pub key: Option<Secret>,
    /// How long the collector may take for one export.
    pub timeout_seconds: Seconds,
    /// How exports are compressed.
    pub compression: OtlpCompression,
    /// `[telemetry.traces]`: what is different for spans.
    pub traces: SignalSettings,
    /// `[telemetry.metrics]`: what is different for metrics.
    pub metrics: SignalSettings,
    /// Name of the process in traces and metrics (`service.name`); else that of the program.
    pub service_name: Option<String>,
    /// More attributes of the process in traces and metrics, e.g. `{ "deployment.environment.name" = "production" }`.
    pub resource: BTreeMap<String, String>,
    /// Where spans go.
    pub traces_exporter: Exporter,
    /// Where metrics are pushed to; the admin port shows them in any case.
    pub metrics_exporter: Exporter,
    /// Time from one push of metrics to the next.
    pub metrics_interval_seconds: Seconds,
    /// Whether a pushed count is that since the start or that since the last push.
    pub metrics_temporality: MetricsTemporality,
    /// In which forms a trace travels on.
    pub propagators: Vec<Propagator>,
    /// Share of the traces that begin here and are kept.
    pub sampling_ratio: f64,
    /// Whether the decision of a caller that sends a trace is followed; if not, `sampling_ratio` decides for every call.
    pub follow_callers: bool,
    /// Whether spans that end in error are kept though their trace was not chosen. Then every span is recorded, which
    /// costs a few microseconds per call.
    pub keep_errors: bool,
    /// How many milliseconds a span takes to be kept though its trace was not chosen; it costs the same.
    pub keep_slower_than_ms: Option<u64>,
    /// Spans that may wait for the collector; those beyond are lost and counted.
    pub queue_spans: usize,
    /// Spans that are sent together, at most; 512, as other SDKs have it, cost almost 2 MiB and are no faster.
    pub batch_spans: usize,
    /// How long spans wait for others to be sent with.
    pub batch_delay_seconds: Seconds,
}

/// `[telemetry.traces]` and `[telemetry.metrics]`: each key takes the place of the one in `[telemetry]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignalSettings {
    /// The collector.
    pub otlp_endpoint: Option<String>,
    /// Headers, instead of those of `[telemetry]`.
    pub headers: Option<OtlpHeaders>,
    /// Certificates that the collector's must be signed by.
    pub ca: Option<Secret>,
    /// The certificate to show to the collector.
    pub certificate: Option<Secret>,
    /// The private key of `certificate`.
    pub key: Option<Secret>,
    /// How long the collector may take for one export.
    pub timeout_seconds: Option<Seconds>,
    /// How exports are compressed.
    pub compression: Option<OtlpCompression>,
}

/// How exports are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtlpCompression {
    /// Not at all.
    #[default]
    None,
    /// By gzip.
    Gzip,
}

/// Where a signal goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Exporter {
    /// To the collector.
    #[default]
    Otlp,
    /// Nowhere.
    None,
}

/// What a pushed count counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricsTemporality {
    /// The start of the process.
    #[default]
    Cumulative,
    /// The last push.
    Delta,
    /// The last push, for the instruments that then need less memory.
    LowMemory,
}

/// A form in which a trace travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Propagator {
    /// `traceparent` and `tracestate` (W3C Trace Context).
    TraceContext,
    /// `baggage` (W3C Baggage); known because it is part of the usual setting, but nothing of it is kept or sent on.
    Baggage,
}

/// `[log]`. Lines go to standard error; those of INFO and below may wait 20 ms for company, which a killed process loses.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// JSON for machines or text for people.
    pub format: LogFormat,
    /// A level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or a filter in the syntax of tracing-subscriber's
    /// `EnvFilter`, e.g. `warn,ispbridge_gateway=debug`; a word that names no level and no crate of the program is refused.
    /// Libraries that print bytes stay at INFO.
    pub level: String,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Coloured lines for a terminal.
    Text,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            disabled: false,
            otlp_endpoint: None,
            headers: OtlpHeaders::default(),
            ca: None,
            certificate: None,
            key: None,
            timeout_seconds: Seconds::whole(10),
            compression: OtlpCompression::None,
            traces: SignalSettings::default(),
            metrics: SignalSettings::default(),
            service_name: None,
            resource: BTreeMap::new(),
            traces_exporter: Exporter::Otlp,
            metrics_exporter: Exporter::Otlp,
            metrics_interval_seconds: Seconds::whole(60),
            metrics_temporality: MetricsTemporality::Cumulative,
            propagators: vec![Propagator::TraceContext],
            sampling_ratio: 1.0,
            follow_callers: true,
            keep_errors: false,
            keep_slower_than_ms: None,
            queue_spans: 2048,
            batch_spans: 128,
            batch_delay_seconds: Seconds::whole(5),
        }
    }
}

impl TelemetrySettings {
    /// Says what is wrong with its figures.
    pub(crate) fn check(&self, findings: &mut Findings) {
        let mut wrong = |key: &str, problem: &str| findings.mistake(format!("telemetry.{key}"), problem);
        if !(0.0..=1.0).contains(&self.sampling_ratio) {
            wrong("sampling_ratio", "must be between 0 and 1");
        }
        if self.batch_spans == 0 || self.queue_spans < self.batch_spans {
            wrong("batch_spans", "must be at least 1 and at most telemetry.queue_spans");
        }
        if self.metrics_interval_seconds.0.is_zero() {
            wrong("metrics_interval_seconds", "must be more than 0");
        }
        if self.service_name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            wrong("service_name", "must not be empty");
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}
