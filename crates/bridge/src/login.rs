//! How calls come by a session.

use std::time::Duration;

use bumpalo::Bump;
use protocol::CallContext;
use tokio::time::{Instant, timeout_at};

use crate::{
    call::{Call, Sending, Whole, write_request},
    fault::{Fault, Kind, Outcome},
    session::{Current, Exchange, Lease, Login, Session, Source},
};

/// How long a login may take, whatever the deadline of the call that needs it.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// How long a renewal may take; a login follows if it fails.
const RENEWAL_LIMIT: Duration = Duration::from_secs(10);

impl Call {
    /// The session that the call uses, if the upstream has sessions.
    pub(crate) async fn session(&self) -> Result<Option<Lease>, Fault> {
        let account = &*self.account;
        account.guard.check()?;
        if account.provider.login().is_none() {
            return Ok(None);
        }
        match account.session.current() {
            Current::Usable(lease) => Ok(Some(lease)),
            Current::Due(lease) => {
                self.renew_aside(lease.clone());
                Ok(Some(lease))
            }
            Current::Over => self.new_session().await.map(Some),
        }
    }

    async fn new_session(&self) -> Result<Lease, Fault> {
        let call = self.clone();
        // The session is for everybody: the login goes on when the caller that began it goes away.
        let task = tokio::spawn(async move { call.account.session.get(&call).await });
        let ended = timeout_at(self.context.deadline, task).await.map_err(|_| Fault::not_in_time())?;
        ended.map_err(|_| Fault::not_in_time())?
    }

    /// Renews the session for those who come later; this call neither waits for it nor pays for it.
    fn renew_aside(&self, due: Lease) {
        let context = CallContext { permit: None, upstream_time: None, ..self.context.clone() };
        let call = Call { context, ..self.clone() };
        tokio::spawn(async move { call.account.session.renew(due, &call).await });
    }

    async fn obtain(
        &self,
        login: &dyn Login,
        exchange: Exchange<'_>,
        old: Option<&Session>,
        limit: Duration,
    ) -> Result<Session, Fault> {
        let operation = exchange.operation;
        let request = write_request(&self.account, operation, old, exchange.arguments)?;
        let sent = Instant::now();
        let context = CallContext { deadline: sent + limit, ..self.context.clone() };
        let call = Call { context, ..self.clone() };
        let sending = Sending { operation, write: false, attempt: 1, session: old, is_renewal: old.is_some() };
        call.attempt(&sending, &request, &Whole(&|node| login.read(node, sent))).await
    }
}

impl Source for Call {
    /// Whatever becomes of a login, the call it was for has not been sent.
    async fn open(&self) -> Result<Session, Fault> {
        let Some(login) = self.account.provider.login() else { return Err(Fault::not_in_time()) };
        let arena = Bump::new();
        let opened = self.obtain(login, login.open(&arena), None, LOGIN_LIMIT).await;
        opened.inspect_err(|fault| self.account.health.login_failed(fault)).map_err(|fault| not_logged_in(&fault))
    }

    fn can_renew(&self, old: &Session) -> bool {
        self.account.provider.login().is_some_and(|login| login.renew(old, &Bump::new()).is_some())
    }

    async fn renew(&self, old: &Session) -> Option<Session> {
        let (login, arena) = (self.account.provider.login()?, Bump::new());
        let renewed = self.obtain(login, login.renew(old, &arena)?, Some(old), RENEWAL_LIMIT).await;
        renewed.inspect_err(|fault| tracing::debug!(reason = fault.reason(), "a session could not be renewed")).ok()
    }
}

fn not_logged_in(fault: &Fault) -> Fault {
    let kind = if fault.kind() == Kind::UpstreamAuth { Kind::UpstreamAuth } else { Kind::Unavailable };
    let message = format!("no session with the upstream: {}", fault.message());
    let new = Fault::new(kind, Outcome::NotSent, fault.reason(), message).with_retry_after(fault.retry_after());
    fault.upstream_message().map_or(new.clone(), |text| new.with_upstream_message(text))
}
