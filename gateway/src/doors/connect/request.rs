//! The parts of a Connect request that are about the protocol.

use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, header};
use tonic::{Code, Status};

use super::super::unread::too_large;
use crate::answer::{Answer, Outcome};

/// Compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// None.
    Identity,
    /// gzip.
    Gzip,
}

impl Compression {
    /// Reads a name; an empty one is none.
    ///
    /// # Errors
    /// UNIMPLEMENTED with the names that are taken, as the protocol asks.
    pub(crate) fn named(name: &str) -> Result<Self, Status> {
        match name {
            "" | "identity" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            _ => {
                let text = "the compression of the request is none that is taken here: gzip, identity";
                Err(Answer::new(Code::Unimplemented, "COMPRESSION_UNKNOWN", text).outcome(Outcome::NotSent).status())
            }
        }
    }

    /// Unpacks a body, up to a limit.
    ///
    /// # Errors
    /// What is not compressed so, or is larger.
    pub(crate) fn unpack(self, body: Bytes, max: usize) -> Result<Bytes, Status> {
        if self == Self::Identity {
            return Ok(body);
        }
        let mut unpacked = Vec::new();
        let limit = max as u64 + 1;
        let read = GzDecoder::new(&*body).take(limit).read_to_end(&mut unpacked);
        match read {
            Ok(length) if length <= max => Ok(unpacked.into()),
            Ok(_) => Err(too_large()),
            Err(_) => Err(wrong("content-encoding", "the body of the request is not gzip")),
        }
    }
}

/// Checks version and deadline, and writes the deadline as gRPC does.
///
/// # Errors
/// The header that is wrong.
pub(crate) fn translate(headers: &mut HeaderMap) -> Result<(), Status> {
    if headers.get("connect-protocol-version").is_some_and(|version| version != "1") {
        return Err(wrong("connect-protocol-version", "the version of the Connect protocol must be 1"));
    }
    headers.remove("grpc-timeout");
    headers.remove("grpc-encoding");
    headers.remove("grpc-accept-encoding");
    if let Some(timeout) = headers.get("connect-timeout-ms") {
        let timeout = timeout.to_str().ok().and_then(grpc_timeout).ok_or_else(|| {
            wrong("connect-timeout-ms", "connect-timeout-ms must be a number of milliseconds of at most ten digits")
        })?;
        headers.insert("grpc-timeout", timeout);
    }
    Ok(())
}

/// The compression that a header names.
pub(crate) fn compression(headers: &HeaderMap, name: header::HeaderName) -> Result<Compression, Status> {
    let named = headers.get(name).map_or(Ok(""), |value| value.to_str());
    Compression::named(named.unwrap_or("?"))
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
    use std::io::Write;

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

    #[test]
    fn a_packed_body_is_unpacked_up_to_the_limit() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&[b'a'; 1000]).unwrap();
        let packed = Bytes::from(packer.finish().unwrap());
        assert_eq!(Compression::Gzip.unpack(packed.clone(), 1000).unwrap().len(), 1000);
        let refused = Compression::Gzip.unpack(packed.clone(), 999).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let cut = Compression::Gzip.unpack(packed.slice(..packed.len() - 4), 1000).unwrap_err();
        assert_eq!(cut.code(), Code::InvalidArgument);
    }
}
