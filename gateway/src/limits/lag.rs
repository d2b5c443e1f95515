//! Adapts the gateway's own limit to how long runnable work waits for a processor.
//!
//! The providers' own slowness must not count here, so no call is measured: a timer that comes late shows how long
//! everything else that is ready waits too. Late, the limit shrinks by a tenth; in time and well used, it grows by one
//! part in twenty (additive increase would take minutes where thousands of calls are in flight).

use std::{sync::Weak, time::Duration};

use tokio::time::{Instant, sleep};

use super::gate::Gate;

/// Measuring interval.
const EVERY: Duration = Duration::from_millis(50);

/// Interval while there is nothing to measure.
const IDLE: Duration = Duration::from_secs(1);

/// Bounds of the gateway's limit, and the tolerated lag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitBounds {
    /// Lowest limit.
    pub(crate) min: usize,
    /// Highest limit.
    pub(crate) max: usize,
    /// How late is too late.
    pub(crate) lag: Duration,
}

impl LimitBounds {
    /// The next limit, given how late the timer was and how many calls are in flight.
    fn next(&self, limit: usize, late: Duration, inside: usize) -> usize {
        let next = match late > self.lag {
            true => limit - limit.div_ceil(10),
            false if inside >= limit / 2 => limit + limit.div_ceil(20),
            false => limit,
        };
        next.clamp(self.min.min(self.max), self.max)
    }
}

/// Adapts the limit until the gate is dropped; without `bounds` it pauses.
pub(crate) async fn watch<G: AsRef<Gate>>(gate: Weak<G>, bounds: impl Fn(&G) -> Option<LimitBounds>) {
    loop {
        let due = Instant::now() + EVERY;
        sleep(EVERY).await;
        // Runs after everything that is ready now.
        tokio::task::yield_now().await;
        let late = due.elapsed();
        let Some(shared) = gate.upgrade() else { return };
        let Some(bounds) = bounds(&shared) else {
            drop(shared);
            sleep(IDLE).await;
            continue;
        };
        let gate = (*shared).as_ref();
        gate.set_limit(bounds.next(gate.limit(), late, gate.inside()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: LimitBounds = LimitBounds { min: 10, max: 100, lag: Duration::from_millis(20) };

    #[test]
    fn late_it_shrinks_to_the_least_and_in_time_it_grows_to_the_most() {
        let mut limit = 100;
        for _ in 0..50 {
            limit = BOUNDS.next(limit, Duration::from_millis(21), limit);
        }
        assert_eq!(limit, 10);
        for _ in 0..100 {
            limit = BOUNDS.next(limit, Duration::from_millis(20), limit);
        }
        assert_eq!(limit, 100);
    }

    #[test]
    fn a_limit_that_nobody_comes_near_does_not_grow() {
        assert_eq!(BOUNDS.next(50, Duration::ZERO, 24), 50);
        assert_eq!(BOUNDS.next(50, Duration::ZERO, 25), 53);
    }
}
