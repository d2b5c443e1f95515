//! Histograms of call durations, whose buckets name the trace of their latest call.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram, Meter},
    trace::SpanContext,
};
use tonic::Code;

use protocol::names;

use crate::{
    exemplars::{Exemplars, Latest, Series},
    instruments::BoundInstruments,
};

/// A histogram of seconds; a call costs no search for its attributes.
#[derive(Clone)]
pub struct Durations(Arc<Inner>);

struct Inner {
    histogram: Histogram<f64>,
    bound: BoundInstruments<Timer>,
    family: String,
    exemplars: Exemplars,
}

/// What calls of one set of attributes are measured with.
struct Timer {
    histogram: BoundHistogram<f64>,
    latest: Option<Arc<Latest>>,
}

/// A call that ended.
#[derive(Clone, Copy, Debug)]
pub struct Timed<'a> {
    /// With the code it stands for all attributes: the method, or another name where methods have none.
    pub name: &'a str,
    /// How the call ended.
    pub code: Code,
    /// How long it took.
    pub took: Duration,
    /// Its span.
    pub span: &'a SpanContext,
    /// Whether the span ends as an error.
    pub failed: bool,
}

impl Durations {
    /// Makes the histogram with the boundaries of the semantic conventions.
    pub(crate) fn new(meter: &Meter, exemplars: &Exemplars, name: &'static str, description: &'static str) -> Self {
        let histogram = meter
            .f64_histogram(name)
            .with_unit("s")
            .with_description(description)
            .with_boundaries(names::DURATION_BUCKETS.to_vec())
            .build();
        let family = format!("{}_seconds", Series::spelled(name));
        Self(Arc::new(Inner { histogram, bound: BoundInstruments::default(), family, exemplars: exemplars.clone() }))
    }

    /// Records a call; the labels must be the same for every call of that name and code, and are asked for once.
    pub fn record(&self, call: &Timed<'_>, labels: impl FnOnce() -> Vec<KeyValue>) {
        let measure = |timer: &Timer| {
            let seconds = call.took.as_secs_f64();
            timer.histogram.record(seconds);
            if let Some(latest) =
                timer.latest.as_ref().filter(|_| self.0.exemplars.is_traced(call.span, call.failed, call.took))
            {
                latest.note(call.span, seconds);
            }
        };
        self.0.bound.measure(names::code_name(call.code), call.name, measure, || Some(self.0.timer(&labels())));
    }
}

impl Inner {
    fn timer(&self, labels: &[KeyValue]) -> Timer {
        let series = Series::of_attributes(&self.family, labels);
        Timer { histogram: self.histogram.bind(labels), latest: self.exemplars.begin(series) }
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Durations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::{
        metrics::MeterProvider,
        trace::{SpanId, TraceFlags, TraceId, TraceState},
    };
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use prometheus::Registry;

    use super::*;
    use crate::{keep::Keep, openmetrics::OpenMetrics, settings::TelemetrySettings};

    /// A histogram and the registry that shows it.
    struct Bench {
        registry: Registry,
        _provider: SdkMeterProvider,
        exemplars: Exemplars,
        durations: Durations,
    }

    impl Bench {
        fn new(exemplars: Exemplars) -> Self {
            let registry = Registry::new();
            let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
            let provider = SdkMeterProvider::builder().with_reader(reader).build();
            let durations = Durations::new(&provider.meter("test"), &exemplars, "call.took", "took");
            Self { registry, _provider: provider, exemplars, durations }
        }

        /// A call whose trace has this number.
        fn call(&self, name: &str, code: Code, millis: u64, trace: u128, chosen: bool) {
            let flags = if chosen { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            let (trace, id) = (TraceId::from(trace), SpanId::from(7));
            let span = &SpanContext::new(trace, id, flags, false, TraceState::NONE);
            let (took, failed) = (Duration::from_millis(millis), code != Code::Ok);
            let labels =
                || vec![KeyValue::new("rpc.method", name.to_owned()), KeyValue::new("code", i64::from(code as i32))];
            self.durations.record(&Timed { name, code, took, span, failed }, labels);
        }

        fn text(&self) -> String {
            OpenMetrics { families: &self.registry.gather(), exemplars: &self.exemplars }.to_string()
        }

        /// The samples that have an exemplar: method, code, bound, and the number of the trace.
        fn traces(&self) -> Vec<(String, u128)> {
            let text = self.text();
            let exemplars = text.lines().filter_map(|line| line.split_once(" # {trace_id=\""));
            let found = exemplars.map(|(sample, exemplar)| {
                let labels: Vec<_> = sample.split('"').skip(1).step_by(2).collect();
                let [code, method, scope, bound] = labels[..] else { panic!("{sample}") };
                assert_eq!(scope, "test");
                (format!("{method} {code} {bound}"), u128::from_str_radix(&exemplar[..32], 16).unwrap())
            });
            found.collect()
        }
    }

    #[test]
    fn calls_count_by_name_and_code() {
        let bench = Bench::new(Exemplars::new(false, None));
        for (name, code) in [("a", Code::Ok), ("a", Code::Ok), ("a", Code::Internal), ("b", Code::Ok)] {
            bench.call(name, code, 20, 1, true);
        }
        let text = bench.text();
        let counts: Vec<_> = text.lines().filter(|line| line.starts_with("call_took_seconds_count")).collect();
        let count = |code: i32, name: &str, count: u8| {
            format!("call_took_seconds_count{{code=\"{code}\",rpc_method=\"{name}\",otel_scope_name=\"test\"}} {count}")
        };
        assert_eq!(counts, [count(0, "a", 2), count(0, "b", 1), count(13, "a", 1)]);
        assert_eq!(bench.traces(), [], "nobody gets its spans");
    }

    #[test]
    fn the_latest_chosen_call_of_a_bucket_is_its_exemplar() {
        let bench = Bench::new(Exemplars::new(true, None));
        // The first call is the one that makes the series.
        for (trace, millis, chosen) in [(1, 5, true), (2, 6, true), (3, 7, true), (4, 8, false), (5, 10_001, true)] {
            bench.call("a", Code::Ok, millis, trace, chosen);
        }
        bench.call("a", Code::Internal, 6, 6, true);
        bench.call("b", Code::Ok, 6, 7, false);
        let expected = [("a 0 0.005", 1), ("a 0 0.01", 3), ("a 0 +Inf", 5), ("a 13 0.01", 6)];
        assert_eq!(bench.traces(), expected.map(|(sample, trace)| (sample.to_owned(), trace)));
    }

    #[test]
    fn a_span_that_is_kept_for_its_end_is_an_exemplar_too() {
        let keep = |keep_errors, keep_slower_than_ms| {
            let settings = TelemetrySettings { keep_errors, keep_slower_than_ms, ..TelemetrySettings::default() };
            let bench = Bench::new(Exemplars::new(true, Keep::of(&settings)));
            for (trace, code, millis) in [(1, Code::Ok, 100), (2, Code::Ok, 101), (3, Code::Internal, 1)] {
                bench.call("a", code, millis, trace, false);
            }
            bench.traces().into_iter().map(|(_, trace)| trace).collect::<Vec<_>>()
        };
        assert_eq!(keep(true, None), [3]);
        assert_eq!(keep(false, Some(100)), [2]);
        assert_eq!(keep(true, Some(50)), [1, 2, 3]);
    }
}
