//! The status of a reply as its headers or trailers tell it, however badly they are written.
//!
//! A peer may send details that are no base64, at which tonic 0.14 panics, and a message that is no text, for which it forgets
//! the code. The code is the verdict: it stays, without what cannot be read.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderMap;
use percent_encoding::percent_decode;
use tonic::{Code, Status};

use crate::headers::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};

/// gRPC writes binary headers with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The code of a status, if there is one; what is no number between 0 and 16 counts as UNKNOWN, as in other clients.
#[must_use]
pub fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// Reads a status, without the other headers; nothing if there is none.
#[must_use]
pub fn status(headers: &HeaderMap) -> Option<Status> {
    let code = code(headers)?;
    let message = headers.get(GRPC_MESSAGE).map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy());
    let details = headers.get(GRPC_STATUS_DETAILS).and_then(|details| BASE64.decode(details.as_bytes()).ok());
    Some(Status::with_details(code, message.unwrap_or_default(), details.unwrap_or_default().into()))
}

/// Takes out details that nobody can read, before a client of tonic sees them.
pub fn mend(headers: &mut HeaderMap) {
    if headers.get(GRPC_STATUS_DETAILS).is_some_and(|details| BASE64.decode(details.as_bytes()).is_err()) {
        headers.remove(GRPC_STATUS_DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn headers(message: &[u8], details: &[u8]) -> HeaderMap {
        let value = |bytes| HeaderValue::from_bytes(bytes).unwrap();
        HeaderMap::from_iter([
            (GRPC_STATUS, value(b"5")),
            (GRPC_MESSAGE, value(message)),
            (GRPC_STATUS_DETAILS, value(details)),
        ])
    }

    #[test]
    fn what_cannot_be_read_does_not_cost_the_code() {
        for (message, details, text) in [
            (&b"gone"[..], &b"***"[..], "gone"),
            (b"gone", b"AAA=A", "gone"),
            (b"gone", b"\xff\xfe", "gone"),
            (b"no such %E2%82", b"", "no such \u{fffd}"),
            (b"50%", b"A", "50%"),
        ] {
            let status = status(&headers(message, details)).unwrap();
            assert_eq!((status.code(), status.message(), status.details()), (Code::NotFound, text, &b""[..]));
            let mut headers = headers(message, details);
            mend(&mut headers);
            assert!(Status::from_header_map(&headers).is_some(), "it does not panic");
        }
        assert!(status(&HeaderMap::new()).is_none());
    }

    #[test]
    fn what_can_be_read_is_as_tonic_reads_it() {
        let details = ErrorDetails::with_error_info("GONE", "aex.ispbridge", []);
        let mut headers = HeaderMap::new();
        Status::with_error_details(Code::NotFound, "no such – thing", details).add_header(&mut headers).unwrap();
        let (ours, tonics) = (status(&headers).unwrap(), Status::from_header_map(&headers).unwrap());
        assert_eq!((ours.message(), ours.details()), (tonics.message(), tonics.details()));
        assert_eq!(ours.get_details_error_info().unwrap().reason, "GONE");
        let padded = [headers[GRPC_STATUS_DETAILS].as_bytes(), b"=="].concat();
        let lengths = [padded.len(), padded.len() - 1, padded.len() - 2];
        let padded = &padded[..lengths.into_iter().find(|length| length % 4 == 0).unwrap()];
        headers.insert(GRPC_STATUS_DETAILS, HeaderValue::from_bytes(padded).unwrap());
        assert_eq!(status(&headers).unwrap().details(), tonics.details());
    }
}
