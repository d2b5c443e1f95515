//! The last minute of calls, second by second.
//!
//! The first call that finds an old slot resets it; calls counted at that moment may be lost. That is acceptable for a page, and
//! a lock on every call would not be.

use std::{
    array,
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;
use serving::CompletedCall;
use tokio::time::Instant;

/// Seconds that are shown.
const SECONDS: usize = 60;
/// Rates are averages over so many complete seconds.
const RATE: usize = 10;
/// Durations are kept by so many seconds together.
const SLOT_SECONDS: u64 = 10;
/// Slots of durations.
const SLOTS: usize = SECONDS / SLOT_SECONDS as usize;
/// Limits of durations: from 0.25 ms on, each 1.41 times the one before, to three minutes.
const BUCKETS: usize = 40;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What happened in the last minute.
#[derive(Debug)]
pub(super) struct History {
    seconds: [SecondCounts; SECONDS],
    slots: [DurationSlot; SLOTS],
}

#[derive(Debug, Default)]
struct SecondCounts {
    number: AtomicU64,
    calls: AtomicU32,
    failures: AtomicU32,
    answers: AtomicU32,
}

/// How a call ended, as far as it concerns the service and its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallResult {
    Failed,
    Answered,
    /// The caller's fault.
    Neither,
}

#[derive(Debug)]
struct DurationSlot {
    number: AtomicU64,
    durations: [AtomicU32; BUCKETS],
}

/// The same in numbers for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    calls_per_second: f64,
    failures_per_second: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Calls that ended in each of the last 60 seconds, the newest last.
    calls: Vec<u32>,
    /// Those of them that failed.
    failures: Vec<u32>,
    #[serde(skip)]
    answers: u32,
}

impl Summary {
    /// Calls of the last minute that failed, and those that were answered; the callers' own mistakes are neither.
    pub(super) fn last_minute(&self) -> (u32, u32) {
        (self.failures.iter().sum(), self.answers)
    }
}

impl CallResult {
    pub(super) fn of(call: &CompletedCall<'_>) -> Self {
        match call.is_failure() {
            true => Self::Failed,
            false if call.is_answer() => Self::Answered,
            false => Self::Neither,
        }
    }
}

impl Default for History {
    fn default() -> Self {
        // The first call must not fall into the second that a fresh slot claims to be.
        let slot =
            |_| DurationSlot { number: AtomicU64::new(u64::MAX), durations: array::from_fn(|_| AtomicU32::new(0)) };
        let second = |_| SecondCounts { number: AtomicU64::new(u64::MAX), ..SecondCounts::default() };
        Self { seconds: array::from_fn(second), slots: array::from_fn(slot) }
    }
}

impl History {
    /// Counts a call.
    pub(super) fn add(&self, took: Duration, result: CallResult) {
        let now = now();
        let second = &self.seconds[now as usize % SECONDS];
        if is_old(&second.number, now) {
            second.calls.store(0, Relaxed);
            second.failures.store(0, Relaxed);
            second.answers.store(0, Relaxed);
        }
        second.calls.fetch_add(1, Relaxed);
        match result {
            CallResult::Failed => _ = second.failures.fetch_add(1, Relaxed),
            CallResult::Answered => _ = second.answers.fetch_add(1, Relaxed),
            CallResult::Neither => {}
        }
        let slot = &self.slots[(now / SLOT_SECONDS) as usize % SLOTS];
        if is_old(&slot.number, now / SLOT_SECONDS) {
            slot.durations.iter().for_each(|count| count.store(0, Relaxed));
        }
        slot.durations[bucket(took)].fetch_add(1, Relaxed);
    }

