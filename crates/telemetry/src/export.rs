//! What goes to the collector, and what is lost on the way: counted always, logged once in a while.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::{Context, KeyValue, metrics::Counter};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::settings::TelemetrySettings;
use protocol::names;

/// How often a failing collector is worth a line.
const SELDOM: Duration = Duration::from_secs(60);

/// Counts the spans that a collector did not get.
#[derive(Clone, Debug)]
pub(crate) struct Losses {
    process: &'static str,
    lost: Counter<u64>,
    waiting: Arc<AtomicUsize>,
}

/// Says that a collector did not get something.
#[derive(Debug)]
struct Report {
    process: &'static str,
    what: &'static str,
    silence: Mutex<Silence>,
}

/// Between two lines.
#[derive(Debug, Default)]
struct Silence {
    ends: Option<Instant>,
    unsaid: u64,
}

/// An exporter of numbers whose failures are reported.
#[derive(Debug)]
pub(crate) struct Reported<E> {
    inner: E,
    report: Report,
}

/// An exporter of spans whose failures are reported and counted.
#[derive(Debug)]
struct Counting<E> {
    inner: E,
    losses: Losses,
    report: Report,
}

/// The SDK's batches behind a queue whose overflow is counted.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: BatchSpanProcessor,
    losses: Losses,
    /// Spans that may wait.
    room: usize,
}

/// Watches an exporter of numbers.
pub(crate) fn reported<E>(process: &'static str, inner: E) -> Reported<E> {
    Reported { inner, report: Report::new(process, "metrics") }
}

impl Losses {
    pub(crate) fn new(process: &'static str, lost: Counter<u64>) -> Self {
        Self { process, lost, waiting: Arc::default() }
    }

    /// Puts an exporter of spans behind a queue.
    pub(crate) fn batched<E: SpanExporter + 'static>(&self, inner: E, settings: &TelemetrySettings) -> Counted {
        let exporter = Counting { inner, losses: self.clone(), report: Report::new(self.process, "spans") };
        // The SDK's own queue has the same size and would drop without a word.
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_spans)
            .with_max_export_batch_size(settings.batch_spans)
            .with_scheduled_delay(settings.batch_delay_seconds.0);
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build();
        Counted { inner, losses: self.clone(), room: settings.queue_spans }
    }

    fn lose(&self, spans: usize, reason: &'static str) {
        self.lost.add(spans as u64, &[KeyValue::new(names::REASON, reason)]);
    }
}

impl Report {
    fn new(process: &'static str, what: &'static str) -> Self {
        Self { process, what, silence: Mutex::default() }
    }

    fn result(&self, result: &OTelSdkResult) {
        let Err(error) = result else {
            return;
        };
        if matches!(error, OTelSdkError::AlreadyShutdown) {
            return;
        }
        if let Some(unsaid) = self.silence.lock().unwrap_or_else(PoisonError::into_inner).breaks(Instant::now()) {
            let Self { process, what, .. } = self;
            tracing::warn!(process, what, %error, unsaid, "the collector did not take what was sent");
        }
    }
}

impl Silence {
    /// How many lines were not written since the last, if it is time for another.
    fn breaks(&mut self, now: Instant) -> Option<u64> {
        if self.ends.is_some_and(|ends| now < ends) {
            self.unsaid += 1;
            return None;
        }
        self.ends = Some(now + SELDOM);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.losses.waiting.fetch_sub(count, Ordering::Relaxed);
        let result = self.inner.export(batch).await;
        if result.is_err() {
            self.losses.lose(count, "export_failed");
        }
        self.report.result(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Reported<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.report.result(&result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.losses.waiting.fetch_add(1, Ordering::Relaxed) >= self.room {
            self.losses.waiting.fetch_sub(1, Ordering::Relaxed);
            self.losses.lose(1, "queue_full");
            return;
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use opentelemetry::{
        metrics::MeterProvider,
        trace::{Tracer, TracerProvider},
    };
    use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
    use prometheus::{Registry, TextEncoder};

    use super::*;

    /// A collector that takes nothing, or takes its time until it is told to go on.
    #[derive(Debug)]
    enum Bad {
        Refuses,
        Waits(Mutex<mpsc::Receiver<()>>),
    }

    impl SpanExporter for Bad {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self {
                Self::Refuses => Err(OTelSdkError::InternalFailure("refused".to_owned())),
                Self::Waits(end) => {
                    // An error is the end as well.
                    let _ = end.lock().unwrap().recv();
                    Ok(())
                }
            }
        }
    }

    struct Site {
        traces: SdkTracerProvider,
        registry: Registry,
        _metrics: SdkMeterProvider,
    }

    impl Site {
        fn new(exporter: Bad) -> Self {
            let registry = Registry::new();
            let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
            let metrics = SdkMeterProvider::builder().with_reader(reader).build();
            let losses = Losses::new("test", metrics.meter("test").u64_counter(names::SPANS_LOST).build());
            let traces = SdkTracerProvider::builder()
                .with_span_processor(losses.batched(exporter, &TelemetrySettings::default()))
                .build();
            Self { traces, registry, _metrics: metrics }
        }

        fn spans(&self, count: usize) {
            let tracer = self.traces.tracer("test");
            (0..count).for_each(|_| drop(tracer.start("span")));
        }

        fn lost(&self, reason: &str) -> usize {
            let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
            let line = text.lines().find(|line| line.starts_with("ispbridge_spans_lost") && line.contains(reason));
            line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        }
    }

    #[test]
    fn spans_that_a_collector_refuses_are_counted() {
        let site = Site::new(Bad::Refuses);
        site.spans(5);
        let _ = site.traces.force_flush();
        assert_eq!((site.lost("export_failed"), site.lost("queue_full")), (5, 0));
    }

    #[test]
    fn spans_that_find_no_place_in_the_queue_are_counted() {
        let (go_on, wait) = mpsc::channel();
        let site = Site::new(Bad::Waits(Mutex::new(wait)));
        let room = TelemetrySettings::default().queue_spans;
        site.spans(room * 3);
        let lost = site.lost("queue_full");
        // A batch may have been on its way already.
        assert!((room..=room * 2).contains(&lost), "{lost}");
        drop(go_on);
        let _ = site.traces.shutdown_with_timeout(Duration::from_secs(5));
    }

    #[test]
    fn a_failing_collector_is_worth_one_line_a_minute() {
        let mut silence = Silence::default();
        let now = Instant::now();
        assert_eq!(silence.breaks(now), Some(0));
        assert_eq!(silence.breaks(now + SELDOM / 2), None);
        assert_eq!(silence.breaks(now + SELDOM / 2), None);
        assert_eq!(silence.breaks(now + SELDOM), Some(2));
        assert_eq!(silence.breaks(now + SELDOM * 2), Some(0));
    }
}
