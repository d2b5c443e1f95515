//! One call on its way: sessions, attempts, repeats, and a write that outlives its caller.

mod untyped;

use std::{borrow::Cow, sync::Arc, time::Duration};

use bumpalo::Bump;
use http::HeaderValue;
use http::StatusCode;
use prost::{Message, Name};
use protocol::CallContext;
use protocol::headers::UNREADABLE_FIELDS;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep},
};
use tonic::Response;

use crate::{
    account::{Account, Shared},
    detached::{Asker, DetachedWrite},
    fault::{Fault, Kind, Outcome},
    http::{HttpReply, HttpRequest, MAX_REPLY_BYTES},
    node::Node,
    provider::Outgoing,
    session::{Lease, Session},
    sign::Sign,
    table::{Decoded, Tables},
    telemetry::Attempt,
};

/// One incoming call: its account, its deadline, its place in the trace.
#[derive(Clone)]
pub struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) account: Arc<Account>,
    /// With the deadline of the upstream in place of the caller's. A write that outlives its caller keeps the permit in it, so
    /// that drain waits.
    pub(crate) context: CallContext,
}

/// How many times the bytes of a reply the records of its message may take.
const MEMORY: usize = 16;

type Decode<'c, R> = dyn for<'t> Fn(Node<'t>) -> Result<R, Fault> + Send + Sync + 'c;

impl Call {
    /// As [`crate::Upstream::read`], with the fault for the caller to look at.
    ///
    /// # Errors
    /// The [`Fault`] of the last attempt.
    pub async fn read<Q, R>(&self, operation: &'static str, request: &Q) -> Result<Response<R>, Fault>
    where
        Q: Message + Name,
        R: Message + Name + Default,
    {
        let result = self.typed(operation, false, request, &|| false).await;
        result.map_err(|fault| fault.with_operation(self.shared.operation(false, None)))
    }

    /// As [`crate::Upstream::write`], with the fault for the caller to look at. A caller that goes away stops the write
    /// only before anything was sent; else it goes on in a task of its own.
    ///
    /// # Errors
    /// The [`Fault`] of the attempt.
    pub fn write<Q, R>(
        &self,
        operation: &'static str,
        request: Q,
    ) -> impl Future<Output = Result<Response<R>, Fault>> + Send + use<Q, R>
    where
        Q: Message + Name + 'static,
        R: Message + Name + Default + 'static,
    {
        let (call, asker) = (self.clone(), Asker::default());
        let gone = asker.clone();
        let work = async move { call.typed(operation, true, &request, &|| gone.is_gone()).await };
        // Boxed before anything is awaited: each future around it would have room for the whole request.
        let write = DetachedWrite::new(asker, work);
        let told = self.told_of_write(operation.into(), Tables::probe::<Q>);
        async move { write.await.map_err(told) }
    }

    /// Stamps the fault of a write with its probe, which is looked for only then.
    fn told_of_write<P>(
        &self,
        operation: Cow<'static, str>,
        probe: P,
    ) -> impl FnOnce(Fault) -> Fault + Send + 'static + use<P>
    where
        P: FnOnce(&Tables) -> Option<Arc<str>> + Send + 'static,
    {
        let (shared, account) = (self.shared.clone(), self.account.clone());
        move |fault| {
            let probe = account.tables(&operation).ok().and_then(probe);
            fault.with_operation(shared.operation(true, probe))
        }
    }

    async fn typed<Q, R>(
        &self,
        operation: &str,
        write: bool,
        request: &Q,
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Response<R>, Fault>
    where
        Q: Message + Name,
        R: Message + Name + Default,
    {
        let (tables, room) = self.admitted(operation)?;
        let arena = Bump::new();
        let arguments = tables.encode(request, &arena).map_err(Fault::invalid)?;
        self.answered(operation, write, arguments, &|node| checked(tables.decode_within(node, room)), gone).await
    }

    /// The tables of an operation that the account may make, and the bytes that a reply's records may take.
    fn admitted(&self, operation: &str) -> Result<(&Tables, usize), Fault> {
        self.account.provider.admit(operation)?;
        Ok((self.account.tables(operation)?, self.account.client.max_reply_bytes().saturating_mul(MEMORY)))
    }

    async fn answered<R: Send>(
        &self,
        operation: &str,
        write: bool,
        arguments: Node<'_>,
        decode: &Decode<'_, Decoded<R>>,
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Response<R>, Fault> {
        let (decoded, _) = self.exchange(operation, write, arguments, &Whole(decode), gone).await?;
        self.shared.telemetry.unreadable(operation, &decoded.unreadable, &self.context.trace);
        Ok(respond(decoded))
    }

    /// Sends until there is an answer that counts, within the budget and the deadline. With it comes the call's place among those
    /// of the account.
    pub(crate) async fn exchange<W: Receive>(
        &self,
        operation: &str,
        write: bool,
        arguments: Node<'_>,
        receive: &W,
        gone: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(W::Value, OwnedSemaphorePermit), Fault> {
        let account = &*self.account;
        // What the caller got wrong is said before anything else happens.
        let ready = match account.provider.login() {
            None => Some(write_request(account, operation, None, arguments)?),
            Some(_) => None,
        };
        let place = account.enter()?;
        account.budget.begin();
        let mut replayed = false;
        let mut attempt = 1;
        loop {
            let lease = self.session().await?;
            account.breaker.check()?;
            if gone() {
                return Err(caller_gone());
            }
            let session = lease.as_ref().map(Lease::session);
            let request = match &ready {
                Some(request) => Cow::Borrowed(request),
                None => Cow::Owned(write_request(account, operation, session, arguments)?),
            };
            let sending = Sending { operation, write, attempt, session, is_renewal: false };
            let fault = match self.attempt(&sending, &request, receive).await {
                Ok(value) => return Ok((value, place)),
                Err(fault) => fault,
            };
            if let Some(lease) = lease.filter(|_| fault.kind() == Kind::SessionDead && !replayed) {
                account.session.died(&lease);
                replayed = true;
                continue;
            }
            let Some(delay) = account.budget.delay(&fault, write, attempt, self.context.deadline) else {
                return Err(fault);
            };
            sleep(delay).await;
            attempt += 1;
        }
    }

    /// Sends once and takes the answer.
    pub(crate) async fn attempt<W: Receive>(
        &self,
        sending: &Sending<'_>,
        request: &HttpRequest,
        receive: &W,
    ) -> Result<W::Value, Fault> {
        let account = &*self.account;
        if self.context.deadline <= Instant::now() {
            return Err(Fault::not_in_time());
        }
        let begun = Instant::now();
        let span = self.shared.telemetry.begin(sending.operation, request, sending.attempt, &self.context.trace);
        let Received { status, waited, result } = receive.receive(self, sending, request).await;
        self.context.upstream_time.iter().for_each(|time| time.add(waited));
        self.shared.telemetry.end(span, status, result.as_ref().map(|_| ()));
        let sign = Sign::of(&result, begun.elapsed());
        account.breaker.record(sign);
        account.health.record(sign, result.as_ref().err());
        match &result {
            Ok(_) => account.guard.record(false),
            Err(fault) if fault.kind() == Kind::UpstreamAuth => account.guard.record(true),
            Err(_) => {}
        }
        result
    }
}

/// What becomes of the answer to one attempt.
pub(crate) trait Receive: Sync {
    /// What the caller gets of it.
    type Value: Send;

    /// Sends the request and takes what comes.
    fn receive(
        &self,
        call: &Call,
        sending: &Sending<'_>,
        request: &HttpRequest,
    ) -> impl Future<Output = Received<Self::Value>> + Send;
}

/// The answer to one attempt.
pub(crate) struct Received<T> {
    /// The status of the reply, if one came.
    pub(crate) status: Option<u16>,
    /// How long the upstream took.
    pub(crate) waited: Duration,
    pub(crate) result: Result<T, Fault>,
}

/// Reads the whole reply.
pub(crate) struct Whole<'c, R>(pub(crate) &'c Decode<'c, R>);

impl<R: Send> Receive for Whole<'_, R> {
    type Value = R;

    async fn receive(&self, call: &Call, sending: &Sending<'_>, request: &HttpRequest) -> Received<R> {
        let begun = Instant::now();
        let reply = call.account.client.send(request, sending.write, call.context.deadline).await;
        let (status, waited) = (Attempt::status(&reply), begun.elapsed());
        let result = reply.and_then(|reply| read_reply(&call.account, sending, &reply, self.0));
        Received { status, waited, result }
    }
}

/// One attempt of a call.
pub(crate) struct Sending<'s> {
    pub(crate) operation: &'s str,
    pub(crate) write: bool,
    /// Counted from one.
    pub(crate) attempt: u32,
    pub(crate) session: Option<&'s Session>,
    /// Whether it renews the session: a refusal is then about that, and not about the account's credentials.
    pub(crate) is_renewal: bool,
}

impl Sending<'_> {
    /// A fault of the reply as it may be told.
    fn told(&self, fault: Fault, status: StatusCode) -> Fault {
        let fault = match fault.kind() {
            Kind::UpstreamAuth if self.is_renewal => Fault::session_dead("the renewal was refused"),
            _ => fault,
        };
        let fault = match self.session {
            Some(session) => session.cleared(fault),
            None => fault,
        };
        if fault.http_status().is_some() { fault } else { fault.with_http_status(status.as_u16()) }
    }
}

/// What a provider adds and what a reply holds live in arenas of their own, one for each attempt.
pub(crate) fn write_request(
    account: &Account,
    operation: &str,
    session: Option<&Session>,
    arguments: Node<'_>,
) -> Result<HttpRequest, Fault> {
    let arena = Bump::new();
    let call = Outgoing { operation, arguments, session, arena: &arena };
    account.provider.request(&call)
}

pub(crate) fn read_reply<R>(
    account: &Account,
    sending: &Sending<'_>,
    reply: &HttpReply,
    decode: &Decode<'_, R>,
) -> Result<R, Fault> {
    let arena = Bump::with_capacity(reply.body.len() * 2);
    let read = account.provider.reply(sending.operation, reply, &arena).and_then(decode);
    read.map_err(|fault| sending.told(fault, reply.status))
}

fn checked<R>(decoded: Decoded<R>) -> Result<Decoded<R>, Fault> {
    if decoded.is_too_large {
        return Err(Fault::too_large(MAX_REPLY_BYTES, "has more records than fit into memory"));
    }
    if decoded.missing.is_empty() { Ok(decoded) } else { Err(Fault::missing(&decoded.missing)) }
}

fn respond<R>(decoded: Decoded<R>) -> Response<R> {
    let mut response = Response::new(decoded.message);
    if !decoded.unreadable.is_empty() {
        let paths: Vec<&str> = decoded.unreadable.iter().take(20).map(|problem| problem.field.as_str()).collect();
        // A path may end in a key of the upstream's own.
        let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        if let Ok(value) = HeaderValue::try_from(paths.join(",").chars().map(plain).collect::<String>()) {
            response.metadata_mut().as_mut().insert(UNREADABLE_FIELDS, value);
        }
    }
    response
}

fn caller_gone() -> Fault {
    let message = "the caller went away before anything was sent";
    Fault::new(Kind::Unavailable, Outcome::NotSent, "CALLER_GONE", message)
}
