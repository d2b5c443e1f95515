//! Upstream sessions: log in, use, expire, log in again; and the stop after refused credentials.

use std::{sync::Arc, time::Duration};

use bumpalo::Bump;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    fault::{Fault, Kind, Outcome},
    node::Node,
};

/// How a provider's sessions work.
pub trait Login: Send + Sync {
    /// The upstream call that logs in.
    fn operation(&self) -> &'static str;

    /// The arguments of that call.
    fn arguments<'t>(&self, arena: &'t Bump) -> Node<'t>;

    /// The session's key, out of the reply.
    ///
    /// # Errors
    /// [`Fault::upstream_auth`] when the credentials are refused.
    fn key(&self, reply: Node<'_>) -> Result<String, Fault>;

    /// How long a session lives.
    fn lifetime(&self) -> Lifetime;
}

/// When a session is over without the upstream saying so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifetime {
    /// Counted from the login.
    pub absolute: Option<Duration>,
    /// Counted from the last use.
    pub sliding: Option<Duration>,
}

/// A live session; cloned into each call that uses it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) key: Arc<str>,
    number: u64,
}

/// At most one login in this time: a supplier that ends every session at once must not be flooded.
const PACE: Duration = Duration::from_secs(10);

/// The session of one account.
#[derive(Debug, Default)]
pub(crate) struct SessionSlot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    last_login: Option<Instant>,
    /// Why the last login failed, if it did.
    failure: Option<Fault>,
    logins: u64,
}

#[derive(Debug)]
struct Live {
    session: Session,
    since: Instant,
    used: Instant,
}

impl SessionSlot {
    /// The live session, if there is one and no login is under way.
    pub(crate) fn current(&self, lifetime: Lifetime) -> Option<Session> {
        let mut state = self.0.try_lock().ok()?;
        let now = Instant::now();
        let live = state.live.as_mut().filter(|live| live.is_valid(lifetime, now))?;
        live.used = now;
        Some(live.session.clone())
    }

    /// The live session, or one that `log_in` makes now. Callers that come meanwhile wait for the one
    /// login instead of making their own.
    pub(crate) async fn get<F>(&self, lifetime: Lifetime, log_in: impl FnOnce() -> F) -> Result<Session, Fault>
    where
        F: Future<Output = Result<String, Fault>>,
    {
        let mut state = self.0.lock().await;
        let now = Instant::now();
        if let Some(live) = state.live.as_mut().filter(|live| live.is_valid(lifetime, now)) {
            live.used = now;
            return Ok(live.session.clone());
        }
        if let Some(wait) =
            state.last_login.and_then(|last| PACE.checked_sub(now - last)).filter(|wait| !wait.is_zero())
        {
            return Err(state.failure.clone().unwrap_or_else(ended).with_retry_after(Some(wait)));
        }
        state.last_login = Some(now);
        state.live = None;
        let key = log_in().await.inspect_err(|fault| state.failure = Some(fault.clone()))?;
        state.failure = None;
        let now = Instant::now();
        state.logins += 1;
        let session = Session { key: key.into(), number: state.logins };
        state.live = Some(Live { session: session.clone(), since: now, used: now });
        Ok(session)
    }

    /// Forgets a session that the upstream called dead, unless another call has replaced it already.
    pub(crate) async fn forget(&self, session: &Session) {
        let mut state = self.0.lock().await;
        if state.live.as_ref().is_some_and(|live| live.session.number == session.number) {
            state.live = None;
        }
    }
}

impl Live {
    fn is_valid(&self, lifetime: Lifetime, now: Instant) -> bool {
        let within = |limit: Option<Duration>, start: Instant| limit.is_none_or(|limit| now - start < limit);
        within(lifetime.absolute, self.since) && within(lifetime.sliding, self.used)
    }
}

fn ended() -> Fault {
    let message = "the upstream ended its session and the next login is due in a moment";
    Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_SESSION", message)
}

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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const HOUR: Lifetime = Lifetime { absolute: Some(Duration::from_secs(3600)), sliding: None };

    async fn log_in(count: &AtomicU32) -> Result<String, Fault> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(format!("key{}", count.fetch_add(1, Ordering::SeqCst)))
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_make_one_login() {
        let (slot, count) = (Arc::new(SessionSlot::default()), Arc::new(AtomicU32::new(0)));
        let calls = (0..20).map(|_| {
            let (slot, count) = (slot.clone(), count.clone());
            tokio::spawn(async move { slot.get(HOUR, || log_in(&count)).await.unwrap().key.to_string() })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), "key0");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_expire_absolutely_or_by_rest() {
        let (slot, count) = (SessionSlot::default(), AtomicU32::new(0));
        let sliding = Lifetime { absolute: None, sliding: Some(Duration::from_secs(60)) };
        for (lifetime, pause, logins) in
            [(HOUR, 0, 1), (HOUR, 3500, 1), (HOUR, 101, 2), (sliding, 59, 2), (sliding, 59, 2), (sliding, 61, 3)]
        {
            tokio::time::advance(Duration::from_secs(pause)).await;
            slot.get(lifetime, || log_in(&count)).await.unwrap();
            assert_eq!(count.load(Ordering::SeqCst), logins);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn logins_are_paced_and_only_the_dead_session_is_forgotten() {
        let (slot, count) = (SessionSlot::default(), AtomicU32::new(0));
        let first = slot.get(HOUR, || log_in(&count)).await.unwrap();
        slot.forget(&first).await;
        let early = slot.get(HOUR, || log_in(&count)).await.unwrap_err();
        assert_eq!((early.outcome(), early.kind()), (Outcome::NotSent, Kind::Unavailable));
        assert!(early.retry_after().unwrap() <= PACE);
        tokio::time::advance(PACE).await;
        let second = slot.get(HOUR, || log_in(&count)).await.unwrap();
        slot.forget(&first).await;
        assert_eq!(slot.get(HOUR, || log_in(&count)).await.unwrap().key, second.key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_failed_says_so_until_the_next_one_is_due() {
        let (slot, count) = (SessionSlot::default(), AtomicU32::new(0));
        let refused = Fault::upstream_auth("Incorrect password.");
        let away = Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE", "cannot be reached");
        for fault in [refused, away] {
            tokio::time::advance(PACE).await;
            slot.get(HOUR, || async { Err(fault.clone()) }).await.unwrap_err();
            for seconds in [0, 1, 8] {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                let told = slot.get(HOUR, || log_in(&count)).await.unwrap_err();
                assert_eq!((told.kind(), told.reason()), (fault.kind(), fault.reason()));
                assert_eq!(told.upstream_message(), fault.upstream_message());
                assert!(told.retry_after().unwrap() <= PACE);
            }
        }
        tokio::time::advance(PACE).await;
        let session = slot.get(HOUR, || log_in(&count)).await.unwrap();
        slot.forget(&session).await;
        assert_eq!(slot.get(HOUR, || log_in(&count)).await.unwrap_err().reason(), "UPSTREAM_SESSION");
    }

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