    /// What happened up to now.
    pub(super) fn summary(&self) -> Summary {
        let now = now();
        let read = |count: fn(&SecondCounts) -> &AtomicU32| -> Vec<u32> {
            let seconds = (0..SECONDS as u64).rev().map(|ago| now.checked_sub(ago));
            let counted = seconds.map(|number| {
                let second = &self.seconds[number? as usize % SECONDS];
                (Some(second.number.load(Relaxed)) == number).then(|| count(second).load(Relaxed))
            });
            counted.map(Option::unwrap_or_default).collect()
        };
        let (calls, failures) = (read(|second| &second.calls), read(|second| &second.failures));
        let durations = self.durations(now / SLOT_SECONDS);
        Summary {
            calls_per_second: rate(&calls),
            failures_per_second: rate(&failures),
            p50_ms: quantile(&durations, 0.5),
            p99_ms: quantile(&durations, 0.99),
            calls,
            failures,
            answers: read(|second| &second.answers).iter().sum(),
        }
    }

    fn durations(&self, now: u64) -> [u64; BUCKETS] {
        let recent = self.slots.iter().filter(|slot| {
            let number = slot.number.load(Relaxed);
            number <= now && now - number < SLOTS as u64
        });
        let mut sums = [0; BUCKETS];
        for slot in recent {
            let counts = slot.durations.iter().map(|count| u64::from(count.load(Relaxed)));
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        sums
    }
}

fn now() -> u64 {
    BEGUN.elapsed().as_secs()
}

/// Whether a slot is of another time; the first to see it makes it one of now.
fn is_old(number: &AtomicU64, now: u64) -> bool {
    let then = number.load(Relaxed);
    then != now && number.compare_exchange(then, now, Relaxed, Relaxed).is_ok()
}

fn rate(counts: &[u32]) -> f64 {
    let whole = counts.iter().rev().skip(1).take(RATE);
    f64::from(whole.sum::<u32>()) / RATE as f64
}

fn bucket(took: Duration) -> usize {
    let quarters = took.as_secs_f64() * 4000.0;
    let bucket = (quarters.max(1.0).log2() * 2.0).ceil();
    (bucket as usize).min(BUCKETS - 1)
}

/// The upper limit of the bucket in which the quantile lies, in milliseconds.
fn quantile(counts: &[u64; BUCKETS], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let wanted = (all as f64 * share).ceil().max(1.0) as u64;
    let mut seen = 0;
    let bucket = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    })?;
    (all > 0).then(|| (0.25 * 2_f64.powf(bucket as f64 / 2.0) * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_is_counted_and_forgotten() {
        let history = History::default();
        for _ in 0..20 {
            (0..10).for_each(|_| history.add(Duration::from_millis(20), CallResult::Answered));
            history.add(Duration::from_secs(2), CallResult::Failed);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let summary = history.summary();
        assert_eq!((summary.calls_per_second, summary.failures_per_second), (11.0, 1.0));
        assert_eq!((summary.calls.len(), summary.calls.iter().sum::<u32>()), (60, 220));
        history.add(Duration::ZERO, CallResult::Neither);
        assert_eq!(history.summary().last_minute(), (20, 200));
        let (half, most) = (summary.p50_ms.unwrap(), summary.p99_ms.unwrap());
        assert!((20.0..29.0).contains(&half) && (2000.0..2900.0).contains(&most), "{half} {most}");
        tokio::time::advance(Duration::from_secs(70)).await;
        let summary = history.summary();
        assert_eq!((summary.calls.iter().sum::<u32>(), summary.p50_ms), (0, None));
    }

    #[test]
    fn every_duration_has_a_bucket() {
        assert_eq!((bucket(Duration::ZERO), bucket(Duration::MAX)), (0, BUCKETS - 1));
        for millis in [1, 7, 100, 3000, 60_000] {
            let mut counts = [0; BUCKETS];
            counts[bucket(Duration::from_millis(millis))] = 1;
            let limit = quantile(&counts, 0.5).unwrap();
            let millis = millis as f64;
            assert!(limit >= millis * 0.99 && limit <= millis * 1.5, "{limit} {millis}");
        }
    }
}
