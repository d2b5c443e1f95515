//! Traces and metrics of one process: OTLP if an endpoint is configured, Prometheus always.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter},
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{PeriodicReader, SdkMeterProvider},
    resource::TelemetryResourceDetector,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor, TracerProviderBuilder},
};
use prometheus::{Registry, TextEncoder};
use tokio::sync::oneshot;

use config::Error;
use protocol::names;

use crate::{
    durations::Durations,
    exemplars::Exemplars,
    export::{self, Counted, Losses},
    keep::{Keep, Recording},
    openmetrics::OpenMetrics,
    otlp,
    propagation::TraceContext,
    settings::{Propagator, TelemetrySettings},
    time_breakdown::TimeBreakdown,
};

/// How long the last spans and numbers may take to leave.
const FLUSH: Duration = Duration::from_secs(3);

/// The providers of one process and what is made of them once.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    registry: Registry,
    exemplars: Exemplars,
    /// Makes spans.
    pub tracer: SdkTracer,
    /// Makes instruments.
    pub meter: Meter,
    /// Reads and writes the headers by which a trace travels.
    pub propagator: Arc<TextMapCompositePropagator>,
    /// The numbers that every process keeps.
    pub instruments: Instruments,
}

/// The numbers that every process keeps.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// How long calls took.
    pub duration: Durations,
    /// Calls that are worked on.
    pub in_flight: UpDownCounter<i64>,
    /// Calls whose handler panicked.
    pub panics: Counter<u64>,
    /// Where calls spent their time.
    pub time: Arc<TimeBreakdown>,
    reloads: Counter<u64>,
    reload_delay: Histogram<f64>,
    given_up: Counter<u64>,
}

/// Makes a processor of unknown type acceptable to the provider's builder.
#[derive(Debug)]
struct Boxed(Box<dyn SpanProcessor>);

impl Telemetry {
    /// Makes the providers of a process; `extra` takes the finished spans beside any configured exporter.
    ///
    /// # Errors
    /// A collector that cannot be spoken to as the settings say.
    pub fn new(
        name: &'static str,
        settings: &TelemetrySettings,
        extra: Option<Box<dyn SpanProcessor>>,
    ) -> Result<Self, Error> {
        let resource = resource(name, settings);
        let registry = Registry::new();
        let metrics = meter_provider(name, settings, &registry, resource.clone())?;
        let meter = metrics.meter(names::SCOPE);
        let lost = meter.u64_counter(names::SPANS_LOST).with_description("Spans that no collector got").build();
        let spans = otlp::spans(settings)?;
        let exported = !settings.disabled && (spans.is_some() || extra.is_some());
        let keep = Keep::of(settings).filter(|_| exported);
        let exemplars = Exemplars::new(exported, keep);
        let spans = spans.map(|exporter| Losses::new(name, lost).batched(exporter, settings));
        let traces = tracer_provider(settings, spans, extra, keep, resource);
        Ok(Self {
            tracer: traces.tracer(names::SCOPE),
            propagator: Arc::new(propagator(settings)),
            instruments: Instruments::new(&meter, &exemplars),
            traces,
            metrics,
            registry,
            exemplars,
            meter,
        })
    }

    /// Makes a histogram of call durations whose buckets have exemplars.
    pub fn durations(&self, name: &'static str, description: &'static str) -> Durations {
        Durations::new(&self.meter, &self.exemplars, name, description)
    }

    /// Shows what replies hold.
    pub fn watch_memory(&self, taken: impl Fn() -> usize + Send + Sync + 'static) {
        self.meter
            .u64_observable_gauge(names::REPLY_MEMORY)
            .with_unit("By")
            .with_description("Replies that are made and not sent yet")
            .with_callback(move |gauge| gauge.observe(taken() as u64, &[]))
            .build();
    }

