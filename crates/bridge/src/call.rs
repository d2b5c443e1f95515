//! One call on its way: sessions, attempts, repeats, and the task of a write.

use std::{borrow::Cow, sync::Arc};

use bumpalo::Bump;
use opentelemetry::Context;
use prost::{Message, Name};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, sleep, timeout_at},
};
use tonic::{Response, metadata::MetadataValue};

use crate::{
    fault::{Fault, Kind, Outcome},
    http::{HttpReply, HttpRequest},
    node::Node,
    session::{Login, Session},
    table::{Decoded, Tables},
    telemetry::Attempt,
    upstream::{Account, Outgoing, Shared, UNREADABLE_FIELDS},
};

/// One incoming call: its account, its deadline, its place in the trace.
#[derive(Clone)]
pub struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) account: String,
    pub(crate) deadline: Instant,
    pub(crate) context: Context,
    /// The call's place in the process; a write that outlives its caller keeps it, so that drain waits.
    pub(crate) _place: Option<Arc<OwnedSemaphorePermit>>,
}

type Encode<'c> = dyn for<'t> Fn(&'t Bump) -> Result<Node<'t>, Fault> + Send + Sync + 'c;
type Decode<'c, R> = dyn for<'t> Fn(Node<'t>) -> Result<R, Fault> + Send + Sync + 'c;

impl Call {
    /// As [`Upstream::read`], with the fault for the caller to look at.
    ///
    /// # Errors
    /// The [`Fault`] of the last attempt.
    pub async fn read<Q, R>(&self, operation: &'static str, request: &Q) -> Result<Response<R>, Fault>
    where
        Q: Message + Name,
        R: Message + Name + Default,
    {
        let result = self.typed(operation, false, request, &|| false).await;
        result.map_err(|fault| fault.with_operation(self.shared.operation(false, "")))
    }

    /// As [`Upstream::write`], with the fault for the caller to look at. The write has a task of its own:
    /// a caller that goes away stops it only before anything was sent.
    ///
    /// # Errors
    /// The [`Fault`] of the attempt.
    pub async fn write<Q, R>(
        &self,
        operation: &'static str,
        probe: &'static str,
        request: Q,
    ) -> Result<Response<R>, Fault>
    where
        Q: Message + Name + 'static,
        R: Message + Name + Default + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call = self.clone();
        tokio::spawn(async move {
            let result = call.typed(operation, true, &request, &|| answer.is_closed()).await;
            let _ = answer.send(result);
        });
        let lost =
            |_| Fault::new(Kind::Unreadable, Outcome::Unknown, "INTERNAL", "the write's task ended without a result");
        let result = answered.await.map_err(lost).flatten();
        result.map_err(|fault| fault.with_operation(self.shared.operation(true, probe)))
    }

    async fn typed<Q, R>(
        &self,
        operation: &'static str,
        write: bool,
        request: &Q,
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Response<R>, Fault>
    where
        Q: Message + Name,
        R: Message + Name + Default,
    {
        let tables = &self.account().tables;
        let decoded = self
            .exchange(operation, write, &|arena| encode(tables, request, arena), &|node| decode(tables, node), gone)
            .await?;
        self.shared.telemetry.unreadable(operation, &decoded.unreadable, &self.context);
        Ok(respond(decoded))
    }

    /// Sends until there is an answer that counts, within the budget and the deadline.
    pub(crate) async fn exchange<R>(
        &self,
        operation: &'static str,
        write: bool,
        encode: &Encode<'_>,
        decode: &Decode<'_, R>,
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<R, Fault> {
        let account = self.account();
        // What the caller got wrong is said before anything else happens.
        encode(&Bump::new())?;
        let _place = account.enter()?;
        account.budget.begin();
        let mut replayed = false;
        let mut attempt = 1;
        loop {
            if gone() {
                return Err(Fault::new(
                    Kind::Unavailable,
                    Outcome::NotSent,
                    "CALLER_GONE",
                    "the caller went away before anything was sent",
                ));
            }
            let session = self.session(account).await?;
            let result = self.attempt(operation, write, attempt, session.as_ref(), encode, decode).await;
            let fault = match result {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            if fault.kind() == Kind::SessionDead
                && !replayed
                && let Some(session) = &session
            {
                account.session.forget(session).await;
                replayed = true;
                continue;
            }
            let Some(delay) = account.budget.delay(&fault, write, attempt, self.deadline) else { return Err(fault) };
            sleep(delay).await;
            attempt += 1;
        }
    }

    async fn session(&self, account: &Account) -> Result<Option<Session>, Fault> {
        account.guard.check()?;
        let Some(login) = account.provider.login() else { return Ok(None) };
        let got = timeout_at(self.deadline, account.session.get(login.lifetime(), || self.log_in(login))).await;
        got.map_err(|_| not_in_time())?.map(Some)
    }

    /// Makes one login. Whatever becomes of it, the call it was for has not been sent.
    async fn log_in(&self, login: &dyn Login) -> Result<String, Fault> {
        let result = self
            .attempt(login.operation(), false, 1, None, &|arena| Ok(login.arguments(arena)), &|node| login.key(node))
            .await;
        result.map_err(|fault| not_logged_in(&fault))
    }

    async fn attempt<R>(
        &self,
        operation: &'static str,
        write: bool,
        attempt: u32,
        session: Option<&Session>,
        encode: &Encode<'_>,
        decode: &Decode<'_, R>,
    ) -> Result<R, Fault> {
        let account = self.account();
        if self.deadline <= Instant::now() {
            return Err(not_in_time());
        }
        let request = write_request(account, operation, session, encode)?;
        let span = self.shared.telemetry.begin(operation, &request, attempt, &self.context);
        let reply = account.client.send(&request, write, self.deadline).await;
        let status = Attempt::status(&reply);
        let result = reply.and_then(|reply| read_reply(account, operation, &reply, decode));
        self.shared.telemetry.end(span, status, result.as_ref().map(|_| ()));
        match &result {
            Ok(_) => account.guard.record(false),
            Err(fault) if fault.kind() == Kind::UpstreamAuth => account.guard.record(true),
            Err(_) => {}
        }
        result
    }

    pub(crate) fn account(&self) -> &Account {
        &self.shared.accounts[&self.account]
    }
}

/// Request and reply live in arenas that cannot cross an await, so each is handled in one go.
fn write_request(
    account: &Account,
    operation: &str,
    session: Option<&Session>,
    encode: &Encode<'_>,
) -> Result<HttpRequest, Fault> {
    let arena = Bump::new();
    let session = session.map(|session| &*session.key);
    let call = Outgoing { operation, arguments: encode(&arena)?, session, arena: &arena };
    account.provider.request(&call)
}

fn read_reply<R>(account: &Account, operation: &str, reply: &HttpReply, decode: &Decode<'_, R>) -> Result<R, Fault> {
    let arena = Bump::with_capacity(reply.body.len() * 2);
    let read = account.provider.reply(operation, reply, &arena).and_then(decode);
    read.map_err(
        |fault| if fault.http_status().is_some() { fault } else { fault.with_http_status(reply.status.as_u16()) },
    )
}

fn encode<'t, Q: Message + Name>(tables: &Tables, request: &Q, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    tables.encode(request, arena).map_err(Fault::invalid)
}

fn decode<R: Message + Name + Default>(tables: &Tables, node: Node<'_>) -> Result<Decoded<R>, Fault> {
    let decoded = tables.decode::<R>(node);
    if decoded.missing.is_empty() { Ok(decoded) } else { Err(Fault::missing(&decoded.missing)) }
}

fn respond<R>(decoded: Decoded<R>) -> Response<R> {
    let mut response = Response::new(decoded.message);
    if !decoded.unreadable.is_empty() {
        let paths: Vec<Cow<'_, str>> =
            decoded.unreadable.iter().take(20).map(|problem| problem.field.as_str().into()).collect();
        if let Ok(value) = MetadataValue::try_from(paths.join(",")) {
            response.metadata_mut().insert(UNREADABLE_FIELDS, value);
        }
    }
    response
}

fn not_in_time() -> Fault {
    Fault::new(
        Kind::DeadlineExceeded,
        Outcome::NotSent,
        "DEADLINE_TOO_SHORT",
        "the deadline passed before anything was sent",
    )
}

fn not_logged_in(fault: &Fault) -> Fault {
    let kind = if fault.kind() == Kind::UpstreamAuth { Kind::UpstreamAuth } else { Kind::Unavailable };
    let message = format!("no session with the upstream: {}", fault.message());
    let new = Fault::new(kind, Outcome::NotSent, fault.reason(), message).with_retry_after(fault.retry_after());
    fault.upstream_message().map_or(new.clone(), |text| new.with_upstream_message(text))
}
