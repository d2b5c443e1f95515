//! What the gateway itself says to a caller: a standard `google.rpc.Status` with one `ErrorInfo`.

use std::{collections::HashMap, time::Duration};

use http::{HeaderMap, HeaderValue, Response};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{headers::PUSHBACK, method::Nature};

/// Domain of every `ErrorInfo` of the gateway.
pub(crate) const DOMAIN: &str = "gateway.ispbridge";

/// Longest message of a Status, in bytes: larger ones break clients in other languages.
const MESSAGE_BYTES: usize = 1024;

/// What is known about the effect of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing reached a service.
    NotSent,
    /// It may have happened.
    Unknown,
}

impl Outcome {
    /// Spelling in the `outcome` key of an `ErrorInfo`.
    fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A refusal or failure on its way to the caller.
#[derive(Debug)]
pub(crate) struct Answer {
    code: Code,
    reason: &'static str,
    message: String,
    details: ErrorDetails,
    metadata: HashMap<String, String>,
    /// What clients that repeat calls by themselves are told: after so many milliseconds, or never (-1).
    pushback: Option<i64>,
}

impl Answer {
    /// Starts an answer from its code, its reason in UPPER_SNAKE and its text.
    pub(crate) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Box<Self> {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        Box::new(Self { code, reason, message, details: ErrorDetails::new(), metadata: HashMap::new(), pushback: None })
    }

    /// Says what is known about the effect.
    pub(crate) fn outcome(self: Box<Self>, outcome: Outcome) -> Box<Self> {
        self.with("outcome", outcome.as_str())
    }

    /// Adds one key to the metadata of the `ErrorInfo`.
    pub(crate) fn with(mut self: Box<Self>, key: &str, value: impl Into<String>) -> Box<Self> {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Tells the caller when to come back.
    pub(crate) fn retry_after(mut self: Box<Self>, delay: Duration) -> Box<Self> {
        self.details.set_retry_info(Some(delay));
        self.pushback = i64::try_from(delay.as_millis()).ok();
        self
    }

    /// Tells the caller not to repeat the call by itself.
    pub(crate) fn never_again(mut self: Box<Self>) -> Box<Self> {
        self.pushback = Some(-1);
        self
    }

    /// Names the header that is wrong.
    pub(crate) fn violation(mut self: Box<Self>, header: &str, what: &str) -> Box<Self> {
        self.details.add_bad_request_violation(header, what);
        self
    }

    /// Names the quota that is used up.
    pub(crate) fn quota(mut self: Box<Self>, subject: &str, what: &str) -> Box<Self> {
        self.details.add_quota_failure_violation(subject, what);
        self
    }

    /// The gRPC code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The whole as tonic's Status.
    pub(crate) fn status(mut self: Box<Self>) -> Status {
        self.details.set_error_info(self.reason, DOMAIN, self.metadata);
        let mut status = Status::with_error_details(self.code, self.message, self.details);
        if let Some(pushback) = self.pushback {
            status.metadata_mut().insert(PUSHBACK, pushback.into());
        }
        status
    }

    /// The whole as a reply that consists of trailers only.
    pub(crate) fn response<B: Default>(self: Box<Self>) -> Response<B> {
        self.status().into_http()
    }

    /// The whole as trailers of a reply that has begun.
    pub(crate) fn trailers(self: Box<Self>) -> HeaderMap {
        let code = self.code;
        let mut trailers = HeaderMap::with_capacity(3);
        if self.status().add_header(&mut trailers).is_err() {
            trailers.insert("grpc-status", HeaderValue::from(code as i32));
        }
        trailers
    }
}

/// No instance of the provider took the call.
pub(crate) fn unreachable(provider: &str) -> Box<Answer> {
    let text = format!("no instance of provider {provider} is reachable");
    Answer::new(Code::Unavailable, "SERVICE_UNREACHABLE", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// The provider's service has not shown its methods since the gateway started, and the call needs to know them.
pub(crate) fn not_described(provider: &str) -> Box<Answer> {
    let text = format!("the methods of provider {provider} are not known yet");
    Answer::new(Code::Unavailable, "CATALOG_NOT_READY", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// Whether a token is right cannot be told, because the keys of its issuer cannot be had.
pub(crate) fn issuer_away(pause: Duration) -> Box<Answer> {
    let text = "the key of the token is not known, and its issuer cannot be asked at the moment";
    Answer::new(Code::Unavailable, "ISSUER_UNAVAILABLE", text).outcome(Outcome::NotSent).retry_after(pause)
}

/// The audit log cannot be written, and the configuration lets nothing be changed without it.
pub(crate) fn unaudited() -> Box<Answer> {
    let text = "the audit log cannot be written, and without it nothing may be changed; nothing was sent";
    Answer::new(Code::Unavailable, "AUDIT_UNAVAILABLE", text)
        .outcome(Outcome::NotSent)
        .retry_after(Duration::from_secs(1))
}

/// The call went to a service and no usable answer came back: `why` says what was seen.
pub(crate) fn lost(provider: &str, nature: Nature, why: &str) -> Box<Answer> {
    match nature {
        Nature::Read => Answer::new(
            Code::Unavailable,
            "SERVICE_LOST",
            format!("the service of provider {provider} gave no answer: {why}"),
        ),
        Nature::Write => unknown_outcome(provider, why),
    }
    .with("provider", provider)
    .outcome(Outcome::Unknown)
}

/// The request, a stream of which the service has seen a part, ended with this status.
pub(crate) fn broken_off(provider: &str, nature: Nature, status: &Status) -> Box<Answer> {
    match nature {
        Nature::Read => Answer::new(status.code(), "REQUEST_BROKEN", status.message()),
        Nature::Write => unknown_outcome(provider, status.message()),
    }
    .with("provider", provider)
    .outcome(Outcome::Unknown)
}

/// The deadline passed after the call went to a service.
pub(crate) fn late(provider: &str, nature: Nature) -> Box<Answer> {
    match nature {
        Nature::Read => Answer::new(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            format!("the service of provider {provider} did not answer before the deadline"),
        ),
        Nature::Write => unknown_outcome(provider, "the deadline passed"),
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
    Answer::new(Code::Aborted, "OUTCOME_UNKNOWN", text).never_again()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_write_is_aborted_and_a_lost_read_may_be_repeated() {
        let write = lost("aex", Nature::Write, "connection closed").status();
        let read = lost("aex", Nature::Read, "connection closed").status();
        assert_eq!(write.code(), Code::Aborted);
        assert_eq!(read.code(), Code::Unavailable);
        let info = write.get_error_details().error_info().cloned().unwrap();
        assert_eq!(info.reason, "OUTCOME_UNKNOWN");
        assert_eq!(info.metadata["outcome"], "UNKNOWN");
        assert_eq!(write.metadata().get(PUSHBACK).unwrap(), "-1");
        assert_eq!(unreachable("aex").status().metadata().get(PUSHBACK).unwrap(), "1000");
    }

    #[test]
    fn a_message_is_cut_on_a_character() {
        let answer = Answer::new(Code::Internal, "TEST", "é".repeat(2000));
        assert_eq!(answer.status().message().len(), 1024);
        let answer = Answer::new(Code::Internal, "TEST", format!("a{}", "é".repeat(2000)));
        assert_eq!(answer.status().message().len(), 1023);
    }
}
