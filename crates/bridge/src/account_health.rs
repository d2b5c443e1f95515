//! How the upstream of one account has answered, for those who operate it.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    fault::{Fault, Kind, Outcome},
    sign::Sign,
};

/// Failures in a row after which an account counts as down.
const MANY: u32 = 5;
/// A failure before this time proves nothing: the upstream may have recovered while nobody called.
const FRESH: Duration = Duration::from_secs(60);

/// What became of the attempts. Only failures, and the first answer after one, take a lock.
#[derive(Debug)]
pub(crate) struct AccountHealth {
    begun: Instant,
    /// When the upstream answered last, in milliseconds since the beginning, plus one; 0 is never.
    answered: AtomicU64,
    in_a_row: AtomicU32,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    last: Option<Failure>,
    last_login: Option<Failure>,
    /// Whether the last login was refused and nothing has been answered since.
    is_login_refused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    at: Instant,
    reason: &'static str,
}

/// One account as operators see it. Its `Display` is a line for them.
#[derive(Clone, Debug)]
pub struct AccountStatus {
    /// The alias.
    pub alias: String,
    /// Whether the breaker keeps calls back.
    pub is_breaker_open: bool,
    /// Whether the upstream refused the last login, or the credentials of several calls in a row.
    pub is_refused: bool,
    /// Failures since the last answer.
    pub failures_in_a_row: u32,
    /// How long ago the upstream answered last, if only to refuse one request.
    pub last_answer: Option<Duration>,
    /// How long ago an attempt failed last, and why.
    pub last_failure: Option<(Duration, &'static str)>,
    /// How long ago a login failed last, and why.
    pub last_login_failure: Option<(Duration, &'static str)>,
}

impl Default for AccountHealth {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            answered: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
            failures: Mutex::default(),
        }
    }
}

impl AccountHealth {
    /// Counts the end of an attempt.
    pub(crate) fn record(&self, sign: Sign, fault: Option<&Fault>) {
        if sign == Sign::Answered {
            self.answered.store(self.begun.elapsed().as_millis() as u64 + 1, Relaxed);
            if self.in_a_row.swap(0, Relaxed) > 0 {
                self.lock().is_login_refused = false;
            }
        }
        if sign.is_bad() {
            self.in_a_row.fetch_add(1, Relaxed);
        }
        // An answer that tells nothing of the call is shown, though it does not count.
        let is_shown = |fault: &&Fault| sign.is_bad() || fault.outcome() == Outcome::Unknown;
        if let Some(fault) = fault.filter(is_shown).filter(|_| sign != Sign::Nothing) {
            self.lock().last = Some(Failure::now(fault));
        }
    }

    /// Notes a login that failed.
    pub(crate) fn login_failed(&self, fault: &Fault) {
        let mut failures = self.lock();
        failures.last_login = Some(Failure::now(fault));
        failures.is_login_refused = fault.kind() == Kind::UpstreamAuth;
    }

