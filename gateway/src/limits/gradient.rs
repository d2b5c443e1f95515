//! Adapts the limit of a provider to the latency of its calls (the gradient of Netflix'
//! concurrency-limits, `Gradient2Limit`).
//!
//! While calls take as long as they usually do the limit grows by the square root of itself; when they take longer than
//! [`TOLERANCE`] times as long it shrinks by that ratio, at most by half a step. What is usual follows slowly, so that a
//! provider that has become slow for good is not held at its least for ever.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::gate::Gate;

/// Calls are evaluated together, per window.
const WINDOW: Duration = Duration::from_millis(250);
/// Fewer calls in a window are not significant.
const ENOUGH: u64 = 10;
/// How much longer than usual calls may take.
const TOLERANCE: f64 = 1.5;
/// Weight of a window in what is usual: at once where calls are faster, over half an hour where they stay slow.
const FASTER: f64 = 0.1;
const SLOWER: f64 = 0.0002;
/// Weight of a window in the limit.
const SMOOTHING: f64 = 0.2;

/// Watches the calls of one gate and sets its limit.
#[derive(Debug)]
pub(crate) struct Gradient {
    begun: Instant,
    /// Nanoseconds after `begun`; the call that moves it on evaluates the window.
    window_ends: AtomicU64,
    calls: AtomicU64,
    nanos: AtomicU64,
    state: Mutex<GradientState>,
}

#[derive(Debug)]
struct GradientState {
    min: f64,
    max: f64,
    limit: f64,
    /// Seconds that a call usually takes.
    usual: Option<f64>,
}

impl Gradient {
    /// Begins at the most.
    pub(crate) fn new(min: usize, max: usize) -> Self {
        let (min, max) = (min.min(max) as f64, max as f64);
        Self {
            begun: Instant::now(),
            window_ends: AtomicU64::new(WINDOW.as_nanos() as u64),
            calls: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            state: Mutex::new(GradientState { min, max, limit: max, usual: None }),
        }
    }

    /// Adds a call that has ended; the last of a window sets the limit.
    pub(crate) fn ended(&self, took: Duration, gate: &Gate) {
        self.calls.fetch_add(1, Relaxed);
        self.nanos.fetch_add(took.as_nanos() as u64, Relaxed);
        let (now, ends) = (self.begun.elapsed().as_nanos() as u64, self.window_ends.load(Relaxed));
        let next = now + WINDOW.as_nanos() as u64;
        if now < ends || self.calls.load(Relaxed) < ENOUGH {
            return;
        }
        if self.window_ends.compare_exchange(ends, next, Relaxed, Relaxed).is_ok() {
            let (calls, nanos) = (self.calls.swap(0, Relaxed), self.nanos.swap(0, Relaxed));
            let mean = nanos as f64 / calls.max(1) as f64 / 1e9;
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            // The call that ends has left already.
            gate.set_limit(state.window(mean, gate.inside() + 1));
        }
    }
}

impl GradientState {
    /// Takes the mean of a window, in seconds, and the calls in flight at its end.
    fn window(&mut self, mean: f64, inside: usize) -> usize {
        let weight = |usual| if mean < usual { FASTER } else { SLOWER };
        let usual = self.usual.map_or(mean, |usual| usual + (mean - usual) * weight(usual));
        self.usual = Some(usual);
        let gradient = (TOLERANCE * usual / mean.max(f64::MIN_POSITIVE)).clamp(0.5, 1.0);
        // These calls do not test a limit that is far away.
        if gradient >= 1.0 && (inside as f64) < self.limit / 2.0 {
            return self.limit.round() as usize;
        }
        let aim = self.limit * gradient + self.limit.sqrt();
        self.limit = (self.limit * (1.0 - SMOOTHING) + aim * SMOOTHING).clamp(self.min, self.max);
        self.limit.round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that answers `capacity` calls a second, each in 100 ms if there is no queue, and callers that always
    /// use the whole limit: by Little's law a queue is what makes the rest of the time.
    fn settled(state: &mut GradientState, capacity: f64, windows: usize) -> f64 {
        let mut sum = 0.0;
        for window in 0..windows {
            let limit = state.limit;
            state.window((limit / capacity).max(0.1), limit as usize);
            sum += if window >= windows / 2 { state.limit } else { 0.0 };
        }
        sum / (windows - windows / 2) as f64
    }

    #[test]
    fn a_limit_settles_near_the_capacity() {
        let mut state = GradientState { min: 4.0, max: 400.0, limit: 400.0, usual: Some(0.1) };
        // 1000 calls a second at 100 ms are 100 calls at a time; half as many again are the tolerance.
        let limit = settled(&mut state, 1000.0, 60);
        assert!((100.0..=260.0).contains(&limit), "{limit}");
    }

    #[test]
    fn a_slow_time_shrinks_the_limit_and_its_end_brings_it_back() {
        let mut state = GradientState { min: 4.0, max: 100.0, limit: 100.0, usual: Some(0.1) };
        (0..20).for_each(|_| {
            state.window(1.0, 100);
        });
        assert!(state.limit < 40.0, "{}", state.limit);
        (0..60).for_each(|_| {
            state.window(0.1, 100);
        });
        assert!(state.limit > 90.0, "{}", state.limit);
    }

    #[test]
    fn the_limit_stays_within_its_bounds_and_idle_calls_do_not_raise_it() {
        let mut state = GradientState { min: 4.0, max: 100.0, limit: 50.0, usual: Some(0.001) };
        assert_eq!(state.window(0.001, 3), 50);
        // So abrupt that what is usual has no time to follow.
        (0..100).for_each(|window| {
            state.window(1.0 + f64::from(window), 50);
        });
        assert!(state.limit >= 4.0);
        (0..2000).for_each(|_| {
            state.window(0.001, 100);
        });
        assert!(state.limit <= 100.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_needs_time_and_calls() {
        let (gradient, gate) = (Gradient::new(1, 16), Gate::new(16));
        let calls = |count: usize, took: u64| {
            for _ in 0..count {
                gradient.ended(Duration::from_millis(took), &gate);
            }
        };
        calls(100, 10);
        assert_eq!(gate.limit(), 16);
        for _ in 0..8 {
            tokio::time::advance(WINDOW).await;
            calls(ENOUGH as usize, 10);
        }
        assert_eq!(gate.limit(), 16);
        for _ in 0..8 {
            tokio::time::advance(WINDOW).await;
            calls(ENOUGH as usize, 1000);
        }
        assert!(gate.limit() < 14, "{}", gate.limit());
    }
}
