//! Every error leaves in the one form of [`protocol::status`].
//!
//! tonic 0.14 has codes of its own for a missed deadline, an oversized message, an unreadable one and a lost peer.

use http::{HeaderMap, HeaderName, Response};
use protocol::{Body, Outcome, answer, names, refusal, told};
use tonic::{Code, Status};

use super::{Request, Service, exempt};

const STATUS_HEADERS: [HeaderName; 3] =
    [protocol::headers::GRPC_STATUS, protocol::headers::GRPC_MESSAGE, protocol::headers::GRPC_STATUS_DETAILS];

/// Brings the status of replies without a body into the form; the others are done when their trailers come by.
#[derive(Debug)]
pub(crate) struct Statuses<S> {
    inner: S,
}

impl<S> Statuses<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: Service<Reply = Body>> Service for Statuses<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        let unsaid = unsaid(request.uri().path());
        let mut response = self.inner.call(request).await;
        normalise(response.headers_mut(), unsaid);
        response
    }
}

/// The outcome of a call whose error says nothing of it: health and reflection change nothing, of everything else nobody
/// knows.
pub(crate) fn unsaid(path: &str) -> Outcome {
    if exempt(path) { Outcome::NotSent } else { Outcome::Unknown }
}

/// Brings the status in headers or trailers into the form; success and the lack of a status are left alone.
pub(crate) fn normalise(headers: &mut HeaderMap, unsaid: Outcome) {
    if matches!(told::code(headers), None | Some(Code::Ok)) {
        return;
    }
    let Some(status) = told::status(headers) else {
        return;
    };
    for name in STATUS_HEADERS {
        headers.remove(name);
    }
    let status = if status.details().is_empty() { meaning(&status, unsaid) } else { status };
    let status = protocol::status::normalised(&status, unsaid);
    if status.add_header(headers).is_err() {
        headers.insert(protocol::headers::GRPC_STATUS, http::HeaderValue::from(status.code() as i32));
    }
}

/// tonic's own words, translated to what the standard calls them; other statuses without details as they are.
fn meaning(status: &Status, unsaid: Outcome) -> Status {
    let message = status.message();
    match status.code() {
        Code::Unimplemented if message.is_empty() => {
            answer::status(Code::Unimplemented, "METHOD_UNKNOWN", "there is no such method here", Outcome::NotSent)
        }
        Code::OutOfRange if message.contains("decoded message length too large") => refusal::too_large(),
        Code::Internal if message.starts_with("failed to decode Protobuf message") => refusal::not_protobuf(),
        Code::Cancelled if message == "Timeout expired" => bare(Code::DeadlineExceeded, "the deadline passed", unsaid),
        Code::OutOfRange if message.contains("message length too large") => {
            bare(Code::ResourceExhausted, message, unsaid)
        }
        Code::Unknown if message.starts_with("transport error") => bare(Code::Unavailable, message, unsaid),
        code => bare(code, message, unsaid),
    }
}

/// A status whose reason is the name of its code.
fn bare(code: Code, message: &str, outcome: Outcome) -> Status {
    answer::status(code, names::code_name(code), message, outcome)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use protocol::status::{DETAILS_BYTES, MESSAGE_BYTES};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn through(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        normalise(&mut headers, Outcome::Unknown);
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn tonics_codes_become_the_standard_ones() {
        let cases = [
            (Status::cancelled("Timeout expired"), Code::DeadlineExceeded),
            (Status::cancelled("by the caller"), Code::Cancelled),
            (
                Status::out_of_range("Error, decoded message length too large: found 5, the limit is: 4 bytes"),
                Code::ResourceExhausted,
            ),
            (Status::out_of_range("page 7 of 5"), Code::OutOfRange),
            (
                Status::out_of_range("Error, encoded message length too large: found 5 bytes, the limit is: 4 bytes"),
                Code::ResourceExhausted,
            ),
            (Status::internal("failed to decode Protobuf message: buffer underflow"), Code::InvalidArgument),
            (Status::unknown("transport error"), Code::Unavailable),
            (Status::unknown("who knows"), Code::Unknown),
        ];
        for (status, code) in cases {
            assert_eq!(through(&status).code(), code, "{status}");
        }
    }

    #[test]
    fn an_error_without_details_gets_an_error_info_and_a_text() {
        let status = through(&Status::unimplemented(""));
        assert_eq!(status.message(), "there is no such method here");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("METHOD_UNKNOWN", "service.ispbridge"));
        assert_eq!(info.metadata["outcome"], "NOT_SENT");
        let info = through(&Status::data_loss("gone")).get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["outcome"].as_str()), ("DATA_LOSS", "UNKNOWN"));
    }

    #[test]
    fn a_fitting_status_keeps_all_of_its_details() {
        let mut details = ErrorDetails::with_error_info("NO_SUCH_CUSTOMER", "aex.ispbridge", HashMap::new());
        details.add_bad_request_violation("customer_id", "unknown");
        let status = through(&Status::with_error_details(Code::NotFound, "no such customer", details));
        assert_eq!(status.get_details_error_info().unwrap().domain, "aex.ispbridge");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 1);
    }

    #[test]
    fn what_is_too_large_keeps_its_meaning() {
        let metadata = HashMap::from([
            ("outcome".to_owned(), "UNKNOWN".to_owned()),
            ("upstream_message".to_owned(), "x".repeat(5000)),
        ]);
        let mut details = ErrorDetails::with_error_info("OUTCOME_UNKNOWN", "aex.ispbridge", metadata);
        details.add_bad_request_violation("field", "y".repeat(5000));
        let status = through(&Status::with_error_details(Code::Aborted, "é".repeat(2000), details));
        assert!(status.message().len() <= MESSAGE_BYTES && status.details().len() <= DETAILS_BYTES);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["outcome"].as_str()), ("OUTCOME_UNKNOWN", "UNKNOWN"));
        assert_eq!(info.metadata.len(), 1);
    }

    #[test]
    fn lines_stay_and_escapes_do_not_leave_the_message() {
        let special = "\t\nwith whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
        assert_eq!(through(&Status::unknown(special)).message(), special);
        assert_eq!(through(&Status::internal("a\0b\u{1b}[31m")).message(), "a b [31m");
    }

    #[test]
    fn success_is_left_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let before = headers.clone();
        normalise(&mut headers, Outcome::Unknown);
        assert_eq!(headers, before);
    }
}
