//! Traces and metrics of one process: OTLP if an endpoint is configured, Prometheus always.

use std::time::Duration;

use opentelemetry::{
    Context, KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter},
    trace::TracerProvider,
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::SdkMeterProvider,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use prometheus::{Registry, TextEncoder};
use tokio::sync::oneshot;

use crate::{Error, TelemetrySettings, names};

/// How long the last spans and numbers may take to leave.
const FLUSH: Duration = Duration::from_secs(3);

const ENDPOINT: &str = "telemetry.otlp_endpoint";

/// The providers of one process and what is made of them once.
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    registry: Registry,
    pub(crate) tracer: SdkTracer,
    pub(crate) meter: Meter,
    pub(crate) instruments: Instruments,
}

/// The numbers that every process keeps.
#[derive(Clone, Debug)]
pub(crate) struct Instruments {
    pub(crate) duration: Histogram<f64>,
    pub(crate) in_flight: UpDownCounter<i64>,
    pub(crate) panics: Counter<u64>,
}

/// Makes a processor of unknown type acceptable to the provider's builder.
#[derive(Debug)]
struct Boxed(Box<dyn SpanProcessor>);

impl Telemetry {
    pub(crate) fn new(
        name: &'static str,
        settings: &TelemetrySettings,
        extra: Option<Box<dyn SpanProcessor>>,
    ) -> Result<Self, Error> {
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let traces = tracer_provider(settings, extra, resource.clone())?;
        let registry = Registry::new();
        let metrics = meter_provider(settings, &registry, resource)?;
        let meter = metrics.meter(names::SCOPE);
        Ok(Self {
            tracer: traces.tracer(names::SCOPE),
            instruments: Instruments::new(&meter),
            traces,
            metrics,
            registry,
            meter,
        })
    }

    /// All numbers in the text format of Prometheus.
    pub(crate) fn scrape(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Sends what is left, for at most [`FLUSH`]. The SDK blocks, for metrics without a limit of its own, and a runtime would
    /// wait for a blocking task of its own when it ends: so this is a thread that nobody waits for longer than that.
    pub(crate) async fn shut_down(&self) {
        let (traces, metrics) = (self.traces.clone(), self.metrics.clone());
        let (done, end) = oneshot::channel();
        std::thread::spawn(move || {
            // A collector that is gone must not keep a process from ending; the exporter has logged it.
            let _ = traces.shutdown_with_timeout(FLUSH);
            let _ = metrics.shutdown_with_timeout(FLUSH);
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(FLUSH, end).await;
    }
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        Self {
            duration: meter
                .f64_histogram(names::SERVER_DURATION)
                .with_unit("s")
                .with_description("Duration of calls served")
                .with_boundaries(names::DURATION_BUCKETS.to_vec())
                .build(),
            in_flight: meter.i64_up_down_counter(names::IN_FLIGHT).with_description("Calls being worked on").build(),
            panics: meter.u64_counter(names::PANICS).with_description("Calls whose handler panicked").build(),
        }
    }
}

impl SpanProcessor for Boxed {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn tracer_provider(
    settings: &TelemetrySettings,
    extra: Option<Box<dyn SpanProcessor>>,
    resource: Resource,
) -> Result<SdkTracerProvider, Error> {
    // Without an exporter a trace that begins here is not worth recording; a caller's decision travels on all the same.
    let root = match (&settings.otlp_endpoint, &extra) {
        (None, None) => Sampler::AlwaysOff,
        _ => Sampler::TraceIdRatioBased(settings.sampling_ratio),
    };
    let mut builder =
        SdkTracerProvider::builder().with_resource(resource).with_sampler(Sampler::ParentBased(Box::new(root)));
    if let Some(endpoint) = &settings.otlp_endpoint {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| Error::config(ENDPOINT, error))?;
        builder = builder.with_batch_exporter(exporter);
    }
    if let Some(processor) = extra {
        builder = builder.with_span_processor(Boxed(processor));
    }
    Ok(builder.build())
}

fn meter_provider(
    settings: &TelemetrySettings,
    registry: &Registry,
    resource: Resource,
) -> Result<SdkMeterProvider, Error> {
    let prometheus = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| Error::Telemetry(error.to_string()))?;
    let mut builder = SdkMeterProvider::builder().with_resource(resource).with_reader(prometheus);
    if let Some(endpoint) = &settings.otlp_endpoint {
        let exporter = opentelemetry_otlp::MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| Error::config(ENDPOINT, error))?;
        builder = builder.with_periodic_exporter(exporter);
    }
    Ok(builder.build())
}
