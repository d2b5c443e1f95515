//! Histograms of call durations whose usual attributes are looked up once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram, Meter},
};

use crate::names;

/// Methods whose attributes are kept; what comes beyond is looked up each time.
const METHODS: usize = 2000;

/// A histogram of seconds in which calls that go well cost no search for their attributes: the SDK hashes all of them, in
/// every one of its readers.
#[derive(Clone)]
pub struct Durations {
    histogram: Histogram<f64>,
    well: Arc<RwLock<HashMap<Box<str>, BoundHistogram<f64>>>>,
}

impl Durations {
    /// Makes the histogram with the boundaries of the semantic conventions.
    #[must_use]
    pub fn new(meter: &Meter, name: &'static str, description: &'static str) -> Self {
        let histogram = meter
            .f64_histogram(name)
            .with_unit("s")
            .with_description(description)
            .with_boundaries(names::DURATION_BUCKETS.to_vec())
            .build();
        Self { histogram, well: Arc::default() }
    }

    /// Records any call.
    pub fn record(&self, took: Duration, labels: &[KeyValue]) {
        self.histogram.record(took.as_secs_f64(), labels);
    }

    /// Records a call that went well; the labels must be the same for every such call of the method, and are asked for once.
    pub fn record_well(&self, method: &str, took: Duration, labels: impl FnOnce() -> Vec<KeyValue>) {
        let known = self.well.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(method) {
            Some(bound) => bound.record(took.as_secs_f64()),
            None => {
                drop(known);
                self.record_first(method, took, &labels());
            }
        }
    }

    fn record_first(&self, method: &str, took: Duration, labels: &[KeyValue]) {
        self.record(took, labels);
        let mut known = self.well.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < METHODS {
            known.entry(method.into()).or_insert_with(|| self.histogram.bind(labels));
        }
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Durations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use prometheus::{Registry, TextEncoder};

    use super::*;

    #[test]
    fn a_kept_set_of_attributes_counts_as_if_it_were_looked_up() {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let durations = Durations::new(&provider.meter("test"), "took", "took");
        let labels = || vec![KeyValue::new("method", "a"), KeyValue::new("code", "OK")];
        for _ in 0..3 {
            durations.record_well("a", Duration::from_millis(20), labels);
        }
        durations.record_well("b", Duration::from_millis(20), || vec![KeyValue::new("method", "b")]);
        durations.record(Duration::from_millis(20), &labels());
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let counts: Vec<_> = text.lines().filter(|line| line.starts_with("took_seconds_count")).collect();
        assert_eq!(counts.len(), 2, "{text}");
        let count = |method: &str| {
            let line = counts.iter().find(|line| line.contains(&format!("method=\"{method}\""))).unwrap();
            line.rsplit_once(' ').unwrap().1
        };
        assert_eq!((count("a"), count("b")), ("4", "1"), "{text}");
    }
}
