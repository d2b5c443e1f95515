//! A token bucket that is one number: the generic cell rate algorithm (ITU-T I.371, annex A).
//!
//! The number is the time at which the bucket would be full again if nobody took anything. A call moves it on by one
//! interval; a call that would move it further ahead than the burst allows is refused, with the time to wait.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// A rate and a burst.
#[derive(Debug)]
pub(crate) struct Bucket {
    begun: Instant,
    /// Nanoseconds after `begun`.
    full_at: AtomicU64,
    /// Nanoseconds between two calls; 0 is no limit.
    interval: AtomicU64,
    /// Nanoseconds that `full_at` may lie ahead.
    ahead: AtomicU64,
}

impl Bucket {
    /// A full bucket without a limit.
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { begun: Instant::now(), full_at: zero(), interval: zero(), ahead: zero() }
    }

    /// Sets calls per second and calls at once; without a rate there is no limit. What was taken stays taken.
    pub(crate) fn set(&self, rate: Option<f64>, burst: f64) {
        let interval = rate.map_or(0.0, |rate| 1e9 / rate);
        self.interval.store(interval as u64, Relaxed);
        self.ahead.store((interval * burst.max(1.0)) as u64, Relaxed);
    }

    /// Takes a token, or returns how long to wait for one.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let interval = self.interval.load(Relaxed);
        if interval == 0 {
            return Ok(());
        }
        let (now, ahead) = (self.begun.elapsed().as_nanos() as u64, self.ahead.load(Relaxed));
        let mut full_at = self.full_at.load(Relaxed);
        loop {
            let next = full_at.max(now) + interval;
            if next > now + ahead {
                return Err(Duration::from_nanos(next - now - ahead));
            }
            match self.full_at.compare_exchange_weak(full_at, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: f64, burst: f64) -> Bucket {
        let bucket = Bucket::new();
        bucket.set(Some(rate), burst);
        bucket
    }

    fn taken(bucket: &Bucket) -> usize {
        (0..1000).take_while(|_| bucket.take().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let bucket = bucket(10.0, 3.0);
        assert_eq!(taken(&bucket), 3);
        assert_eq!(bucket.take(), Err(Duration::from_millis(100)));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(taken(&bucket), 2);
        assert_eq!(bucket.take(), Err(Duration::from_millis(50)));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(taken(&bucket), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_told_gets_in() {
        let bucket = bucket(0.5, 1.0);
        assert_eq!(bucket.take(), Ok(()));
        let wait = bucket.take().unwrap_err();
        assert_eq!(wait, Duration::from_secs(2));
        tokio::time::advance(wait).await;
        assert_eq!(bucket.take(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_stays_taken_when_the_rate_changes() {
        let bucket = bucket(10.0, 10.0);
        assert_eq!(taken(&bucket), 10);
        bucket.set(Some(10.0), 5.0);
        assert!(bucket.take().is_err());
        bucket.set(None, 0.0);
        assert_eq!(taken(&bucket), 1000);
    }

    #[test]
    fn threads_share_one_bucket() {
        let bucket = bucket(0.001, 500.0);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&bucket))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 500);
    }
}
