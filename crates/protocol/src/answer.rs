//! Answers that the chassis itself gives, all built in one place.

use std::{collections::HashMap, time::Duration};

use http::Response;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::Body;

/// Domain of the chassis' own errors.
pub const DOMAIN: &str = "service.ispbridge";

/// What an answer says about the effect of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing reached a place where it could take effect.
    NotSent,
    /// It may have happened.
    Unknown,
}

impl Outcome {
    /// Its spelling in an `ErrorInfo`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A status with its one `ErrorInfo`.
#[must_use]
pub fn status(code: Code, reason: &str, message: &str, outcome: Outcome) -> Status {
    in_domain(DOMAIN, code, reason, message, outcome)
}

/// A status whose `ErrorInfo` names somebody else than the chassis.
#[must_use]
pub fn in_domain(domain: &str, code: Code, reason: &str, message: &str, outcome: Outcome) -> Status {
    Status::with_error_details(code, message, details(domain, reason, outcome))
}

/// A refusal for want of room; the caller may come again after a moment.
#[must_use]
pub fn too_much(reason: &str, message: &str) -> Status {
    in_a_moment(Code::ResourceExhausted, reason, message)
}

/// A refusal because the audit log cannot be written; the caller may come again after a moment.
#[must_use]
pub fn unaudited() -> Status {
    let message = "the audit log cannot be written, and without it nothing may be changed; nothing was sent";
    in_a_moment(Code::Unavailable, "AUDIT_UNAVAILABLE", message)
}

fn in_a_moment(code: Code, reason: &str, message: &str) -> Status {
    let mut details = details(DOMAIN, reason, Outcome::NotSent);
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(code, message, details)
}

/// The end of a call that got no answer in time (or none that fits): a write may have happened, and says so.
#[must_use]
pub fn unanswered(writes: bool, code: Code, reason: &str, message: &str) -> Status {
    let (code, reason, message) = effect(writes, code, reason, message);
    status(code, reason, &message, Outcome::Unknown)
}

/// The same for a reply that passes the limit which the key `limit` of the configuration sets.
#[must_use]
pub fn too_large(writes: bool, limit: &str) -> Status {
    let message = format!("the reply is larger than {limit} allows this process to send");
    let (code, reason, message) = effect(writes, Code::ResourceExhausted, "REPLY_TOO_LARGE", &message);
    let metadata = [("outcome", Outcome::Unknown.as_str()), ("limit", limit)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
}

fn effect<'r>(writes: bool, code: Code, reason: &'r str, message: &str) -> (Code, &'r str, String) {
    match writes {
        true => {
            let message = format!("{message}; the call may have taken effect and is not repeated");
            (Code::Aborted, "OUTCOME_UNKNOWN", message)
        }
        false => (code, reason, message.to_owned()),
    }
}

/// The status as a reply of headers alone.
#[must_use]
pub fn reply(status: Status) -> Response<Body> {
    status.into_http()
}

fn details(domain: &str, reason: &str, outcome: Outcome) -> ErrorDetails {
    let metadata = HashMap::from([("outcome".to_owned(), outcome.as_str().to_owned())]);
    ErrorDetails::with_error_info(reason, domain, metadata)
}
