//! A reply on its way from a service to the caller: frames unchanged, and always a valid status at the end.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use protocol::{method::Idempotency, timing::Timing, told};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Code;

use crate::{
    answer::{self, Answer, Outcome},
    fleet::connection::{Received, StreamPermit, is_reset, reason},
    forward::verdict,
    headers,
    limits::CallPermit,
    telemetry::client_span::ClientSpan,
};

/// A call whose reply is not complete: what to record at the end, and what to hold until then.
#[derive(Debug)]
pub(crate) struct PendingReply {
    provider: Arc<str>,
    idempotency: Idempotency,
    span: Option<ClientSpan>,
    permit: StreamPermit,
    call_permit: Option<CallPermit>,
}

impl PendingReply {
    /// Holds a stream permit until the reply ends.
    pub(crate) fn new(provider: Arc<str>, idempotency: Idempotency, permit: StreamPermit) -> Self {
        Self { provider, idempotency, span: None, permit, call_permit: None }
    }

    /// Also records the client span at the end.
    pub(crate) fn of_call(self, span: ClientSpan) -> Self {
        Self { span: Some(span), ..self }
    }

    fn end(&mut self, code: Code) {
        // Released before the caller sees the end, so that it can use its full quota for consecutive calls.
        self.call_permit = None;
        if let Some(span) = &mut self.span {
            span.end(code);
        }
    }

    /// The service's own status came.
    fn answered(&mut self, code: Code, headers: &HeaderMap) {
        if let Some(span) = &mut self.span {
            span.timed(Timing::read(headers));
        }
        self.end(code);
        match verdict::blames_instance(code, headers, &self.provider) {
            true => self.permit.instance().failed(),
            false => self.permit.instance().succeeded(),
        }
    }

    /// The reply was not valid.
    fn spoilt(&mut self, why: &str) -> Box<Answer> {
        self.permit.instance().failed();
        self.lost(why)
    }

    fn failed(&mut self, answer: Box<Answer>) -> Box<Answer> {
        self.end(answer.code());
        answer
    }

    fn lost(&mut self, why: &str) -> Box<Answer> {
        let answer = answer::lost(&self.provider, self.idempotency, why);
        self.failed(answer)
    }

    fn late(&mut self) -> Box<Answer> {
        let answer = answer::late(&self.provider, self.idempotency);
        self.failed(answer)
    }
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) struct Relay {
    /// `None` once the end was passed on.
    inner: Option<Received>,
    deadline: Pin<Box<Sleep>>,
    pending: PendingReply,
}

impl Relay {
    /// Wraps a response; one that is not gRPC becomes a status.
    pub(crate) fn take(
        response: Response<Received>,
        deadline: Instant,
        mut pending: PendingReply,
    ) -> Result<Response<Self>, Box<Answer>> {
        let (mut parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            pending.permit.instance().failed();
            let answer = of_http(parts.status, &pending);
            return Err(pending.failed(answer));
        }
        if !protocol::grpc::is_grpc(&parts.headers) {
            return Err(pending.spoilt("the reply is not gRPC"));
        }
        parts.headers = headers::to_caller(parts.headers);
        told::mend(&mut parts.headers);
        let code = told::code(&parts.headers);
        let inner = code.is_none().then_some(body);
        code.into_iter().for_each(|code| pending.answered(code, &parts.headers));
        let deadline = Box::pin(sleep_until(deadline));
        Ok(Response::from_parts(parts, Self { inner, deadline, pending }))
    }

    /// Holds the caller's permit until the reply ends.
    pub(crate) fn hold(&mut self, call_permit: CallPermit) {
        self.pending.call_permit = Some(call_permit);
    }

    fn finish(&mut self, trailers: HeaderMap) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.inner = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn finish_with(&mut self, trailers: HeaderMap) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut trailers = headers::to_caller(trailers);
        told::mend(&mut trailers);
        match told::code(&trailers) {
            Some(code) => {
                self.pending.answered(code, &trailers);
                self.finish(trailers)
            }
            None => {
                let answer = self.pending.spoilt("the reply has no status");
                self.finish(answer.trailers())
            }
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_trailers() {
                Ok(trailers) => this.finish_with(trailers),
                Err(data) => Poll::Ready(Some(Ok(data))),
            },
            Poll::Ready(None) => this.finish_with(HeaderMap::new()),
            Poll::Ready(Some(Err(error))) => {
                let why = reason(&error);
                // The end of the whole connection is counted once, by its task.
                let answer = if is_reset(&error) { this.pending.spoilt(why) } else { this.pending.lost(why) };
                this.finish(answer.trailers())
            }
            Poll::Pending => {
                ready!(this.deadline.as_mut().poll(cx));
                let answer = this.pending.late();
                this.finish(answer.trailers())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

/// An HTTP error in place of a gRPC reply, by gRPC's own table (http-grpc-status-mapping). The first four mean that nothing was
/// done; after the others a write may have taken effect.
fn of_http(status: StatusCode, pending: &PendingReply) -> Box<Answer> {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        _ => return of_ambiguous_http(status, pending),
    };
    let text =
        format!("the service of provider {} refused the request with HTTP {}", pending.provider, status.as_u16());
    Answer::new(code, "SERVICE_HTTP_ERROR", text)
        .with("provider", &*pending.provider)
        .with("http_status", status.as_str())
        .outcome(Outcome::NotSent)
}

fn of_ambiguous_http(status: StatusCode, pending: &PendingReply) -> Box<Answer> {
    let why = format!("HTTP {}", status.as_u16());
    let passing = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    if pending.idempotency == Idempotency::Write || passing {
        return answer::lost(&pending.provider, pending.idempotency, &why).with("http_status", status.as_str());
    }
    let text = format!("the service of provider {} answered with {why}", pending.provider);
    Answer::new(Code::Unknown, "SERVICE_HTTP_ERROR", text)
        .with("provider", &*pending.provider)
        .with("http_status", status.as_str())
        .outcome(Outcome::Unknown)
}
