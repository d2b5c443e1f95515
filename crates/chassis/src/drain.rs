//! Stopping in order: first the word, then the work, and an end in any case.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

/// A handle that says whether the process is stopping, and wakes who waits for it.
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<bool>);

/// The hand on the switch behind every [`Draining`].
#[derive(Debug)]
pub(crate) struct Switch(watch::Sender<bool>);

/// The calls that are being worked on. A place is an `Arc<OwnedSemaphorePermit>` in the extensions of the request: whoever
/// keeps a clone of it (a write that outlives its caller, for one) keeps the process from ending.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Draining {
    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the process is told to stop.
    pub async fn wait(&mut self) {
        // An error means that the process is gone, which is as good a reason to stop.
        let _ = self.0.wait_for(|draining| *draining).await;
    }
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn handle(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    pub(crate) fn turn(&self) {
        self.0.send_replace(true);
    }
}

impl Places {
    pub(crate) fn new(all: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Takes a place, if one is free.
    pub(crate) fn take(&self) -> Option<Arc<tokio::sync::OwnedSemaphorePermit>> {
        self.free.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Waits until every place is free.
    pub(crate) async fn all_free(&self) {
        // The semaphore is never closed, and its permits go back at once.
        let _ = self.free.acquire_many(self.all).await;
    }

    /// Whether every place is free.
    pub(crate) fn are_free(&self) -> bool {
        self.free.available_permits() == self.all as usize
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_place_is_waited_for() {
        let places = Places::new(2);
        let place = places.take().unwrap();
        let clone = place.clone();
        drop(place);
        let wait = || tokio::time::timeout(Duration::from_secs(1), places.all_free());
        assert!(wait().await.is_err() && !places.are_free());
        drop(clone);
        assert!(wait().await.is_ok() && places.are_free());
    }

    #[test]
    fn no_place_beyond_the_last() {
        let places = Places::new(1);
        let _kept = places.take().unwrap();
        assert!(places.take().is_none());
    }
}
