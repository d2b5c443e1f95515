//! A concurrency limit that never waits.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A limit on concurrent calls, which may change while calls are inside.
#[derive(Debug)]
pub(crate) struct Gate {
    inside: AtomicUsize,
    limit: AtomicUsize,
}

impl Gate {
    /// A gate with this limit.
    pub(crate) fn new(limit: usize) -> Self {
        Self { inside: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// Enters, or returns the limit.
    pub(crate) fn enter(&self) -> Result<(), usize> {
        let limit = self.limit.load(Relaxed);
        if self.inside.fetch_add(1, Relaxed) < limit {
            return Ok(());
        }
        self.leave();
        Err(limit)
    }

    /// Leaves.
    pub(crate) fn leave(&self) {
        self.inside.fetch_sub(1, Relaxed);
    }

    /// Calls inside.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Relaxed)
    }

    /// The limit.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Changes the limit; calls inside stay.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn places_are_given_back_and_their_number_may_change() {
        let gate = Gate::new(1);
        assert_eq!(gate.enter(), Ok(()));
        assert_eq!(gate.enter(), Err(1));
        gate.set_limit(2);
        assert_eq!(gate.enter(), Ok(()));
        gate.set_limit(1);
        gate.leave();
        assert_eq!((gate.enter(), gate.inside()), (Err(1), 1));
        gate.leave();
        assert_eq!(gate.enter(), Ok(()));
    }

    #[test]
    fn threads_never_share_a_place() {
        let (gate, crowded) = (Gate::new(2), AtomicBool::new(false));
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if gate.enter().is_ok() {
                            crowded.fetch_or(taken.fetch_add(1, Relaxed) >= 2, Relaxed);
                            taken.fetch_sub(1, Relaxed);
                            gate.leave();
                        }
                    }
                });
            }
        });
        assert!(!crowded.load(Relaxed));
        assert_eq!(gate.inside(), 0);
    }
}
