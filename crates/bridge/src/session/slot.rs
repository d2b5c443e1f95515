//! The one session of an account, which all of its calls share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Session;
use crate::fault::{Fault, Kind, Outcome};

/// At most one login in this time: a supplier that ends every session at once must not be flooded. A session that a renewal
/// made is not renewed again within it either.
const PACE: Duration = Duration::from_secs(10);
/// A renewal is due when this part of a session's life is left ...
const LAST_PART: u32 = 5;
/// ... and no earlier than this.
const EARLIEST: Duration = Duration::from_secs(60);

/// How sessions are made.
pub(crate) trait Source {
    /// Logs in.
    fn open(&self) -> impl Future<Output = Result<Session, Fault>> + Send;

    /// Whether there is a way to renew this session.
    fn can_renew(&self, old: &Session) -> bool;

    /// Renews a session. Why that failed matters to nobody: a login follows.
    fn renew(&self, old: &Session) -> impl Future<Output = Option<Session>> + Send;
}

/// The session of one account.
#[derive(Debug, Default)]
pub(crate) struct SessionSlot {
    state: Mutex<State>,
    /// Held by the one who makes a session; the state is free meanwhile.
    making: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    generation: u64,
    last_login: Option<Instant>,
    /// Why the last login failed, if it did.
    failure: Option<Fault>,
    is_closed: bool,
}

/// A session as a call holds it, and which one of the account's it is.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    session: Arc<Session>,
    generation: u64,
}

#[derive(Debug)]
struct Live {
    lease: Lease,
    used: Instant,
    /// When a renewal is due, for a session that has an end and a way to be renewed.
    due: Option<Instant>,
    /// The earliest moment of the next attempt to renew it.
    renewable: Option<Instant>,
    is_dead: bool,
}

/// What a call finds.
#[derive(Debug)]
pub(crate) enum Current {
    /// A session.
    Usable(Lease),
    /// A session that whoever is told so renews, while all use it.
    Due(Lease),
    /// None.
    Over,
}

impl Lease {
    /// The session.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }
}

impl SessionSlot {
    /// The present session. One call is told that it is due, and no other for a while.
    pub(crate) fn current(&self) -> Current {
        let (mut state, now) = (self.lock(), Instant::now());
        let Some(live) = state.live.as_mut().filter(|live| live.is_usable(now)) else { return Current::Over };
        live.used = now;
        let is_due = live.due.is_some_and(|due| due <= now) && live.take_renewal(now);
        let lease = live.lease.clone();
        if is_due { Current::Due(lease) } else { Current::Usable(lease) }
    }

    /// The present session, or one that `source` makes now. Callers that come meanwhile wait for it instead of making their own.
    pub(crate) async fn get(&self, source: &impl Source) -> Result<Lease, Fault> {
        let _alone = self.making.lock().await;
        let old = match self.found()? {
            Found::Usable(lease) => return Ok(lease),
            Found::Renewable(old) => Some(old),
            Found::Nothing => None,
        };
        self.make(source, old).await
    }

    /// Renews a session that was [`Current::Due`], unless it has gone meanwhile. If that fails, calls have the old one to its end.
    pub(crate) async fn renew(&self, due: Lease, source: &impl Source) {
        let _alone = self.making.lock().await;
        if self.has(due.generation) {
            let _ = self.make(source, Some(due)).await;
        }
    }

    async fn make(&self, source: &impl Source, old: Option<Lease>) -> Result<Lease, Fault> {
        if let Some(old) = old
            && let Some(renewed) = source.renew(&old.session).await
        {
            let session = renewed.keeping_refresh_of(&old.session);
            return Ok(self.put(session, source, PACE));
        }
        self.begin_login()?;
        match source.open().await {
            Ok(session) => Ok(self.put(session, source, Duration::ZERO)),
            Err(fault) => {
                self.lock().failure = Some(fault.clone());
                Err(fault)
            }
        }
    }

    fn found(&self) -> Result<Found, Fault> {
        let (mut state, now) = (self.lock(), Instant::now());
        if state.is_closed {
            return Err(closed());
        }
        let Some(live) = &mut state.live else { return Ok(Found::Nothing) };
        if live.is_usable(now) {
            live.used = now;
            return Ok(Found::Usable(live.lease.clone()));
        }
        let may_renew = live.take_renewal(now);
        Ok(if may_renew { Found::Renewable(live.lease.clone()) } else { Found::Nothing })
    }

    /// Notes that a login begins.
    fn begin_login(&self) -> Result<(), Fault> {
        let (mut state, now) = (self.lock(), Instant::now());
        let since = state.last_login.map(|last| now - last);
        if let Some(wait) = since.and_then(|since| PACE.checked_sub(since)).filter(|wait| !wait.is_zero()) {
            return Err(state.failure.clone().unwrap_or_else(ended).with_retry_after(Some(wait)));
        }
        state.last_login = Some(now);
        Ok(())
    }

    fn put(&self, session: Session, source: &impl Source, rest: Duration) -> Lease {
        let (mut state, now) = (self.lock(), Instant::now());
        state.generation += 1;
        state.failure = None;
        let renewable = source.can_renew(&session).then(|| now + rest);
        let due = session.ends.filter(|_| renewable.is_some()).map(|end| due(now, end));
        let lease = Lease { session: Arc::new(session), generation: state.generation };
        if !state.is_closed {
            state.live = Some(Live { lease: lease.clone(), used: now, due, renewable, is_dead: false });
        }
        lease
    }

    /// Notes that the upstream called a session dead, unless another has taken its place already.
    pub(crate) fn died(&self, dead: &Lease) {
        if let Some(live) = self.lock().live.as_mut().filter(|live| live.lease.generation == dead.generation) {
            live.is_dead = true;
        }
    }

    /// Takes the session out for its end, once who makes one is done or `patience` is over; none is made any more.
    pub(crate) async fn close(&self, patience: Duration) -> Option<Arc<Session>> {
        let _made = tokio::time::timeout(patience, self.making.lock()).await;
        self.end()
    }

    /// The same at once.
    pub(crate) fn end(&self) -> Option<Arc<Session>> {
        let mut state = self.lock();
        state.is_closed = true;
        let (live, now) = (state.live.take()?, Instant::now());
        // A token that renews outlives the session that it came with.
        let is_of_use = live.is_usable(now) || live.lease.session.refresh.is_some();
        is_of_use.then_some(live.lease.session)
    }

    fn has(&self, generation: u64) -> bool {
        self.lock().live.as_ref().is_some_and(|live| live.lease.generation == generation)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What who makes a session begins with.
enum Found {
    Usable(Lease),
    Renewable(Lease),
    Nothing,
}

impl Live {
    fn is_usable(&self, now: Instant) -> bool {
        !self.is_dead && !self.lease.session.is_over(self.used, now)
    }

    /// Whether a renewal may be tried now; then no other may be for a while.
    fn take_renewal(&mut self, now: Instant) -> bool {
        let may = self.renewable.is_some_and(|earliest| earliest <= now);
        if may {
            self.renewable = Some(now + PACE);
        }
        may
    }
}

/// When a session that was made now is to be renewed.
fn due(now: Instant, end: Instant) -> Instant {
    let life = end.saturating_duration_since(now);
    now + (life - (life / LAST_PART).min(EARLIEST))
}

fn ended() -> Fault {
    let message = "the upstream ended its session and the next login is due in a moment";
    Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_SESSION", message)
}

fn closed() -> Fault {
    let message = "the account's session was closed, because the service stops or the account was replaced";
    Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_SESSION", message)
}

#[cfg(test)]
mod tests;
