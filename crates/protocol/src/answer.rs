//! What a process says for itself, in place of the program's answer.

use std::time::Duration;

use http::Response;
use tonic::{Code, Status};

use crate::{Body, domain, outcome::Outcome, status::StatusBuilder};

fn builder(code: Code, reason: &str, message: &str, outcome: Outcome) -> StatusBuilder {
    StatusBuilder::new(domain::SERVICE, code, reason, message, outcome)
}

/// A status of the process.
#[must_use]
pub fn status(code: Code, reason: &str, message: &str, outcome: Outcome) -> Status {
    builder(code, reason, message, outcome).build()
}

/// A refusal for want of room; the caller may come again after a moment.
#[must_use]
pub fn too_much(reason: &str, message: &str) -> Status {
    in_a_moment(Code::ResourceExhausted, reason, message)
}

/// A refusal because the audit log cannot be written; the caller may come again after a moment.
#[must_use]
pub fn unaudited() -> Status {
    in_a_moment(Code::Unavailable, "AUDIT_UNAVAILABLE", UNAUDITED)
}

/// Why a write is refused whose place in the audit log cannot be had.
pub const UNAUDITED: &str = "the audit log cannot be written, and without it nothing may be changed; nothing was sent";

fn in_a_moment(code: Code, reason: &str, message: &str) -> Status {
    builder(code, reason, message, Outcome::NotSent).retry_after(Duration::from_secs(1)).build()
}

/// The end of a call that got no answer in time (or none that fits): a write may have happened, and says so.
#[must_use]
pub fn unanswered(writes: bool, code: Code, reason: &str, message: &str) -> Status {
    effect(writes, code, reason, message).build()
}

/// The same for a reply that passes the limit which the key `limit` of the configuration sets.
#[must_use]
pub fn too_large(writes: bool, limit: &str) -> Status {
    let message = format!("the reply is larger than {limit} allows this process to send");
    effect(writes, Code::ResourceExhausted, "REPLY_TOO_LARGE", &message).with("limit", limit).build()
}

fn effect(writes: bool, code: Code, reason: &str, message: &str) -> StatusBuilder {
    match writes {
        true => {
            let message = format!("{message}; the call may have taken effect and is not repeated");
            builder(Code::Aborted, OUTCOME_UNKNOWN, &message, Outcome::Unknown)
        }
        false => builder(code, reason, message, Outcome::Unknown),
    }
}

/// The reason of every write of unknown outcome, whoever says it.
pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// The status as a reply of headers alone.
#[must_use]
pub fn reply(status: Status) -> Response<Body> {
    status.into_http()
}
