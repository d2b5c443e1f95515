//! The quota of one principal and its usage.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use super::{bucket::Bucket, gate::Gate};
use crate::limits::Usage;

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

/// The quota of one principal.
#[derive(Debug)]
pub(crate) struct Quota {
    name: Arc<str>,
    gate: Gate,
    bucket: Bucket,
}

/// The quotas of all principals by name, reused while anything holds them, so that they survive a reload.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<Arc<str>, Weak<Quota>>>);

/// A permit for one call of a principal, returned on drop.
#[derive(Debug)]
pub(crate) struct QuotaPermit(Arc<Quota>);

impl Quotas {
    /// The quota of a principal, which then has these limits.
    pub(crate) fn of(&self, name: &Arc<str>, limits: QuotaLimits) -> Arc<Quota> {
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = quotas.get(name).and_then(Weak::upgrade) {
            quota.set(limits);
            return quota;
        }
        if quotas.len() == quotas.capacity() {
            quotas.retain(|_, quota| quota.strong_count() > 0);
        }
        let quota = Arc::new(Quota::new(Arc::clone(name), limits));
        quotas.insert(Arc::clone(name), Arc::downgrade(&quota));
        quota
    }

    /// How many names are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The levels of those that are known, by name.
    pub(super) fn usages(&self) -> Vec<(Arc<str>, Usage)> {
        let quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut usages: Vec<_> =
            quotas.iter().filter_map(|(name, quota)| Some((Arc::clone(name), quota.upgrade()?.usage()))).collect();
        usages.sort_by(|(one, _), (other, _)| one.cmp(other));
        usages
    }
}

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

    pub(super) fn enter(self: &Arc<Self>) -> Result<QuotaPermit, usize> {
        self.gate.enter().map(|()| QuotaPermit(Arc::clone(self)))
    }

    pub(super) fn take(&self) -> Result<(), Duration> {
        self.bucket.take()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { in_flight: self.gate.inside(), limit: Some(self.gate.limit()) }
    }
}

impl Drop for QuotaPermit {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}
