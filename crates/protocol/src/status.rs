//! The one form of every error: the code that gRPC means, a text of at most 1 KiB, and details of at most 3 KiB with exactly
//! one `ErrorInfo`, which comes first and names the outcome.
//!
//! Larger statuses reach clients in other languages as something else: C-core stops at 8 KiB of metadata.

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::{
    BadRequest, ErrorInfo, QuotaFailure, RetryInfo,
    pb::{self, bad_request::FieldViolation, quota_failure},
};

use crate::{domain, names, outcome::Outcome};

/// Longest text of a status, in bytes.
pub const MESSAGE_BYTES: usize = 1 << 10;
/// Longest details of a status, in bytes.
pub const DETAILS_BYTES: usize = 3 << 10;

/// Makes a status; nothing else in the suite does.
#[derive(Clone, Debug)]
pub struct StatusBuilder {
    code: Code,
    message: String,
    info: pb::ErrorInfo,
    retry_after: Option<Duration>,
    quotas: Vec<quota_failure::Violation>,
    violations: Vec<FieldViolation>,
}

impl StatusBuilder {
    /// Starts from who speaks ([`crate::domain`]), the code, the reason in UPPER_SNAKE, the text for people, and the effect.
    #[must_use]
    pub fn new(domain: &str, code: Code, reason: &str, message: impl Into<String>, outcome: Outcome) -> Self {
        let info = pb::ErrorInfo { reason: reason.to_owned(), domain: domain.to_owned(), ..Default::default() };
        let message = message.into();
        Self { code, message, info, retry_after: None, quotas: Vec::new(), violations: Vec::new() }.outcome(outcome)
    }

    /// Says what is known about the effect.
    #[must_use]
    pub fn outcome(self, outcome: Outcome) -> Self {
        self.with(Outcome::KEY, outcome.as_str())
    }

    /// Adds one key to the metadata of the `ErrorInfo`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.info.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Says when another attempt makes sense (`RetryInfo`).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Names a field or a header that is wrong (`BadRequest`).
    #[must_use]
    pub fn violation(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        self.violations.push(FieldViolation { field, description, ..Default::default() });
        self
    }

    /// Names a quota that is used up (`QuotaFailure`).
    #[must_use]
    pub fn quota(mut self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        let (subject, description) = (subject.into(), description.into());
        self.quotas.push(quota_failure::Violation { subject, description, ..Default::default() });
        self
    }

    /// The gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The status, cut to the limits.
    #[must_use]
    pub fn build(self) -> Status {
        let retry = self.retry_after.map(|delay| pb::RetryInfo { retry_delay: delay.try_into().ok() });
        let quotas = Some(self.quotas).filter(|violations| !violations.is_empty());
        let violations = Some(self.violations).filter(|violations| !violations.is_empty());
        let others = [
            retry.map(|retry| any(RetryInfo::TYPE_URL, &retry)),
            quotas.map(|violations| any(QuotaFailure::TYPE_URL, &pb::QuotaFailure { violations })),
            violations.map(|field_violations| any(BadRequest::TYPE_URL, &pb::BadRequest { field_violations })),
        ];
        fitted(self.code, &self.message, self.info, others.into_iter().flatten().collect())
    }
}

/// Brings a status that somebody else made into the form; `unsaid` is its outcome if it names none.
#[must_use]
pub fn normalised(status: &Status, unsaid: Outcome) -> Status {
    let details = pb::Status::decode(status.details()).unwrap_or_default().details;
    let (infos, others): (Vec<_>, _) = details.into_iter().partition(|any| any.type_url == ErrorInfo::TYPE_URL);
    let mut info = infos.first().map_or_else(
        || pb::ErrorInfo {
            reason: names::code_name(status.code()).to_owned(),
            domain: domain::SERVICE.to_owned(),
            ..Default::default()
        },
        |any| pb::ErrorInfo::decode(&*any.value).unwrap_or_default(),
    );
    info.metadata.entry(Outcome::KEY.to_owned()).or_insert_with(|| unsaid.as_str().to_owned());
    fitted(status.code(), status.message(), info, others)
}

/// Of too many details only the `ErrorInfo` stays, of a too long one its reason and the outcome.
fn fitted(code: Code, message: &str, mut info: pb::ErrorInfo, others: Vec<Any>) -> Status {
    let message = plain(message);
    let details = [vec![any(ErrorInfo::TYPE_URL, &info)], others].concat();
    let mut status = pb::Status { code: code as i32, message, details };
    if status.encoded_len() > DETAILS_BYTES {
        status.details.truncate(1);
    }
    if status.encoded_len() > DETAILS_BYTES {
        // The outcome decides whether a caller may repeat.
        info.metadata.retain(|key, _| key == Outcome::KEY);
        status.details = vec![any(ErrorInfo::TYPE_URL, &info)];
    }
    let details = status.encode_to_vec();
    Status::with_details(code, status.message, details.into())
}

/// Without control characters but those of lines (they are escaped on the way), and short.
fn plain(message: &str) -> String {
    let text: String =
        message.chars().map(|char| if char.is_control() && !"\t\n\r".contains(char) { ' ' } else { char }).collect();
    match text.len() {
        0..=MESSAGE_BYTES => text,
        _ => text[..text.floor_char_boundary(MESSAGE_BYTES)].to_owned(),
    }
}

fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn builder(message: &str) -> StatusBuilder {
        StatusBuilder::new(domain::GATEWAY, Code::Unavailable, "TEST", message, Outcome::NotSent)
    }

    #[test]
    fn a_status_has_one_error_info_in_front_and_the_details_that_were_added() {
        let status = builder("text")
            .with("provider", "aex")
            .retry_after(Duration::from_millis(1500))
            .violation("customer_id", "unknown")
            .quota("account", "used up")
            .build();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TEST", "gateway.ispbridge"));
        assert_eq!((info.metadata["outcome"].as_str(), info.metadata["provider"].as_str()), ("NOT_SENT", "aex"));
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "customer_id");
        assert_eq!(details.quota_failure().unwrap().violations[0].subject, "account");
        let all = pb::Status::decode(status.details()).unwrap();
        assert_eq!((all.code, all.message.as_str(), all.details.len()), (14, "text", 4));
        assert_eq!(all.details[0].type_url, ErrorInfo::TYPE_URL);
    }

    #[test]
    fn a_status_that_is_in_the_form_stays_as_it_is() {
        let status = builder("text").violation("a", "b").retry_after(Duration::from_secs(1)).build();
        let again = normalised(&status, Outcome::Unknown);
        assert_eq!(
            (again.code(), again.message(), again.details()),
            (status.code(), status.message(), status.details())
        );
    }

    #[test]
    fn a_message_is_cut_on_a_character() {
        assert_eq!(builder(&"é".repeat(2000)).build().message().len(), 1024);
        assert_eq!(builder(&format!("a{}", "é".repeat(2000))).build().message().len(), 1023);
    }

    #[test]
    fn what_is_too_large_keeps_reason_and_outcome() {
        let others = builder("text").violation("field", "y".repeat(5000)).with("kept", "yes").build();
        assert!(others.get_details_bad_request().is_none());
        assert_eq!(others.get_details_error_info().unwrap().metadata["kept"], "yes");
        let status = builder(&"é".repeat(2000)).with("text", "x".repeat(5000)).outcome(Outcome::Unknown).build();
        assert!(status.message().len() <= MESSAGE_BYTES && status.details().len() <= DETAILS_BYTES);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["outcome"].as_str()), ("TEST", "UNKNOWN"));
        assert_eq!(info.metadata.len(), 1);
    }
}
