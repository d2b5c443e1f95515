//! Sends a call to an instance, and retries only where that is safe.

pub(crate) mod channel;
pub(crate) mod relay;
mod replay;
pub(crate) mod verdict;

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use opentelemetry::Context;
use protocol::{Body, deadline, method::Idempotency};
use serving::CallNotes;
use tokio::time::{Instant, sleep, timeout_at};
use tower::retry::budget::Budget;

use crate::{
    answer::{self, Answer},
    fleet::{
        connection::{Connection, SendError, StreamPermit},
        ready::PickError,
        route::Route,
    },
    forward::{
        relay::{PendingReply, Relay},
        replay::Replay,
    },
    headers,
    limits::{self, CallPermit},
    telemetry::client_span::{ClientSpan, ClientSpans},
};

/// Maximum attempts per call.
const ATTEMPTS: usize = 3;

/// Shortest silence that counts as a failure of the instance: a short deadline says nothing about it.
const MUTE: Duration = Duration::from_secs(1);

/// An admitted call on its way to a service.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    /// Where to.
    pub(crate) route: &'a Arc<Route>,
    /// The request path.
    pub(crate) path: &'a str,
    /// The method for telemetry; unknown methods share one name, so that they cannot grow the metrics.
    pub(crate) method: Arc<str>,
    /// Whether it may be repeated.
    pub(crate) idempotency: Idempotency,
    /// The caller's deadline.
    pub(crate) deadline: Instant,
    /// When to send the call to a second instance as well, if at all.
    pub(crate) hedge: Option<Duration>,
    /// Metadata for the service, but for deadline and trace.
    pub(crate) headers: HeaderMap,
    /// The server span.
    pub(crate) parent: Context,
    /// Records which instance answered, and how long it took.
    pub(crate) notes: CallNotes,
}

/// Why one attempt brought no reply.
enum Missed {
    /// Final.
    Final(Box<Answer>),
    /// Another attempt is safe; without one, this is the answer.
    Again(Arc<Connection>, Box<Answer>),
}

