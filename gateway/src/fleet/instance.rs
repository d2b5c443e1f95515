//! One instance as its calls show it: load, latency, failures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Uri;
use tokio::{sync::Notify, time::Instant};

use crate::fleet::endpoint::Endpoint;

/// Consecutive failures after which an instance is ejected.
pub(crate) const STREAK: u32 = 5;

/// Time over which a measured latency loses two thirds of its weight.
const MEMORY: Duration = Duration::from_secs(2);

/// Latency that a failure counts as, at least: an instance that fails fast must not look fast.
const PENALTY: Duration = Duration::from_millis(250);

/// An instance of a service.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Where it is.
    pub(crate) endpoint: Endpoint,
    /// The origin of requests to it.
    pub(crate) origin: Uri,
    /// Wakes the pool that the instance belongs to.
    pool: Arc<Notify>,
    /// Calls in flight.
    pending: AtomicUsize,
    latency: Latency,
    /// Failures since the last success.
    streak: AtomicU32,
}

impl Instance {
    /// An instance without calls; `None` if its host is invalid.
    pub(crate) fn new(endpoint: Endpoint, pool: Arc<Notify>) -> Option<Self> {
        Some(Self {
            origin: endpoint.origin()?,
            endpoint,
            pool,
            pending: AtomicUsize::new(0),
            latency: Latency::new(),
            streak: AtomicU32::new(0),
        })
    }

    /// Tells the pool that something has changed.
    pub(crate) fn signal(&self) {
        self.pool.notify_one();
    }

    /// Calls in flight.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Relaxed)
    }

    /// The expected latency, if it is known.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.at(Instant::now()).map(Duration::from_nanos)
    }

    /// A call begins.
    pub(crate) fn enter(&self) {
        self.pending.fetch_add(1, Relaxed);
    }

    /// A call ends.
    pub(crate) fn leave(&self) {
        self.pending.fetch_sub(1, Relaxed);
    }

    /// The head of a reply came after so long.
    pub(crate) fn answered(&self, after: Duration) {
        self.latency.observe(after, Instant::now());
    }

    /// A reply ended as it should.
    pub(crate) fn succeeded(&self) {
        // Most calls find nothing to do, and then leave the line of memory alone.
        if self.streak.load(Relaxed) != 0 {
            self.streak.store(0, Relaxed);
        }
    }

    /// The instance, not the upstream behind it, failed a call.
    pub(crate) fn failed(&self) {
        self.latency.observe(PENALTY, Instant::now());
        if self.streak.fetch_add(1, Relaxed) + 1 == STREAK {
            self.signal();
        }
    }

    /// Whether it has failed often enough in a row to be ejected; the count starts again.
    pub(crate) fn take_streak(&self) -> bool {
        let is_long = self.streak.load(Relaxed) >= STREAK;
        if is_long {
            self.streak.store(0, Relaxed);
        }
        is_long
    }

    /// Whether it is less loaded than another: calls in flight, weighted by latency where both are known.
    pub(crate) fn is_lighter_than(&self, other: &Self, now: Instant) -> bool {
        let (mine, theirs) = (self.pending.load(Relaxed) + 1, other.pending.load(Relaxed) + 1);
        match (self.latency.at(now), other.latency.at(now)) {
            (Some(fast), Some(slow)) => fast.saturating_mul(mine as u64) <= slow.saturating_mul(theirs as u64),
            _ => mine <= theirs,
        }
    }
}

/// A latency that jumps to every peak and comes down from it slowly ("peak EWMA", as in Finagle and linkerd).
///
/// Its two parts are written one after the other; a reader in between only sees a weight that is slightly off.
#[derive(Debug)]
struct Latency {
    born: Instant,
    /// Nanoseconds; 0 before the first observation.
    value: AtomicU64,
    /// When it was observed, in nanoseconds of its own life.
    seen: AtomicU64,
}

impl Latency {
    fn new() -> Self {
        Self { born: Instant::now(), value: AtomicU64::new(0), seen: AtomicU64::new(0) }
    }

    fn observe(&self, latency: Duration, now: Instant) {
        let observed = nanos(latency).max(1);
        let kept = self.at(now).unwrap_or(0);
        let value = match observed >= kept {
            true => observed,
            false => {
                let weight = self.decay(now);
                (kept as f64).mul_add(weight, observed as f64 * (1.0 - weight)) as u64
            }
        };
        self.value.store(value.max(1), Relaxed);
        self.seen.store(nanos(now.saturating_duration_since(self.born)), Relaxed);
    }

    /// The latency with decay, so that a slow instance is tried again in time.
    fn at(&self, now: Instant) -> Option<u64> {
        let value = self.value.load(Relaxed);
        (value != 0).then(|| ((value as f64) * self.decay(now)) as u64)
    }

    /// How much of the last observation is left: close to e^-x, and cheaper.
    fn decay(&self, now: Instant) -> f64 {
        let age = nanos(now.saturating_duration_since(self.born)).saturating_sub(self.seen.load(Relaxed));
        let x = age as f64 / MEMORY.as_nanos() as f64;
        1.0 / (1.0 + x * (1.0 + x * (0.5 + x / 6.0)))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        Instance::new(Endpoint::new("127.0.0.1", 1, false), Arc::default()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peak_is_seen_at_once_and_forgotten_slowly() {
        let latency = Latency::new();
        let at = |latency: &Latency| latency.at(Instant::now());
        assert_eq!(at(&latency), None);
        latency.observe(Duration::from_millis(10), Instant::now());
        latency.observe(Duration::from_millis(500), Instant::now());
        assert_eq!(at(&latency), Some(500_000_000));
        latency.observe(Duration::from_millis(10), Instant::now());
        assert!(at(&latency).unwrap() > 490_000_000);
        tokio::time::advance(MEMORY).await;
        assert!((170_000_000..200_000_000).contains(&at(&latency).unwrap()));
        for _ in 0..200 {
            tokio::time::advance(Duration::from_millis(100)).await;
            latency.observe(Duration::from_millis(10), Instant::now());
        }
        assert!(at(&latency).unwrap() < 30_000_000, "{:?}", at(&latency));
    }

    #[tokio::test(start_paused = true)]
    async fn the_lighter_is_the_one_with_less_to_wait_for() {
        let (one, other) = (instance(), instance());
        let now = Instant::now();
        other.enter();
        assert!(one.is_lighter_than(&other, now) && !other.is_lighter_than(&one, now));
        one.answered(Duration::from_millis(40));
        other.answered(Duration::from_millis(10));
        assert!(other.is_lighter_than(&one, now), "two calls of 10 ms are less than one of 40");
        other.failed();
        assert!(one.is_lighter_than(&other, now), "who fails fast does not look fast");
    }

    #[tokio::test]
    async fn a_row_of_failures_is_broken_by_a_success() {
        let instance = instance();
        for _ in 0..STREAK - 1 {
            instance.failed();
        }
        instance.succeeded();
        instance.failed();
        assert!(!instance.take_streak());
        for _ in 1..STREAK {
            instance.failed();
        }
        assert!(instance.take_streak() && !instance.take_streak());
    }
}
