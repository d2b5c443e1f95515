//! The gateway's own errors: a standard `google.rpc.Status` with one `ErrorInfo`.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response};
pub(crate) use protocol::Outcome;
use protocol::headers::{GRPC_RETRY_PUSHBACK, GRPC_STATUS};
use protocol::method::Idempotency;
use protocol::{
    StatusBuilder,
    answer::{OUTCOME_UNKNOWN, UNAUDITED},
    domain,
};
use tonic::{Code, Status};

/// A refusal or failure on its way to the caller.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusBuilder,
    /// When clients that retry automatically may retry: after so many milliseconds, or never (-1).
    pushback: Option<i64>,
}

impl Answer {
    /// Starts an answer from its code, its reason in UPPER_SNAKE and its text; the effect is unknown until it is said.
    pub(crate) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Box<Self> {
        let status = StatusBuilder::new(domain::GATEWAY, code, reason, message, Outcome::Unknown);
        Box::new(Self { status, pushback: None })
    }

    fn map(mut self: Box<Self>, change: impl FnOnce(StatusBuilder) -> StatusBuilder) -> Box<Self> {
        self.status = change(self.status);
        self
    }

    /// Sets the outcome.
    pub(crate) fn outcome(self: Box<Self>, outcome: Outcome) -> Box<Self> {
        self.map(|status| status.outcome(outcome))
    }

    /// Adds one key to the metadata of the `ErrorInfo`.
    pub(crate) fn with(self: Box<Self>, key: &str, value: impl Into<String>) -> Box<Self> {
        self.map(|status| status.with(key, value))
    }

    /// Tells the caller when to retry.
    pub(crate) fn retry_after(mut self: Box<Self>, delay: Duration) -> Box<Self> {
        self.pushback = i64::try_from(delay.as_millis()).ok();
        self.map(|status| status.retry_after(delay))
    }

    /// Tells clients not to retry automatically.
    pub(crate) fn never_again(mut self: Box<Self>) -> Box<Self> {
        self.pushback = Some(-1);
        self
    }

    /// Names the header that is wrong.
    pub(crate) fn violation(self: Box<Self>, header: &str, what: &str) -> Box<Self> {
        self.map(|status| status.violation(header, what))
    }

    /// Names the quota that is used up.
    pub(crate) fn quota(self: Box<Self>, subject: &str, what: &str) -> Box<Self> {
        self.map(|status| status.quota(subject, what))
    }

    /// The gRPC code.
    pub(crate) fn code(&self) -> Code {
        self.status.code()
    }

    /// The whole as tonic's Status.
    pub(crate) fn status(self: Box<Self>) -> Status {
        let mut status = self.status.build();
        if let Some(pushback) = self.pushback {
            status.metadata_mut().as_mut().insert(GRPC_RETRY_PUSHBACK, pushback.into());
        }
        status
    }

    /// The whole as a reply that consists of trailers only.
    pub(crate) fn response<B: Default>(self: Box<Self>) -> Response<B> {
        self.status().into_http()
    }

    /// The whole as trailers of a reply that has begun.
    pub(crate) fn trailers(self: Box<Self>) -> HeaderMap {
        let code = self.code();
        let mut trailers = HeaderMap::with_capacity(3);
        if self.status().add_header(&mut trailers).is_err() {
            trailers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
        }
        trailers
    }
}

/// No instance of the provider accepted the call.
pub(crate) fn unreachable(provider: &str) -> Box<Answer> {
    let text = format!("no instance of provider {provider} is reachable");
    Answer::new(Code::Unavailable, "SERVICE_UNREACHABLE", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// The call depends on the provider's methods, and its service has not described them since the gateway started.
pub(crate) fn not_described(provider: &str) -> Box<Answer> {
    let text = format!("the methods of provider {provider} are not known yet");
    Answer::new(Code::Unavailable, "CATALOG_NOT_READY", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// The token cannot be verified, because its issuer's keys are not available.
pub(crate) fn issuer_away(pause: Duration) -> Box<Answer> {
    let text = "the key of the token is not known, and its issuer cannot be asked at the moment";
    Answer::new(Code::Unavailable, "ISSUER_UNAVAILABLE", text).outcome(Outcome::NotSent).retry_after(pause)
}

/// The audit log cannot be written, and the configuration lets nothing be changed without it.
pub(crate) fn unaudited() -> Box<Answer> {
    Answer::new(Code::Unavailable, "AUDIT_UNAVAILABLE", UNAUDITED)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// The call was sent to a service, and no usable reply came back; `why` describes what happened.
pub(crate) fn lost(provider: &str, idempotency: Idempotency, why: &str) -> Box<Answer> {
    match idempotency {
        Idempotency::Read => Answer::new(
            Code::Unavailable,
            "SERVICE_LOST",
            format!("the service of provider {provider} gave no answer: {why}"),
        ),
        Idempotency::Write => unknown_outcome(provider, why),
    }
    .with("provider", provider)
    .outcome(Outcome::Unknown)
}

/// The request stream, part of which the service has seen, ended with this status.
pub(crate) fn broken_off(provider: &str, idempotency: Idempotency, status: &Status) -> Box<Answer> {
    match idempotency {
        Idempotency::Read => Answer::new(status.code(), "REQUEST_BROKEN", status.message()),
        Idempotency::Write => unknown_outcome(provider, status.message()),
    }
    .with("provider", provider)
    .outcome(Outcome::Unknown)
}

/// The deadline passed after the call was sent to a service.
pub(crate) fn late(provider: &str, idempotency: Idempotency) -> Box<Answer> {
    match idempotency {
        Idempotency::Read => Answer::new(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            format!("the service of provider {provider} did not answer before the deadline"),
        ),
        Idempotency::Write => unknown_outcome(provider, "the deadline passed"),
    }
    .with("provider", provider)
    .outcome(Outcome::Unknown)
}

/// The deadline passed, or is too near, before anything was sent.
pub(crate) fn too_late(provider: &str) -> Box<Answer> {
    Answer::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline left no time to send the call")
        .with("provider", provider)
        .outcome(Outcome::NotSent)
}

fn unknown_outcome(provider: &str, why: &str) -> Box<Answer> {
    let text = format!(
        "the call was handed to provider {provider} and may have taken effect ({why}); \
         look before repeating it"
    );
    Answer::new(Code::Aborted, OUTCOME_UNKNOWN, text).never_again()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_lost_write_is_aborted_and_a_lost_read_may_be_repeated() {
        let write = lost("aex", Idempotency::Write, "connection closed").status();
        let read = lost("aex", Idempotency::Read, "connection closed").status();
        assert_eq!(write.code(), Code::Aborted);
        assert_eq!(read.code(), Code::Unavailable);
        let info = write.get_error_details().error_info().cloned().unwrap();
        assert_eq!(info.reason, "OUTCOME_UNKNOWN");
        assert_eq!(info.metadata["outcome"], "UNKNOWN");
        assert_eq!(write.metadata().get("grpc-retry-pushback-ms").unwrap(), "-1");
        assert_eq!(unreachable("aex").status().metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    }

    #[test]
    fn a_message_is_cut_on_a_character() {
        let answer = Answer::new(Code::Internal, "TEST", "é".repeat(2000));
        assert_eq!(answer.status().message().len(), 1024);
        let answer = Answer::new(Code::Internal, "TEST", format!("a{}", "é".repeat(2000)));
        assert_eq!(answer.status().message().len(), 1023);
    }
}
