//! What one principal takes, and may.

use std::{sync::Arc, time::Duration};

use super::{Level, bucket::Bucket, gate::Gate};

/// The limits of one principal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QuotaLimits {
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// Calls a second.
    pub(crate) rate: Option<f64>,
    /// Calls at once.
    pub(crate) burst: f64,
}

/// The numbers of one principal.
#[derive(Debug)]
pub(crate) struct Quota {
    name: Arc<str>,
    gate: Gate,
    bucket: Bucket,
}

/// A principal's place for one call, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Quota>);

impl Quota {
    /// Begins with nothing taken.
    pub(crate) fn new(name: Arc<str>, limits: QuotaLimits) -> Self {
        let quota = Self { name, gate: Gate::new(0), bucket: Bucket::new() };
        quota.set(limits);
        quota
    }

    pub(super) fn set(&self, limits: QuotaLimits) {
        self.gate.set_limit(limits.in_flight);
        self.bucket.set(limits.rate, limits.burst);
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn enter(self: &Arc<Self>) -> Result<Seat, usize> {
        self.gate.enter().map(|()| Seat(Arc::clone(self)))
    }

    pub(super) fn take(&self) -> Result<(), Duration> {
        self.bucket.take()
    }

    pub(super) fn level(&self) -> Level {
        Level { in_flight: self.gate.inside(), limit: Some(self.gate.limit()) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}