    /// All numbers in the text format of Prometheus.
    ///
    /// # Errors
    /// Numbers that the format cannot hold.
    pub fn scrape(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// All numbers in the text of OpenMetrics, which has exemplars.
    pub fn open_metrics(&self) -> String {
        OpenMetrics { families: &self.registry.gather(), exemplars: &self.exemplars }.to_string()
    }

    /// Sends what is left, for as long as it may take but at most three seconds. The SDK blocks, for metrics without a limit of its own, and a runtime would
    /// wait for a blocking task of its own when it ends: so this is a thread that nobody waits for longer than that.
    pub async fn shut_down(&self, limit: Duration) {
        let limit = limit.min(FLUSH);
        let (traces, metrics) = (self.traces.clone(), self.metrics.clone());
        let (done, end) = oneshot::channel();
        std::thread::spawn(move || {
            // A collector that is gone must not keep a process from ending; the exporter has logged it.
            let _ = traces.shutdown_with_timeout(limit);
            let _ = metrics.shutdown_with_timeout(limit);
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(limit, end).await;
    }
}

impl Instruments {
    fn new(meter: &Meter, exemplars: &Exemplars) -> Self {
        Self {
            duration: Durations::new(meter, exemplars, names::SERVER_DURATION, "Duration of calls served"),
            in_flight: meter.i64_up_down_counter(names::IN_FLIGHT).with_description("Calls being worked on").build(),
            panics: meter.u64_counter(names::PANICS).with_description("Calls whose handler panicked").build(),
            reloads: meter
                .u64_counter(names::RELOADS)
                .with_description("Attempts to take a configuration or another file that was read again")
                .build(),
            reload_delay: meter
                .f64_histogram(names::RELOAD_DELAY)
                .with_unit("s")
                .with_description("From a change of a file to its taking")
                .with_boundaries(names::DELAY_BUCKETS.into())
                .build(),
            time: Arc::new(TimeBreakdown::new(meter)),
            given_up: meter
                .u64_counter(names::GIVEN_UP)
                .with_description("Connections and replies that were given up")
                .build(),
        }
    }

    /// Counts an attempt to take a configuration, or another `source`, that was read again.
    pub fn count_reload(&self, source: &'static str, result: &'static str) {
        self.reloads.add(1, &[KeyValue::new(names::RESULT, result), KeyValue::new(names::SOURCE, source)]);
    }

    /// Records how long it took from a change of a `source` to its taking.
    pub fn record_reload_delay(&self, source: &'static str, delay: Duration) {
        self.reload_delay.record(delay.as_secs_f64(), &[KeyValue::new(names::SOURCE, source)]);
    }

    /// Counts a connection or a reply that was given up.
    pub fn give_up(&self, reason: &'static str) {
        self.given_up.add(1, &[KeyValue::new(names::REASON, reason)]);
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

/// What the process says of itself; the SDK's own detectors would read the environment past the configuration.
fn resource(name: &'static str, settings: &TelemetrySettings) -> Resource {
    let named = settings.service_name.clone().unwrap_or_else(|| name.to_owned());
    let more = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes([KeyValue::new("service.name", named)])
        .with_attributes(more)
        .build()
}

fn tracer_provider(
    settings: &TelemetrySettings,
    spans: Option<Counted>,
    extra: Option<Box<dyn SpanProcessor>>,
    keep: Option<Keep>,
    resource: Resource,
) -> SdkTracerProvider {
    let off = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff);
    if settings.disabled {
        return off.build();
    }
    // Without an exporter a trace that begins here is not worth recording; a caller's decision travels on all the same.
    let root = match (&spans, &extra) {
        (None, None) => Sampler::AlwaysOff,
        _ => Sampler::TraceIdRatioBased(settings.sampling_ratio),
    };
    let sampler = match settings.follow_callers {
        true => Sampler::ParentBased(Box::new(root)),
        false => root,
    };
    let builder = match keep {
        Some(_) => off.with_resource(resource).with_sampler(Recording(sampler)),
        None => off.with_resource(resource).with_sampler(sampler),
    };
    let spans = spans.map(|spans| Boxed(Box::new(spans)));
    let processors = spans.into_iter().chain(extra.map(Boxed));
    let add = |builder: TracerProviderBuilder, processor| match keep {
        Some(keep) => builder.with_span_processor(keep.before(processor)),
        None => builder.with_span_processor(processor),
    };
    processors.fold(builder, add).build()
}

fn meter_provider(
    name: &'static str,
    settings: &TelemetrySettings,
    registry: &Registry,
    resource: Resource,
) -> Result<SdkMeterProvider, Error> {
    let builder = SdkMeterProvider::builder().with_resource(resource);
    if settings.disabled {
        return Ok(builder.build());
    }
    let prometheus = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| Error::Telemetry(error.to_string()))?;
    let mut builder = builder.with_reader(prometheus);
    if let Some(exporter) = otlp::metrics(settings)? {
        let reader = PeriodicReader::builder(export::reported(name, exporter));
        builder = builder.with_reader(reader.with_interval(settings.metrics_interval_seconds.0).build());
    }
    Ok(builder.build())
}

fn propagator(settings: &TelemetrySettings) -> TextMapCompositePropagator {
    let travels = settings.propagators.contains(&Propagator::TraceContext);
    let form = || Box::new(TraceContext::new()) as Box<dyn TextMapPropagator + Send + Sync>;
    TextMapCompositePropagator::new(travels.then(form).into_iter().collect())
}
