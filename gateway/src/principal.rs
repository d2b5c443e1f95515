//! A caller that is known, whatever it was known by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicUsize},
};

use crate::policy::Grants;

/// A caller that is known.
#[derive(Debug, Default)]
pub(crate) struct Principal {
    /// Its name in logs and in the caller context: that of the configuration, or `issuer:subject`.
    pub(crate) name: Arc<str>,
    /// What it may do.
    pub(crate) grants: Grants,
    /// Calls in flight, by whatever credential.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// Most calls in flight.
    pub(crate) limit: usize,
}

/// Calls in flight by name, found again as long as anybody holds them, so that they outlive a reload.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<HashMap<Arc<str>, Weak<AtomicUsize>>>);

impl Counters {
    /// The counter of a principal.
    pub(crate) fn of(&self, name: &Arc<str>) -> Arc<AtomicUsize> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get(name).and_then(Weak::upgrade) {
            return counter;
        }
        if counters.len() == counters.capacity() {
            counters.retain(|_, counter| counter.strong_count() > 0);
        }
        let counter = Arc::default();
        counters.insert(Arc::clone(name), Arc::downgrade(&counter));
        counter
    }
}
