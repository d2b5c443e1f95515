//! Where calls spend their time: a counter of seconds by part and provider.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter, Meter},
};
use protocol::provider;

use protocol::names;

use crate::instruments::BoundInstruments;

/// Counts seconds by part and provider.
#[derive(Debug)]
pub struct TimeBreakdown {
    counter: Counter<f64>,
    bound: BoundInstruments<BoundCounter<f64>>,
}

impl TimeBreakdown {
    /// Makes the counter.
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = meter
            .f64_counter(names::TIME)
            .with_unit("s")
            .with_description("Seconds that calls spent, by where they spent them")
            .build();
        Self { counter, bound: BoundInstruments::default() }
    }

    /// Adds what a call of a method spent in a part; a method of no provider is not counted.
    /// Adds the time that a call of a method spent in a part.
    pub fn add(&self, part: &'static str, method: &str, took: Duration) {
        let count = |counter: &BoundCounter<f64>| counter.add(took.as_secs_f64());
        self.bound.measure(part, method, count, || self.bind(part, method));
    }

    fn bind(&self, part: &'static str, method: &str) -> Option<BoundCounter<f64>> {
        let provider = provider::of_name(method)?;
        Some(self.counter.bind(&[KeyValue::new(names::PART, part), KeyValue::new(names::PROVIDER, provider)]))
    }
}