    /// The account as it is now.
    pub(crate) fn status(&self, alias: &str, is_breaker_open: bool, is_guard_resting: bool) -> AccountStatus {
        let answered = self.answered.load(Relaxed).checked_sub(1).map(Duration::from_millis);
        let failures = self.lock();
        AccountStatus {
            alias: alias.to_owned(),
            is_breaker_open,
            is_refused: is_guard_resting || failures.is_login_refused,
            failures_in_a_row: self.in_a_row.load(Relaxed),
            last_answer: answered.map(|after| self.begun.elapsed().saturating_sub(after)),
            last_failure: failures.last.map(Failure::ago),
            last_login_failure: failures.last_login.map(Failure::ago),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn now(fault: &Fault) -> Self {
        Self { at: Instant::now(), reason: fault.reason() }
    }

    fn ago(self) -> (Duration, &'static str) {
        (self.at.elapsed(), self.reason)
    }
}

impl AccountStatus {
    /// Whether calls with the account fail, as far as the last minute tells.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let is_fresh = self.last_failure.is_some_and(|(ago, _)| ago <= FRESH);
        is_fresh && (self.is_breaker_open || self.is_refused || self.failures_in_a_row >= MANY)
    }

    /// Whether a call has failed since the upstream answered last.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.failures_in_a_row > 0
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_breaker_open { "breaker open" } else { "breaker closed" })?;
        if self.is_refused {
            f.write_str(", credentials refused")?;
        }
        match self.failures_in_a_row {
            0 => {}
            1 => f.write_str(", the last attempt failed")?,
            many => write!(f, ", {many} failures in a row")?,
        }
        match self.last_answer {
            Some(ago) => write!(f, ", last answer {} s ago", ago.as_secs())?,
            None => f.write_str(", no answer yet")?,
        }
        for (what, failure) in [("last failure", self.last_failure), ("last login failure", self.last_login_failure)] {
            if let Some((ago, reason)) = failure {
                write!(f, ", {what} {} s ago ({reason})", ago.as_secs())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> Fault {
        Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE", "x")
    }

    #[tokio::test(start_paused = true)]
    async fn failures_count_until_the_upstream_answers() {
        let health = AccountHealth::default();
        let status = |open| health.status("main", open, false);
        assert_eq!(status(false).to_string(), "breaker closed, no answer yet");
        for number in 1..=MANY {
            assert!(!status(false).is_down());
            health.record(Sign::Unreachable, Some(&unreachable()));
            assert!(status(false).is_degraded(), "{number}");
        }
        tokio::time::advance(Duration::from_secs(3)).await;
        let told = "breaker closed, 5 failures in a row, no answer yet, last failure 3 s ago (UPSTREAM_UNREACHABLE)";
        assert_eq!((status(false).to_string().as_str(), status(false).is_down()), (told, true));
        health.record(Sign::Nothing, Some(&Fault::not_in_time()));
        assert_eq!(status(false).to_string(), told, "a caller in a hurry");
        health.record(Sign::Answered, Some(&Fault::rejected(Kind::NotFound, "NOT_FOUND", "no")));
        let well = status(false);
        assert!(!well.is_degraded() && well.last_answer == Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_is_down_as_long_as_somebody_calls() {
        let health = AccountHealth::default();
        health.record(Sign::Unreachable, Some(&unreachable()));
        assert!(health.status("main", true, false).is_down());
        tokio::time::advance(FRESH + Duration::from_secs(1)).await;
        let unasked = health.status("main", true, false);
        assert!(!unasked.is_down() && unasked.is_degraded(), "who waits for it to be well would wait for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn what_callers_are_refused_and_functions_that_die_count_for_nothing() {
        let health = AccountHealth::default();
        for _ in 0..3 * MANY {
            let died = Fault::server("died").of_function();
            for fault in [Fault::rejected(Kind::NotFound, "NOT_FOUND", "no"), died, Fault::session_dead("over")] {
                health.record(Sign::Answered, Some(&fault));
                let status = health.status("main", false, false);
                assert!(!status.is_down() && !status.is_degraded(), "{fault}");
            }
        }
        let told = "breaker closed, last answer 0 s ago, last failure 0 s ago (UPSTREAM_FAULT)";
        assert_eq!(health.status("main", false, false).to_string(), told);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_login_is_down_until_something_is_answered() {
        let health = AccountHealth::default();
        let refused = Fault::upstream_auth("wrong password");
        health.record(Sign::Refused, Some(&refused));
        assert!(!health.status("main", false, false).is_down(), "one method may be forbidden");
        health.login_failed(&refused);
        let status = health.status("main", false, false);
        assert!(status.is_down());
        let told = "breaker closed, credentials refused, the last attempt failed, no answer yet, \
                    last failure 0 s ago (UPSTREAM_AUTH), last login failure 0 s ago (UPSTREAM_AUTH)";
        assert_eq!(status.to_string(), told);
        health.record(Sign::Answered, None);
        let status = health.status("main", false, false);
        assert!(!status.is_refused && !status.is_degraded());
        assert!(status.last_login_failure.is_some(), "it stays to be seen");
    }
}
