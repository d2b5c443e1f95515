//! When a call is sent again, and after how long.

use std::time::Duration;

use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use crate::fault::Fault;

/// Attempts in all, the first included.
const MAX_ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The repeats that one account may make: 20 % of its calls and ten a second, the numbers of linkerd2
/// (reliability.md B.1), so that an upstream in trouble is not sent a multiple of its load.
#[derive(Debug)]
pub(crate) struct RetryBudget(TpsBudget);

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget(TpsBudget::new(Duration::from_secs(10), 10, 0.2))
    }
}

impl RetryBudget {
    /// Counts a new call.
    pub(crate) fn begin(&self) {
        self.0.deposit();
    }

    /// How long to wait before the next attempt, or `None` when this failure is the answer.
    pub(crate) fn delay(&self, fault: &Fault, write: bool, attempt: u32, deadline: Instant) -> Option<Duration> {
        if attempt >= MAX_ATTEMPTS || !fault.is_repeatable(write) {
            return None;
        }
        let delay = fault.retry_after().unwrap_or_else(|| jittered(attempt));
        let in_time = Instant::now().checked_add(delay).is_some_and(|then| then < deadline);
        (in_time && self.0.withdraw()).then_some(delay)
    }
}

/// Full jitter: anything between nothing and the exponential step, so that callers do not come in step.
fn jittered(attempt: u32) -> Duration {
    let step = FIRST_BACKOFF.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_BACKOFF);
    step.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Kind, Outcome};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn fault(kind: Kind, outcome: Outcome) -> Fault {
        Fault::new(kind, outcome, "X", "x")
    }

    #[tokio::test]
    async fn a_write_is_repeated_only_if_nothing_was_sent() {
        let budget = RetryBudget::default();
        assert!(budget.delay(&fault(Kind::Unavailable, Outcome::NotSent), true, 1, soon()).is_some());
        assert!(budget.delay(&fault(Kind::Unavailable, Outcome::Unknown), true, 1, soon()).is_none());
        assert!(budget.delay(&fault(Kind::Unavailable, Outcome::Unknown), false, 1, soon()).is_some());
        assert!(budget.delay(&fault(Kind::Unreadable, Outcome::Unknown), false, 1, soon()).is_none());
        assert!(budget.delay(&fault(Kind::Unavailable, Outcome::Unknown), false, 3, soon()).is_none());
    }

    #[tokio::test]
    async fn retry_after_is_honoured_if_there_is_time() {
        let budget = RetryBudget::default();
        let wait = |seconds| {
            fault(Kind::ResourceExhausted, Outcome::Rejected).with_retry_after(Some(Duration::from_secs(seconds)))
        };
        assert_eq!(budget.delay(&wait(7), false, 1, soon()), Some(Duration::from_secs(7)));
        assert_eq!(budget.delay(&wait(1_000_000_000), false, 1, soon()), None);
        assert_eq!(budget.delay(&wait(u64::MAX), false, 1, soon()), None);
    }

    #[tokio::test]
    async fn the_budget_ends() {
        let budget = RetryBudget::default();
        let granted = (0..1000)
            .filter(|_| budget.delay(&fault(Kind::Unavailable, Outcome::Unknown), false, 1, soon()).is_some())
            .count();
        assert!((1..=110).contains(&granted), "{granted}");
    }
}
