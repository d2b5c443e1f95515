//! The breaker of one account: an upstream that does not answer is left alone for a moment.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::fault::{Fault, Kind, Outcome};

/// Seconds that are looked at.
const WINDOW: usize = 10;
/// Outcomes in the window below which nothing is concluded.
const MIN_OUTCOMES: u32 = 20;
/// Failures to connect in a row that open the breaker at once.
const MAX_UNREACHABLE: u32 = 5;
/// While it is open, one call goes through in this time.
const PROBE: Duration = Duration::from_secs(5);

/// Counts what becomes of calls, and stops them while most fail (reliability.md B.3).
///
/// Only silence and broken answers count: an upstream that says no is well.
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

    /// Counts the end of an attempt.
    pub(crate) fn record<T>(&self, result: &Result<T, Fault>) {
        let failure = result.as_ref().err().filter(|fault| is_failure(fault));
        let mut state = self.lock();
        let Some(fault) = failure else {
            state.succeeded();
            return;
        };
        state.unreachable = match (fault.outcome(), fault.kind()) {
            // A caller in a hurry says nothing of the upstream.
            (Outcome::NotSent, Kind::DeadlineExceeded) => state.unreachable,
            (Outcome::NotSent, _) => state.unreachable + 1,
            _ => 0,
        };
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

/// No answer, or a 5xx that is not the fault of one function: a protocol's own fault carries a code.
fn is_failure(fault: &Fault) -> bool {
    let silent = matches!(fault.kind(), Kind::Unavailable | Kind::DeadlineExceeded);
    let broken = fault.http_status().is_none_or(|status| status >= 500);
    silent && broken && fault.outcome() != Outcome::Rejected && fault.upstream_code().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(outcome: Outcome) -> Result<(), Fault> {
        Err(Fault::new(Kind::Unavailable, outcome, "X", "x"))
    }

    #[tokio::test(start_paused = true)]
    async fn opens_at_half_of_twenty_and_closes_after_a_good_probe() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            breaker.record(&Ok(()));
            breaker.check().unwrap();
        }
        for _ in 0..10 {
            breaker.check().unwrap();
            breaker.record(&failed(Outcome::Unknown));
        }
        let refused = breaker.check().unwrap_err();
        assert_eq!((refused.outcome(), refused.reason()), (Outcome::NotSent, "UPSTREAM_BREAKER_OPEN"));
        tokio::time::advance(PROBE).await;
        breaker.check().unwrap();
        assert!(breaker.check().is_err(), "one probe at a time");
        breaker.record(&Ok(()));
        breaker.check().unwrap();
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_five_failures_to_connect() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.check().unwrap();
            breaker.record(&failed(Outcome::NotSent));
        }
        assert!(breaker.check().is_err());
    }

    #[tokio::test]
    async fn callers_in_a_hurry_do_not_make_an_upstream_unreachable() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            breaker.record::<()>(&Err(Fault::not_in_time()));
        }
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..19 {
            breaker.record(&failed(Outcome::Unknown));
        }
        tokio::time::advance(Duration::from_secs(11)).await;
        breaker.record(&failed(Outcome::Unknown));
        breaker.check().unwrap();
    }

    #[tokio::test]
    async fn a_refusal_or_a_function_that_died_is_no_outage() {
        let breaker = Breaker::default();
        for _ in 0..50 {
            breaker.record::<()>(&Err(Fault::rejected(Kind::NotFound, "NOT_FOUND", "no")));
            breaker.record::<()>(&Err(Fault::server("died").with_upstream_code("Server").with_http_status(500)));
        }
        breaker.check().unwrap();
    }
}
