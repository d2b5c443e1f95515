//! `Fault` -> `google.rpc.Status`: the one place where outcomes become gRPC codes.

use std::{borrow::Cow, time::Duration};

use protocol::{StatusBuilder, answer::OUTCOME_UNKNOWN, status::MESSAGE_BYTES};
use tonic::{Code, Status};

use crate::{
    fault::{Fault, Kind, Operation, Outcome},
    xml::charset::ILLEGAL,
};

/// Longest text of a fault, which leaves room in the message for what is said of a write.
const MAX_TEXT: usize = MESSAGE_BYTES - 200;
/// Longest text in the metadata of the `ErrorInfo`.
const MAX_METADATA: usize = 256;
/// Longest delay that is passed on.
const LONGEST_DELAY: Duration = Duration::from_secs(86_400);
const MAX_VIOLATIONS: usize = 16;
const MAX_VIOLATION_TEXT: usize = 120;

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let operation = fault.operation();
        let code = code(&fault, operation);
        let reason = if is_unknown_write(&fault, operation) { OUTCOME_UNKNOWN } else { fault.reason() };
        let message = message(&fault, operation);
        let mut status = StatusBuilder::new(&operation.domain, code, reason, message, fault.outcome());
        for (key, value) in metadata(&fault, operation) {
            status = status.with(key, clean(&value, MAX_METADATA));
        }
        for violation in fault.violations().iter().take(MAX_VIOLATIONS) {
            let [field, text] = [&violation.field, &violation.text].map(|text| clean(text, MAX_VIOLATION_TEXT));
            status = status.violation(field, text);
        }
        match fault.retry_after() {
            Some(delay) if code != Code::Aborted => status.retry_after(delay.min(LONGEST_DELAY)),
            _ => status,
        }
        .build()
    }
}

fn is_unknown_write(fault: &Fault, operation: &Operation) -> bool {
    operation.write && fault.outcome() == Outcome::Unknown
}

fn code(fault: &Fault, operation: &Operation) -> Code {
    if is_unknown_write(fault, operation) {
        return Code::Aborted;
    }
    match fault.kind() {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition | Kind::UpstreamAuth => Code::FailedPrecondition,
        Kind::ResourceExhausted | Kind::TooLarge => Code::ResourceExhausted,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Unavailable | Kind::SessionDead => Code::Unavailable,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Unreadable => Code::Internal,
    }
}

fn message(fault: &Fault, operation: &Operation) -> String {
    let text = clean(fault.message(), MAX_TEXT);
    if !is_unknown_write(fault, operation) {
        return text;
    }
    let probe = operation.probe.as_ref().map_or(String::new(), |probe| format!("; {probe} tells"));
    format!("{text}; whether the call took effect is not known, it was not sent again{probe}")
}

/// What else the `ErrorInfo` says.
fn metadata<'a>(fault: &'a Fault, operation: &'a Operation) -> impl Iterator<Item = (&'static str, Cow<'a, str>)> {
    let is_unknown = is_unknown_write(fault, operation);
    let entries = [
        ("upstream_code", fault.upstream_code().map(Cow::from)),
        ("upstream_message", fault.upstream_message().map(Cow::from)),
        ("http_status", fault.http_status().map(|status| status.to_string().into())),
        ("limit", fault.limit().map(Cow::from)),
        ("cause", is_unknown.then(|| fault.reason().into())),
        ("probe", operation.probe.as_deref().filter(|_| is_unknown).map(Cow::from)),
    ];
    entries.into_iter().filter_map(|(key, value)| Some((key, value?)))
}

/// Cuts a text at a character and takes control characters out: an upstream's text must not break lines
/// in a log.
fn clean(text: &str, limit: usize) -> String {
    let end = text.floor_char_boundary(limit);
    let shown = |c: char| match c {
        ILLEGAL => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => ' ',
        c => c,
    };
    text[..end].chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;
    use crate::problem::{Problem, Problems};

    fn write() -> Operation {
        Operation { domain: "x.ispbridge".into(), write: true, probe: Some("A/B".into()) }
    }

    fn read() -> Operation {
        Operation { write: false, ..write() }
    }

    #[test]
    fn an_unknown_write_is_aborted_and_names_its_probe() {
        let status = Status::from(Fault::server("die at X.pm line 3").with_operation(write()));
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
        assert_eq!(info.metadata["probe"], "A/B");
        assert_eq!(info.metadata["cause"], "UPSTREAM_FAULT");
    }

    #[test]
    fn the_same_fault_of_a_read_may_be_repeated() {
        assert_eq!(Status::from(Fault::server("x").with_operation(read())).code(), Code::Unavailable);
        assert_eq!(Status::from(Fault::unreadable("x").with_operation(read())).code(), Code::Internal);
    }

    #[test]
    fn a_rejected_write_keeps_its_code() {
        let fault =
            Fault::rejected(Kind::NotFound, "NOT_FOUND", "no such thing").with_http_status(404).with_operation(write());
        let status = Status::from(fault);
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!((info.metadata["outcome"].as_str(), info.metadata["http_status"].as_str()), ("REJECTED", "404"));
    }

    #[test]
    fn texts_are_cut_and_cleaned() {
        let long = "é\n".repeat(4000);
        let problems = (0..40).map(|n| Problem::new(format!("field{n}"), long.clone())).collect();
        let status =
            Status::from(Fault::invalid(Problems(problems)).with_upstream_message(&long).with_operation(write()));
        assert!(status.message().len() <= MESSAGE_BYTES && !status.message().contains('\n'));
        assert!(status.details().len() <= 6 * 1024, "{}", status.details().len());
    }
}
