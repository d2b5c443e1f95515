//! The stop after refused credentials.

use std::time::Duration;

use tokio::time::Instant;

use crate::fault::{Fault, Kind, Outcome};

/// Refusals in a row after which an account is left alone.
const MAX_REFUSALS: u32 = 3;
/// How long it is left alone before one more call is let through.
const REST: Duration = Duration::from_secs(60);

/// Counts refused credentials of one account, so that a supplier does not ban our address for a password
/// that an operator mistyped.
#[derive(Debug, Default)]
pub(crate) struct CredentialGuard(std::sync::Mutex<Refusals>);

#[derive(Debug, Default)]
struct Refusals {
    in_a_row: u32,
    last: Option<Instant>,
}

impl CredentialGuard {
    /// Refuses a call while the account rests.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let mut refusals = self.lock();
        let now = Instant::now();
        let rest = refusals.last.and_then(|last| REST.checked_sub(now - last)).filter(|rest| !rest.is_zero());
        match rest {
            Some(rest) if refusals.in_a_row >= MAX_REFUSALS => {
                let message =
                    "the upstream refused this account's credentials repeatedly; it is left alone for a minute";
                Err(Fault::new(Kind::UpstreamAuth, Outcome::NotSent, "UPSTREAM_AUTH", message)
                    .with_retry_after(Some(rest)))
            }
            _ => {
                // One call goes through after the rest; the others wait for its answer.
                if refusals.in_a_row >= MAX_REFUSALS {
                    refusals.last = Some(now);
                }
                Ok(())
            }
        }
    }

    /// Whether calls are held back because the credentials were refused repeatedly.
    pub(crate) fn is_resting(&self) -> bool {
        self.lock().in_a_row >= MAX_REFUSALS
    }

    /// Counts the answer of a call.
    pub(crate) fn record(&self, refused: bool) {
        let mut refusals = self.lock();
        if refused {
            refusals.in_a_row = refusals.in_a_row.saturating_add(1);
            refusals.last = Some(Instant::now());
        } else {
            *refusals = Refusals::default();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Refusals> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refused_credentials_stop_the_account() {
        let guard = CredentialGuard::default();
        for _ in 0..3 {
            guard.check().unwrap();
            guard.record(true);
        }
        assert_eq!(guard.check().unwrap_err().kind(), Kind::UpstreamAuth);
        tokio::time::advance(REST).await;
        guard.check().unwrap();
        assert!(guard.check().is_err(), "one probe at a time");
        guard.record(false);
        guard.check().unwrap();
        guard.check().unwrap();
    }
}