impl Forward<'_> {
    /// Makes the call.
    pub(crate) async fn forward(
        self,
        body: Body,
        call_permit: CallPermit,
        spans: &ClientSpans,
    ) -> Result<Response<Relay>, Box<Answer>> {
        let body = Replay::new(body);
        let tried = self.try_all(&body, spans).await;
        // The service is not to blame when the caller breaks off its stream.
        let tried = tried.map_err(|answer| match body.failure() {
            Some(status) => answer::broken_off(&self.route.provider, self.idempotency, &status),
            None => answer,
        });
        let mut response = tried?;
        response.body_mut().hold(call_permit);
        Ok(response)
    }

    async fn try_all(&self, body: &Replay<Body>, spans: &ClientSpans) -> Result<Response<Relay>, Box<Answer>> {
        let mut repeats_left = usize::from(self.idempotency == Idempotency::Read);
        let mut last: Option<(Arc<Connection>, Box<Answer>)> = None;
        self.route.budget.deposit();
        for _ in 0..ATTEMPTS {
            let avoid = last.as_ref().map(|(connection, _)| connection);
            let permit = match self.route.acquire(avoid, self.deadline).await {
                Ok(permit) => permit,
                Err(error) => return Err(self.unplaced(error, last)),
            };
            let Some(attempt) = body.attempt() else { break };
            let tried = match self.hedge {
                // Boxed: two attempts take a lot of space, and few calls need them.
                Some(after) => Box::pin(self.hedged(permit, attempt, (body, after), spans, &mut repeats_left)).await,
                None => self.attempt(permit, attempt, spans, &mut repeats_left).await,
            };
            match tried {
                Ok(response) => return Ok(response),
                Err(Missed::Final(answer)) => return Err(answer),
                Err(Missed::Again(connection, answer)) => last = Some((connection, answer)),
            }
        }
        Err(self.unplaced(PickError::Unreachable, last))
    }

    async fn attempt<B>(
        &self,
        permit: StreamPermit,
        body: B,
        spans: &ClientSpans,
        repeats_left: &mut usize,
    ) -> Result<Response<Relay>, Missed>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let provider = &self.route.provider;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let Some(passed_on) = deadline::passed_on(left) else {
            return Err(Missed::Final(answer::too_late(provider)));
        };
        let waited_for = deadline::waited_for(left);
        let patience = Instant::now() + waited_for;
        let (mut head, mut span) = self.head(&permit, spans);
        let timeout = deadline::to_header(passed_on);
        head.headers_mut().insert(protocol::headers::GRPC_TIMEOUT, timeout);
        let sent = timeout_at(patience, permit.send(head.map(|()| body))).await;
        let missed = match sent {
            Ok(Ok(response)) => {
                let connection = Arc::clone(permit.connection());
                let pending = PendingReply::new(Arc::clone(provider), self.idempotency, permit).of_call(span);
                let response = Relay::take(response, patience, pending).map_err(Missed::Final)?;
                return self.unless_invited(response, connection, repeats_left).await;
            }
            Ok(Err(failure)) => self.missed(failure, permit.connection(), repeats_left),
            Err(_) => {
                if waited_for >= MUTE {
                    permit.instance().failed();
                }
                Missed::Final(answer::late(provider, self.idempotency))
            }
        };
        let (Missed::Final(answer) | Missed::Again(_, answer)) = &missed;
        span.end(answer.code());
        Err(missed)
    }

    /// Makes an attempt and, if there is no reply for a while, another one at a second instance; the first reply wins and the
    /// other call is cancelled.
    async fn hedged(
        &self,
        permit: StreamPermit,
        attempt: replay::AttemptBody<Body>,
        (body, after): (&Replay<Body>, Duration),
        spans: &ClientSpans,
        repeats_left: &mut usize,
    ) -> Result<Response<Relay>, Missed> {
        let connection = Arc::clone(permit.connection());
        let begun = Instant::now();
        let mut first = pin!(self.attempt(permit, attempt, spans, repeats_left));
        tokio::select! {
            answered = &mut first => return answered,
            () = sleep(after) => {}
        }
        let other = self.route.another(&connection).filter(|_| self.route.budget.withdraw());
        let (Some(permit), Some(copy)) = (other, body.copy()) else {
            return first.await;
        };
        let mut none_left = 0;
        let mut second = pin!(self.attempt(permit, copy, spans, &mut none_left));
        tokio::select! {
            answered = &mut first => match answered {
                Ok(response) => Ok(response),
                Err(missed) => second.await.map_err(|_| missed),
            },
            answered = &mut second => match answered {
                Ok(response) => {
                    // Records that it took at least this long.
                    connection.instance().answered(begun.elapsed());
                    Ok(response)
                }
                Err(_) => first.await,
            },
        }
    }

    /// Retries a read if the service asks for it.
    async fn unless_invited(
        &self,
        response: Response<Relay>,
        connection: Arc<Connection>,
        repeats_left: &mut usize,
    ) -> Result<Response<Relay>, Missed> {
        if *repeats_left == 0 {
            return Ok(response);
        }
        let Some(pause) = verdict::invitation(response.headers()) else {
            return Ok(response);
        };
        let is_in_time = Instant::now() + pause < self.deadline;
        if !is_in_time || !self.route.budget.withdraw() {
            return Ok(response);
        }
        *repeats_left -= 1;
        drop(response);
        sleep(pause).await;
        Err(Missed::Again(connection, limits::busy(&self.route.provider)))
    }

    fn missed(&self, failure: SendError, connection: &Arc<Connection>, repeats_left: &mut usize) -> Missed {
        let provider = &self.route.provider;
        match failure {
            SendError::NotProcessed(_) => Missed::Again(Arc::clone(connection), answer::unreachable(provider)),
            SendError::Unanswered(why) => {
                let lost = answer::lost(provider, self.idempotency, why);
                if *repeats_left == 0 || !self.route.budget.withdraw() {
                    return Missed::Final(lost);
                }
                *repeats_left -= 1;
                Missed::Again(Arc::clone(connection), lost)
            }
        }
    }

    fn head(&self, permit: &StreamPermit, spans: &ClientSpans) -> (Request<()>, ClientSpan) {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = headers::target(&permit.instance().origin, self.path);
        *request.headers_mut() = self.headers.clone();
        let called = (&self.route.provider, &self.method);
        let span = spans.begin((&self.parent, &self.notes), called, &permit.instance().origin, request.headers_mut());
        (request, span)
    }

    /// No instance takes the call; the error of an earlier attempt says more than that.
    fn unplaced(&self, error: PickError, last: Option<(Arc<Connection>, Box<Answer>)>) -> Box<Answer> {
        match (last, error) {
            (Some((_, answer)), _) => answer,
            (None, _) if self.deadline <= Instant::now() => answer::too_late(&self.route.provider),
            (None, PickError::Full) => limits::busy(&self.route.provider),
            (None, PickError::Unreachable) => answer::unreachable(&self.route.provider),
        }
    }
}
