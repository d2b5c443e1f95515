//! Upstream sessions: log in, use, renew before the end, log in again, log out.

mod slot;

use std::time::Duration;

use bumpalo::Bump;
use config::Secret;
use tokio::time::Instant;

use crate::{fault::Fault, node::Node};

pub(crate) use slot::{Current, Lease, SessionSlot, Source};

/// How a provider's sessions work.
pub trait Login: Send + Sync {
    /// The call that logs in.
    fn open<'t>(&self, arena: &'t Bump) -> Exchange<'t>;

    /// The call that gets a new session for an old one without the credentials, where the upstream has one. What it answers
    /// is read by [`Self::read`].
    fn renew<'t>(&self, _old: &'t Session, _arena: &'t Bump) -> Option<Exchange<'t>> {
        None
    }

    /// The calls that end a session, in their order: revoke its refresh token, then log out, or whatever the upstream has.
    /// Each is made once, whatever became of the one before it.
    fn close<'t>(&self, _old: &'t Session, _arena: &'t Bump) -> Vec<Exchange<'t>> {
        Vec::new()
    }

    /// The session, out of the reply to a login or a renewal that was sent at `sent`.
    ///
    /// # Errors
    /// [`Fault::upstream_auth`] when the credentials are refused.
    fn read(&self, reply: Node<'_>, sent: Instant) -> Result<Session, Fault>;
}

/// One call that a session needs for itself; it has no readable form, because its arguments are secrets.
pub struct Exchange<'t> {
    /// The upstream call, as a method would name it.
    pub operation: &'t str,
    /// Its arguments in the upstream's words.
    pub arguments: Node<'t>,
}

/// What an upstream gave for a login.
#[derive(Clone, Debug)]
pub struct Session {
    key: Secret,
    refresh: Option<Secret>,
    ends: Option<Instant>,
    idle_limit: Option<Duration>,
}

impl Session {
    /// A session that ends when the upstream says so.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: Secret::new(key), refresh: None, ends: None, idle_limit: None }
    }

    /// Adds the token that renews it.
    #[must_use]
    pub fn with_refresh(mut self, token: impl Into<String>) -> Self {
        self.refresh = Some(Secret::new(token));
        self
    }

    /// Adds the moment at which it ends whatever happens.
    #[must_use]
    pub fn ending_at(mut self, end: Instant) -> Self {
        self.ends = Some(end);
        self
    }

    /// Adds how long after its last use it ends.
    #[must_use]
    pub fn ending_unused_after(mut self, limit: Duration) -> Self {
        self.idle_limit = Some(limit);
        self
    }

    /// The key that calls carry, for the one place that writes it.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.expose()
    }

    /// The token that renews it, for the one place that writes it.
    #[must_use]
    pub fn refresh(&self) -> Option<&str> {
        self.refresh.as_ref().map(Secret::expose)
    }

    /// The same failure without the session's secrets, which an upstream may have quoted.
    pub(crate) fn cleared(&self, fault: Fault) -> Fault {
        fault.without([Some(self.key()), self.refresh()].into_iter().flatten())
    }

    /// Upstreams answer a renewal with a new refresh token, or leave the old one in force.
    fn keeping_refresh_of(mut self, old: &Session) -> Self {
        self.refresh = self.refresh.or_else(|| old.refresh.clone());
        self
    }

    fn is_over(&self, used: Instant, now: Instant) -> bool {
        let is_idle = self.idle_limit.is_some_and(|limit| now.saturating_duration_since(used) >= limit);
        is_idle || self.ends.is_some_and(|end| end <= now)
    }
}
