//! What the `ErrorInfo` of a reply says, in the words that a log may hold.

use http::HeaderMap;
use tonic_types::StatusExt;

use crate::{domain, outcome::Outcome, told};

/// Longest reason that is one.
const LONGEST: usize = 64;

/// What an `ErrorInfo` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `UPPER_SNAKE`.
    pub reason: String,
    /// What is known about the effect.
    pub outcome: Option<Outcome>,
    /// Whether it is about a malformed request ([`domain::CALLER`]).
    pub is_callers: bool,
}

/// Reads the reason from headers or trailers that hold a status; a text that is not in the form of a reason is none.
#[must_use]
pub fn of(headers: &HeaderMap) -> Option<Reason> {
    let info = told::status(headers)?.get_details_error_info()?;
    let well_formed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if info.reason.len() > LONGEST || !info.reason.bytes().all(well_formed) {
        return None;
    }
    let outcome = info.metadata.get(Outcome::KEY).and_then(|said| Outcome::of(said));
    Some(Reason { reason: info.reason, outcome, is_callers: info.domain == domain::CALLER })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::{Code, Status};
    use tonic_types::ErrorDetails;

    use super::*;

    fn read(reason: &str, outcome: &str) -> Option<Reason> {
        let metadata = HashMap::from([("outcome".to_owned(), outcome.to_owned())]);
        let details = ErrorDetails::with_error_info(reason, "test", metadata);
        let mut headers = HeaderMap::new();
        Status::with_error_details(Code::Aborted, "text", details).add_header(&mut headers).unwrap();
        of(&headers)
    }

    #[test]
    fn only_words_of_ours_are_taken() {
        let known = Reason { reason: "OUTCOME_UNKNOWN".to_owned(), outcome: Some(Outcome::Unknown), is_callers: false };
        assert_eq!(read("OUTCOME_UNKNOWN", "UNKNOWN"), Some(known));
        assert_eq!(read("QUOTA_2", "something").unwrap().outcome, None);
        assert_eq!(read("a text\nof somebody", "UNKNOWN"), None);
        assert_eq!(read(&"X".repeat(65), "UNKNOWN"), None);
        assert_eq!(of(&HeaderMap::new()), None);
    }
}
