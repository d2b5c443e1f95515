//! Stopping in order: first the word, then the work, and an end in any case.

use std::{sync::Arc, time::Duration};

use protocol::call::DrainPermit;
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};

/// How often it is looked whether a place is still taken.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A handle that says whether the process is stopping, and wakes who waits for it.
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<Phase>);

/// The hand on the switch behind every [`Draining`].
#[derive(Clone, Debug)]
pub(crate) struct Switch(watch::Sender<Phase>);

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No new connections; open calls have their time.
    Draining,
    /// Their time is over: what is still open is answered at once.
    Cutting,
}

/// The calls that are being worked on. Whoever keeps a clone of a call's place (a write that outlives its caller, for one)
/// keeps the process from ending.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    free: Arc<Semaphore>,
    all: u32,
}

impl Draining {
    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// Returns when the process is told to stop.
    pub async fn wait(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Whether the time to drain is over.
    pub(crate) fn is_over(&self) -> bool {
        *self.0.borrow() >= Phase::Cutting
    }

    /// Returns when the time to drain is over.
    pub(crate) async fn over(&mut self) {
        self.reached(Phase::Cutting).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // An error means that the process is gone, which is as good a reason to stop.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    pub(crate) fn handle(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    /// Open calls have their time from now on.
    pub(crate) fn drain(&self) {
        self.0.send_replace(Phase::Draining);
    }

    /// The time of open calls is over.
    pub(crate) fn cut(&self) {
        self.0.send_replace(Phase::Cutting);
    }
}

impl InFlight {
    pub(crate) fn new(all: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Takes a place, if one is free.
    pub(crate) fn take(&self) -> Option<DrainPermit> {
        self.free.clone().try_acquire_owned().ok().map(DrainPermit::from)
    }

    /// Waits until every place is free. It looks again and again: who waited for the permits themselves would take them one
    /// by one from the calls that still come in while the process drains.
    pub(crate) async fn all_free(&self) {
        while !self.are_free() {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether every place is free.
    pub(crate) fn are_free(&self) -> bool {
        self.taken() == 0
    }

    /// How many calls are being worked on.
    pub(crate) fn taken(&self) -> usize {
        (self.all as usize).saturating_sub(self.free.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_place_is_waited_for() {
        let in_flight = InFlight::new(2);
        let place = in_flight.take().unwrap();
        let clone = place.clone();
        drop(place);
        let wait = || tokio::time::timeout(Duration::from_secs(1), in_flight.all_free());
        assert!(wait().await.is_err() && !in_flight.are_free());
        drop(clone);
        assert!(wait().await.is_ok() && in_flight.are_free());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_places_takes_none() {
        let in_flight = InFlight::new(2);
        let _kept = in_flight.take().unwrap();
        let late = async {
            sleep(LOOK_AGAIN * 2).await;
            in_flight.take().is_some()
        };
        tokio::select! {
            () = in_flight.all_free() => panic!("a place is taken"),
            taken = late => assert!(taken),
        }
    }

    #[test]
    fn no_place_beyond_the_last() {
        let in_flight = InFlight::new(1);
        let _kept = in_flight.take().unwrap();
        assert!(in_flight.take().is_none());
    }
}
