//! Throttles wrong credentials by address, without harm to other callers behind the same address.
//!
//! Beyond the limit a wrong credential gets another answer and nothing else changes: a right key is found as fast as before.
//! Only tokens that are not cached, which cost the gateway a signature check and an attacker nothing, are limited to a number
//! per second.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use config::counted_address;
use tokio::time::Instant;
use tonic::Code;

use crate::{
    answer::{Answer, Outcome},
    config::GuessesConfig,
    limits::Bucket,
};

/// The time in which guesses are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Addresses that are tracked; a further one replaces the oldest.
const MOST: usize = 4096;

/// Signature checks a second for an address that is over the limit: a client of good faith needs one in an hour, and this
/// many cost a thousandth of a core.
const CHECKS: f64 = 20.0;

/// Wrong credentials by address.
#[derive(Debug)]
pub(crate) struct Throttle {
    begun: Instant,
    /// When all of them expire, in milliseconds since `begun`: without wrong credentials no call takes the lock.
    until: AtomicU64,
    by_address: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    wrong: u32,
    checks: Bucket,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { begun: Instant::now(), until: AtomicU64::new(0), by_address: Mutex::default() }
    }
}

impl Throttle {
    /// Counts a wrong credential; returns the error to send if the limit is exceeded.
    pub(crate) fn count(&self, address: IpAddr, limit: &GuessesConfig) -> Option<Box<Answer>> {
        if !limit.counts(address) {
            return None;
        }
        let now = Instant::now();
        let mut counts = self.lock();
        let address = counted_address(address);
        if counts.len() >= MOST && !counts.contains_key(&address) {
            make_room(&mut counts, now);
        }
        let count = counts.entry(address).or_insert_with(|| Count::new(now));
        let left = count.left(now).unwrap_or_else(|| {
            *count = Count::new(now);
            MINUTE
        });
        count.wrong = count.wrong.saturating_add(1);
        self.until.store(self.millis(now + MINUTE), Ordering::Relaxed);
        (count.wrong > limit.per_minute).then(|| refusal(left))
    }

    /// Whether the signature of a token that is not cached may be checked.
    pub(crate) fn may_check(&self, address: IpAddr, limit: &GuessesConfig) -> Result<(), Box<Answer>> {
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 || !limit.counts(address) {
            return Ok(());
        }
        let now = Instant::now();
        if self.millis(now) > until {
            self.until.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let counts = self.lock();
        let count = counts.get(&counted_address(address));
        match count.filter(|count| count.wrong >= limit.per_minute && count.left(now).is_some()) {
            Some(count) => count.checks.take().map_err(refusal),
            None => Ok(()),
        }
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn new(now: Instant) -> Self {
        let checks = Bucket::new();
        checks.set(Some(CHECKS), CHECKS);
        Self { since: now, wrong: 0, checks }
    }

    /// What is left of its minute.
    fn left(&self, now: Instant) -> Option<Duration> {
        MINUTE.checked_sub(now.duration_since(self.since)).filter(|left| !left.is_zero())
    }
}

fn make_room(counts: &mut HashMap<IpAddr, Count>, now: Instant) {
    counts.retain(|_, count| count.left(now).is_some());
    if counts.len() >= MOST
        && let Some(oldest) = counts.iter().min_by_key(|(_, count)| count.since).map(|(address, _)| *address)
    {
        counts.remove(&oldest);
    }
}

fn refusal(left: Duration) -> Box<Answer> {
    let text = "too many wrong credentials came from this address; a right one is still taken";
    Answer::new(Code::ResourceExhausted, "TOO_MANY_GUESSES", text).outcome(Outcome::NotSent).retry_after(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: &str = "per_minute = 3\nexempt = [\"198.51.100.0/24\"]";

    fn limit() -> GuessesConfig {
        toml::from_str(LIMIT).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_wrong_ones_are_told_so_for_the_rest_of_the_minute() {
        let (throttle, limit) = (Throttle::default(), limit());
        let [evil, good] = ["192.0.2.1", "192.0.2.2"].map(address);
        for _ in 0..3 {
            assert!(throttle.count(evil, &limit).is_none());
        }
        tokio::time::advance(MINUTE / 2).await;
        let refused = throttle.count(evil, &limit).unwrap().status();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let retry = tonic_types::StatusExt::get_details_retry_info(&refused).unwrap();
        assert_eq!(retry.retry_delay, Some(MINUTE / 2));
        assert!(throttle.count(good, &limit).is_none());
        assert!(throttle.count(evil, &GuessesConfig { per_minute: 0, ..limit.clone() }).is_none());
        tokio::time::advance(MINUTE / 2).await;
        assert!(throttle.count(evil, &limit).is_none(), "the minute is over");
    }

    #[tokio::test(start_paused = true)]
    async fn checks_of_signatures_are_few_but_never_none() {
        let (throttle, limit) = (Throttle::default(), limit());
        let evil = address("192.0.2.1");
        for _ in 0..3 {
            assert!((0..100).all(|_| throttle.may_check(evil, &limit).is_ok()));
            throttle.count(evil, &limit);
        }
        for _ in 0..3 {
            let taken = (0..100).filter(|_| throttle.may_check(evil, &limit).is_ok()).count();
            assert_eq!(taken as f64, CHECKS);
            assert!(throttle.may_check(address("192.0.2.2"), &limit).is_ok());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::advance(MINUTE).await;
        assert!((0..100).all(|_| throttle.may_check(evil, &limit).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_counts_as_one_and_one_that_is_exempt_not_at_all() {
        let (throttle, limit) = (Throttle::default(), limit());
        for last in 1..=4 {
            let told = throttle.count(address(&format!("2001:db8::{last}")), &limit);
            assert_eq!(told.is_some(), last == 4);
        }
        assert!(throttle.count(address("2001:db8:0:1::1"), &limit).is_none());
        assert!((0..100).all(|_| throttle.count(address("::ffff:198.51.100.7"), &limit).is_none()));
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, limit) = (Throttle::default(), limit());
        for number in 0..u32::try_from(MOST).unwrap() + 100 {
            throttle.count(IpAddr::V4(number.into()), &limit);
        }
        assert_eq!(throttle.lock().len(), MOST);
    }
}
