//! The parts of a Connect request that are about the protocol.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use protocol::headers;
use serving::message::{self, Encoding};
use tonic::{Code, Status};

use crate::answer::{Answer, Outcome};

/// Unpacks a body, up to a limit.
///
/// # Errors
/// What is not compressed so, or is larger.
pub(crate) fn unpacked(encoding: Encoding, body: Bytes, max: usize) -> Result<Bytes, Status> {
    match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => message::unpack(&body, max),
    }
}

/// Checks version and deadline, and writes the deadline as gRPC does.
///
/// # Errors
/// The header that is wrong.
pub(crate) fn translate(headers: &mut HeaderMap) -> Result<(), Status> {
    if headers.get(headers::CONNECT_PROTOCOL_VERSION).is_some_and(|version| version != "1") {
        return Err(message::header(headers::CONNECT_PROTOCOL_VERSION.as_str(), "must be 1"));
    }
    headers.remove(headers::GRPC_TIMEOUT);
    headers.remove(headers::GRPC_ENCODING);
    headers.remove(headers::GRPC_ACCEPT_ENCODING);
    let mut timeouts = headers.get_all(headers::CONNECT_TIMEOUT).into_iter();
    if let Some(timeout) = timeouts.next() {
        let timeout = timeout.to_str().ok().and_then(grpc_timeout).filter(|_| timeouts.next().is_none());
        let must = "must come once and be a number of milliseconds of at most ten digits";
        let timeout = timeout.ok_or_else(|| message::header(headers::CONNECT_TIMEOUT.as_str(), must))?;
        headers.insert(headers::GRPC_TIMEOUT, timeout);
    }
    Ok(())
}

/// The compression that a header names.
pub(crate) fn encoding(headers: &HeaderMap, name: header::HeaderName) -> Result<Encoding, Status> {
    let named = headers.get(name).map_or(Ok(""), |value| value.to_str());
    Encoding::named(named.unwrap_or("?"))
}

/// A header or a part of the address that is wrong.
pub(crate) fn wrong(name: &str, text: &str) -> Status {
    let answer = Answer::new(Code::InvalidArgument, "REQUEST_INVALID", text).outcome(Outcome::NotSent);
    answer.violation(name, text).status()
}

/// gRPC takes eight digits: what is longer is given in seconds.
fn grpc_timeout(millis: &str) -> Option<HeaderValue> {
    if !(1..=10).contains(&millis.len()) || !millis.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = millis.parse().ok()?;
    let text = if number < 100_000_000 { format!("{number}m") } else { format!("{}S", number / 1000) };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_same_in_both_protocols() {
        let cases = [("0", "0m"), ("99999999", "99999999m"), ("100000000", "100000S"), ("9999999999", "9999999S")];
        for (millis, expected) in cases {
            assert_eq!(grpc_timeout(millis).unwrap(), expected);
        }
        for bad in ["", "-1", "1.5", "10s", "12345678901"] {
            assert_eq!(grpc_timeout(bad), None, "{bad}");
        }
    }
}
