//! What went wrong, with everything a status carries, for people.

use std::{fmt::Write, time::Duration};

use protocol::headers::REQUEST_ID;
use protocol::names::code_name;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::Error;

/// Writes an error as lines of text.
#[must_use]
pub fn text(error: &Error) -> String {
    match error {
        Error::Status(status) => status_text(status),
        Error::Unreachable { address, cause } => format!("{error}{}", advice(address, cause)),
        error => error.to_string(),
    }
}

/// The exit code: 64 for what was typed, 64 and the code for what gRPC says (as grpcurl has it), which for a gateway that
/// cannot be reached is UNAVAILABLE.
#[must_use]
pub fn exit_code(error: &Error) -> u8 {
    let of = |code: Code| u8::try_from(code as i32).map_or(1, |code| 64 + code);
    match error {
        Error::Argument(_) => 64,
        Error::Status(status) => of(status.code()),
        Error::Unreachable { .. } => of(Code::Unavailable),
        Error::Protocol(_) => 1,
    }
}

/// What may help where nobody can be reached.
fn advice(address: &str, cause: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    match address.starts_with("https") {
        _ if address == "http://127.0.0.1:50051" => "\nIs the suite running? `cargo run` starts it.",
        true if has(&["InvalidContentType"]) => "\nIt does not speak TLS; without, the address begins with http://.",
        true if has(&["UnknownIssuer", "BadSignature"]) => "\n--ca names the authority that vouches for the gateway.",
        true if has(&["closed", "reset", "CertificateRequired"]) => {
            "\nIt may ask for a client certificate: --cert and --key."
        }
        false if has(&["closed", "reset", "frame", "protocol"]) => {
            "\nIt may speak TLS; then the address begins with https://."
        }
        _ => "",
    }
}

fn status_text(status: &Status) -> String {
    let mut text = format!("{}: {}", code_name(status.code()), status.message());
    match status.check_error_details() {
        Ok(details) => lines(&details).iter().for_each(|(name, value)| push(&mut text, name, value)),
        Err(_) => push(&mut text, "details", "cannot be read"),
    }
    let id = status.metadata().as_ref().get(REQUEST_ID);
    if let Some(id) = id.and_then(|id| id.to_str().ok()) {
        push(&mut text, "request id", id);
    }
    text
}

fn lines(details: &ErrorDetails) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Some(info) = details.error_info() {
        lines.push(("reason".to_owned(), format!("{} ({})", info.reason, info.domain)));
        let mut metadata: Vec<_> = info.metadata.clone().into_iter().collect();
        metadata.sort_unstable();
        lines.extend(metadata);
    }
    if let Some(bad) = details.bad_request() {
        let violations = bad.field_violations.iter();
        lines.extend(violations.map(|one| (format!("field {}", one.field), one.description.clone())));
    }
    if let Some(failed) = details.precondition_failure() {
        let violations = failed.violations.iter();
        lines.extend(violations.map(|one| (format!("{} {}", one.r#type, one.subject), one.description.clone())));
    }
    if let Some(quota) = details.quota_failure() {
        let violations = quota.violations.iter();
        lines.extend(violations.map(|one| (format!("quota {}", one.subject), one.description.clone())));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        lines.push(("retry after".to_owned(), seconds(delay)));
    }
    lines
}

fn push(text: &mut String, name: &str, value: &str) {
    // Writing to a String does not fail.
    let _ = write!(text, "\n  {name}: {}", value.replace('\n', "\n    "));
}

fn seconds(delay: Duration) -> String {
    format!("{} s", delay.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detail_has_its_line() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info("FIELD_INVALID", "aex.ispbridge", [("outcome".to_owned(), "NOT_SENT".to_owned())])
            .add_bad_request_violation("customer.email", "is required")
            .add_quota_failure_violation("principal:demo", "64 calls in flight")
            .set_retry_info(Some(Duration::from_millis(1500)));
        let mut status = Status::with_error_details(Code::InvalidArgument, "one problem", details);
        status.metadata_mut().insert("x-request-id", "r-1".parse().unwrap());
        let expected = "INVALID_ARGUMENT: one problem\n  reason: FIELD_INVALID (aex.ispbridge)\n  \
             outcome: NOT_SENT\n  field customer.email: is required\n  \
             quota principal:demo: 64 calls in flight\n  retry after: 1.5 s\n  request id: r-1";
        assert_eq!(text(&status.into()), expected);
    }
}
