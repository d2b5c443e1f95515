//! Where calls spend their time: a counter of seconds by part and provider, whose attributes are looked up once.

use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter, Meter},
};

use crate::names;

/// Methods and parts that are kept; what comes beyond is looked up each time.
const KEPT: usize = 4000;

type ByMethod = HashMap<Box<str>, BoundCounter<f64>>;

/// Counts seconds by part and provider.
pub(crate) struct Spent {
    counter: Counter<f64>,
    kept: RwLock<HashMap<&'static str, ByMethod>>,
}

impl Spent {
    /// Makes the counter.
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = meter
            .f64_counter(names::TIME)
            .with_unit("s")
            .with_description("Seconds that calls spent, by where they spent them")
            .build();
        Self { counter, kept: RwLock::default() }
    }

    /// Adds what a call of a method spent in a part; a method of no provider is not counted.
    pub(crate) fn add(&self, part: &'static str, method: &str, took: Duration) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        match kept.get(part).and_then(|methods| methods.get(method)) {
            Some(bound) => bound.add(took.as_secs_f64()),
            None => {
                drop(kept);
                self.add_first(part, method, took);
            }
        }
    }

    fn add_first(&self, part: &'static str, method: &str, took: Duration) {
        let Some(provider) = names::provider(method) else {
            return;
        };
        let labels = [KeyValue::new(names::PART, part), KeyValue::new(names::PROVIDER, provider)];
        self.counter.add(took.as_secs_f64(), &labels);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.values().map(HashMap::len).sum::<usize>() < KEPT {
            kept.entry(part).or_default().entry(method.into()).or_insert_with(|| self.counter.bind(&labels));
        }
    }
}

impl fmt::Debug for Spent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Spent").finish_non_exhaustive()
    }
}
