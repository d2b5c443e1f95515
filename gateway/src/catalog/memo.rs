//! A bounded cache of values that are expensive to compute.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Capacity; a further entry clears the cache.
const MOST: usize = 64;

/// Values by the key they were computed from.
pub(super) struct Memo<K, V>(Mutex<HashMap<K, Arc<OnceLock<V>>>>);

impl<K: Clone + Eq + Hash, V: Clone> Memo<K, V> {
    /// The value of a key, computed if it is missing; only callers of the same key wait for that.
    pub(super) fn get(&self, key: &K, make: impl FnOnce() -> V) -> V {
        self.place(key).get_or_init(make).clone()
    }

    fn place(&self, key: &K) -> Arc<OnceLock<V>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(key) {
            return Arc::clone(place);
        }
        if places.len() >= MOST {
            places.clear();
        }
        Arc::clone(places.entry(key.clone()).or_default())
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_made_once_and_only_so_many_are_kept() {
        let memo = Memo::default();
        let mut made = 0;
        for key in (0..MOST).chain(0..MOST) {
            let thing = memo.get(&key, || {
                made += 1;
                key * 2
            });
            assert_eq!(thing, key * 2);
        }
        assert_eq!(made, MOST);
        memo.get(&MOST, || 0);
        assert_eq!(memo.0.lock().unwrap().len(), 1);
    }
}
