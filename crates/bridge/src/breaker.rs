//! The breaker of one account: an upstream that does not answer is left alone for a moment.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    fault::{Fault, Kind, Outcome},
    sign::Sign,
};

/// Seconds that are looked at.
const WINDOW: usize = 10;
/// Outcomes in the window below which nothing is concluded.
const MIN_OUTCOMES: u32 = 20;
/// Failures to connect in a row that open the breaker at once.
const MAX_UNREACHABLE: u32 = 5;
/// While it is open, one call goes through in this time.
const PROBE: Duration = Duration::from_secs(5);

/// Counts what becomes of attempts, and stops calls while most fail (reliability.md B.3).
#[derive(Debug)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug)]
struct State {
    seconds: [Second; WINDOW],
    begun: Instant,
    unreachable: u32,
    last_probe: Option<Instant>,
}

/// The outcomes of one second, which `number` names.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    failed: u32,
    all: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        let state = State { seconds: Default::default(), begun: Instant::now(), unreachable: 0, last_probe: None };
        Breaker(Mutex::new(state))
    }
}

impl Breaker {
    /// Refuses a call while the breaker is open.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        let now = Instant::now();
        let Some(probed) = state.last_probe else { return Ok(()) };
        let Some(wait) = PROBE.checked_sub(now - probed).filter(|wait| !wait.is_zero()) else {
            state.last_probe = Some(now);
            return Ok(());
        };
        let message = "the upstream does not answer; calls are held back until it does";
        let fault = Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_BREAKER_OPEN", message);
        Err(fault.with_retry_after(Some(wait)))
    }

    /// Whether calls are held back.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().last_probe.is_some()
    }

    /// Counts the end of an attempt.
    pub(crate) fn record(&self, sign: Sign) {
        let mut state = self.lock();
        match sign {
            Sign::Nothing => return,
            Sign::Answered | Sign::Refused => return state.succeeded(),
            Sign::Broken => state.unreachable = 0,
            Sign::Unreachable => state.unreachable += 1,
        }
        state.count(true);
        if state.last_probe.is_none() && state.is_bad() {
            state.last_probe = Some(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn succeeded(&mut self) {
        self.unreachable = 0;
        if self.last_probe.take().is_some() {
            self.seconds = Default::default();
        }
        self.count(false);
    }

    fn count(&mut self, failed: bool) {
        let number = self.begun.elapsed().as_secs();
        let second = &mut self.seconds[number as usize % WINDOW];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second.all += 1;
        second.failed += u32::from(failed);
    }

    fn is_bad(&self) -> bool {
        let oldest = self.begun.elapsed().as_secs().saturating_sub(WINDOW as u64 - 1);
        let recent = || self.seconds.iter().filter(|second| second.number >= oldest);
        let all: u32 = recent().map(|second| second.all).sum();
        let failed: u32 = recent().map(|second| second.failed).sum();
        self.unreachable >= MAX_UNREACHABLE || (all >= MIN_OUTCOMES && failed * 2 >= all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_at_half_of_twenty_and_closes_after_a_good_probe() {
        let breaker = Breaker::default();
        for good in [Sign::Answered, Sign::Refused].repeat(5) {
            breaker.record(good);
            breaker.check().unwrap();
        }
        for _ in 0..10 {
            breaker.check().unwrap();
            breaker.record(Sign::Broken);
        }
        let refused = breaker.check().unwrap_err();
        assert_eq!((refused.outcome(), refused.reason()), (Outcome::NotSent, "UPSTREAM_BREAKER_OPEN"));
        tokio::time::advance(PROBE).await;
        breaker.check().unwrap();
        assert!(breaker.check().is_err(), "one probe at a time");
        breaker.record(Sign::Answered);
        breaker.check().unwrap();
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_five_failures_to_connect() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.check().unwrap();
            breaker.record(Sign::Unreachable);
        }
        assert!(breaker.check().is_err());
    }

    #[tokio::test]
    async fn what_says_nothing_does_not_count() {
        let breaker = Breaker::default();
        for _ in 0..50 {
            breaker.record(Sign::Nothing);
        }
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..19 {
            breaker.record(Sign::Broken);
        }
        tokio::time::advance(Duration::from_secs(11)).await;
        breaker.record(Sign::Broken);
        breaker.check().unwrap();
    }
}
