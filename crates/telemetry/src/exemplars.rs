//! Exemplars: for each bucket of a histogram the latest call whose span a collector gets.
//!
//! The SDK samples none. What is kept is bounded by [`MOST`]: 15 buckets of about 60 bytes for each set of labels.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanId, TraceId},
};
use prometheus::proto::Metric;

use crate::keep::Keep;
use protocol::names::DURATION_BUCKETS;

/// Sets of labels that have exemplars, in all histograms of a process; those that come later have none.
const MOST: usize = 2000;

/// The exemplars of a process.
#[derive(Clone, Debug)]
pub(crate) struct Exemplars(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Whether spans go anywhere.
    exported: bool,
    keep: Option<Keep>,
    latest: RwLock<HashMap<Series, Arc<Latest>>>,
}

/// A histogram and a set of its labels, as a scraper sees them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Series {
    family: String,
    labels: BTreeMap<String, String>,
}

/// The latest call of each bucket; the last one is that without a bound.
#[derive(Debug, Default)]
pub(crate) struct Latest([Mutex<Option<Exemplar>>; DURATION_BUCKETS.len() + 1]);

/// One call of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) seconds: f64,
    pub(crate) at: SystemTime,
}

impl Exemplars {
    pub(crate) fn new(exported: bool, keep: Option<Keep>) -> Self {
        Self(Arc::new(Inner { exported, keep, latest: RwLock::default() }))
    }

    /// Whether a collector gets the span of a call: its trace was chosen, or it is kept for how it ended. The span itself
    /// ends a little later than the call, so that of a call that was slow enough certainly is.
    pub(crate) fn is_traced(&self, span: &SpanContext, failed: bool, took: Duration) -> bool {
        let kept = || self.0.keep.is_some_and(|keep| keep.wants(failed, took));
        self.0.exported && (span.is_sampled() || kept())
    }

    /// The place for the exemplars of a series, while there is room for more.
    pub(crate) fn begin(&self, series: Series) -> Option<Arc<Latest>> {
        let mut latest = self.0.latest.write().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= MOST && !latest.contains_key(&series) {
            return None;
        }
        Some(latest.entry(series).or_default().clone())
    }

    /// The exemplars of a series.
    pub(crate) fn of(&self, series: &Series) -> Option<Arc<Latest>> {
        self.0.latest.read().unwrap_or_else(PoisonError::into_inner).get(series).cloned()
    }
}

impl Series {
    /// The series of a histogram that is measured with these attributes.
    pub(crate) fn of_attributes(family: &str, attributes: &[KeyValue]) -> Self {
        let label = |pair: &KeyValue| (Self::spelled(pair.key.as_str()), pair.value.to_string());
        Self { family: family.to_owned(), labels: attributes.iter().map(label).collect() }
    }

    /// The series of a metric that the exporter made; it adds labels that name the scope.
    pub(crate) fn of_metric(family: &str, metric: &Metric) -> Self {
        let own = metric.get_label().iter().filter(|label| !label.name().starts_with("otel_scope_"));
        let labels = own.map(|label| (label.name().to_owned(), label.value().to_owned())).collect();
        Self { family: family.to_owned(), labels }
    }

    /// A name of OpenTelemetry's as the exporter spells it.
    pub(crate) fn spelled(name: &str) -> String {
        name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
    }
}

impl Latest {
    /// Takes note of a call. It waits for nobody: if the place is just being written or read, this call is not noted.
    pub(crate) fn note(&self, span: &SpanContext, seconds: f64) {
        let bucket = DURATION_BUCKETS.partition_point(|bound| *bound < seconds);
        if let Ok(mut place) = self.0[bucket].try_lock() {
            let (trace_id, span_id) = (span.trace_id(), span.span_id());
            *place = Some(Exemplar { trace_id, span_id, seconds, at: SystemTime::now() });
        }
    }

    /// The latest call of a bucket.
    pub(crate) fn of_bucket(&self, bucket: usize) -> Option<Exemplar> {
        *self.0.get(bucket)?.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As OpenMetrics writes it behind a sample; the labels have 63 of the 128 characters that they may have.
impl fmt::Display for Exemplar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, seconds, at } = self;
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        write!(out, " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {seconds} {at:.3}")
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceFlags, TraceState};

    use super::*;

    fn series(number: usize) -> Series {
        Series::of_attributes("took_seconds", &[KeyValue::new("rpc.method", number.to_string())])
    }

    #[test]
    fn there_is_room_for_so_many_series() {
        let exemplars = Exemplars::new(true, None);
        assert!((0..MOST).all(|number| exemplars.begin(series(number)).is_some()));
        assert!(exemplars.begin(series(MOST)).is_none() && exemplars.of(&series(MOST)).is_none());
        let (again, first) = (exemplars.begin(series(0)).unwrap(), exemplars.of(&series(0)).unwrap());
        assert!(Arc::ptr_eq(&again, &first));
        assert!(size_of::<Latest>() <= 15 * 64, "{}", size_of::<Latest>());
    }

    #[test]
    fn a_call_does_not_wait_for_a_place_that_is_taken() {
        let latest = Latest::default();
        let span = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, false, TraceState::NONE);
        let taken = latest.0[1].lock().unwrap();
        latest.note(&span, 0.006);
        drop(taken);
        assert!(latest.of_bucket(1).is_none());
        latest.note(&span, 0.006);
        assert_eq!(latest.of_bucket(1).unwrap().trace_id, TraceId::from(1));
        assert!(latest.of_bucket(15).is_none());
    }
}
