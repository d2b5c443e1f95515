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
/// Least time without an answer that is held against an upstream: a caller in a hurry says nothing about it.
const MUTE: Duration = Duration::from_secs(1);

/// Counts what becomes of calls, and stops them while most fail (reliability.md B.3).
///
/// Silence counts, and every 5xx but the fault of one function: an upstream that says no is well, whatever the status.
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

    /// Counts the end of an attempt that took so long.
    pub(crate) fn record<T>(&self, result: &Result<T, Fault>, took: Duration) {
        let fault = result.as_ref().err();
        if took < MUTE && fault.is_some_and(|fault| fault.kind() == Kind::DeadlineExceeded) {
            return;
        }
        let mut state = self.lock();
        let Some(fault) = fault.filter(|fault| is_failure(fault)) else {
            state.succeeded();
            return;
        };
        state.unreachable = if fault.outcome() == Outcome::NotSent { state.unreachable + 1 } else { 0 };
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

/// No answer, or a 5xx, of whatever the body is; not what the upstream refused, nor the fault of one function.
fn is_failure(fault: &Fault) -> bool {
    let is_silent = matches!(fault.kind(), Kind::Unavailable | Kind::DeadlineExceeded);
    let is_answer = fault.outcome() == Outcome::Rejected || fault.is_of_function();
    let is_broken = fault.http_status().is_some_and(|status| status >= 500);
    (is_silent || is_broken) && !is_answer
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
            breaker.record(&Ok(()), MUTE);
            breaker.check().unwrap();
        }
        for _ in 0..10 {
            breaker.check().unwrap();
            breaker.record(&failed(Outcome::Unknown), MUTE);
        }
        let refused = breaker.check().unwrap_err();
        assert_eq!((refused.outcome(), refused.reason()), (Outcome::NotSent, "UPSTREAM_BREAKER_OPEN"));
        tokio::time::advance(PROBE).await;
        breaker.check().unwrap();
        assert!(breaker.check().is_err(), "one probe at a time");
        breaker.record(&Ok(()), MUTE);
        breaker.check().unwrap();
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_five_failures_to_connect() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.check().unwrap();
            breaker.record(&failed(Outcome::NotSent), MUTE);
        }
        assert!(breaker.check().is_err());
    }

    #[tokio::test]
    async fn callers_in_a_hurry_do_not_make_an_upstream_unreachable() {
        let breaker = Breaker::default();
        for _ in 0..20 {
            breaker.record::<()>(&Err(Fault::not_in_time()), Duration::ZERO);
            let late = Fault::new(Kind::DeadlineExceeded, Outcome::Unknown, "UPSTREAM_TIMEOUT", "late");
            breaker.record::<()>(&Err(late), MUTE / 2);
        }
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..19 {
            breaker.record(&failed(Outcome::Unknown), MUTE);
        }
        tokio::time::advance(Duration::from_secs(11)).await;
        breaker.record(&failed(Outcome::Unknown), MUTE);
        breaker.check().unwrap();
    }

    #[tokio::test]
    async fn a_refusal_or_a_function_that_died_is_no_outage() {
        let breaker = Breaker::default();
        for _ in 0..50 {
            let refused = Fault::rejected(Kind::NotFound, "NOT_FOUND", "no");
            let died = Fault::server("died").with_upstream_code("Server").of_function();
            for fault in [refused.clone(), refused.with_http_status(500), died.clone(), died.with_http_status(500)] {
                breaker.record::<()>(&Err(fault), MUTE);
            }
        }
        breaker.check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn every_status_of_failure_counts_whatever_the_body_says() {
        for fault in [
            Fault::server("down").with_upstream_code("500"),
            Fault::unreadable("a page"),
            Fault::new(Kind::TooLarge, Outcome::Unknown, "X", "x"),
        ] {
            let breaker = Breaker::default();
            for _ in 0..MIN_OUTCOMES {
                breaker.check().unwrap();
                breaker.record::<()>(&Err(fault.clone().with_http_status(503)), Duration::ZERO);
            }
            assert!(breaker.check().is_err(), "{fault}");
        }
    }
}
