//! Content codings of replies (RFC 9110, 8.4).
//!
//! Requests ask for gzip and nothing else. Its name is also `x-gzip`, in any case (8.4.1.3), and servers are known that send
//! deflate unasked, with the frame of zlib or without (8.4.1.2). A reply in another coding, or in several, stays as it is:
//! whatever reads it says that it cannot.

use std::io::{self, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderValue, header};

use super::reply::larger_than;
use crate::fault::{Fault, Kind, Outcome};

/// The codings that requests ask for.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip");

/// What requests ask for whose replies are passed on as they are.
pub(crate) const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// How every member of a gzip file begins (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

enum Coding {
    Gzip,
    Deflate,
}

enum Failure {
    TooLarge,
    Broken,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// The body without its coding, of which `headers` then say nothing any more.
///
/// # Errors
/// A [`Fault`] if it has more than `most` bytes, or a checksum that is not its own.
pub(super) fn unpacked(headers: &mut HeaderMap, body: Vec<u8>, most: usize) -> Result<Vec<u8>, Fault> {
    let unpacked = match coding(headers) {
        Some(Coding::Gzip) if !body.is_empty() => gunzipped(&body, most),
        Some(Coding::Deflate) if !body.is_empty() => match inflated(&body, most) {
            Err(Failure::Broken) => return Ok(body),
            inflated => inflated,
        },
        _ => return Ok(body),
    };
    headers.remove(header::CONTENT_ENCODING);
    unpacked.map_err(|failure| match failure {
        Failure::TooLarge => larger_than(most),
        Failure::Broken => {
            let message = "the upstream's reply cannot be unpacked: it is cut off or damaged";
            Fault::new(Kind::Unavailable, Outcome::Unknown, "UPSTREAM_CONNECTION", message)
        }
    })
}

/// The one coding that a reply has, if it is known.
fn coding(headers: &HeaderMap) -> Option<Coding> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let mut names = names.filter(|name| !matches!(name.as_str(), "" | "identity"));
    let coding = match names.next()?.as_str() {
        "gzip" | "x-gzip" => Coding::Gzip,
        "deflate" | "x-deflate" => Coding::Deflate,
        _ => return None,
    };
    names.next().is_none().then_some(coding)
}

/// What gzip packed, in one member or several; what follows the last is nobody's.
fn gunzipped(packed: &[u8], most: usize) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut rest) = (Vec::new(), packed);
    loop {
        let mut member = GzDecoder::new(rest);
        read_within(&mut member, most, &mut bytes)?;
        rest = member.into_inner();
        if !rest.starts_with(&GZIP) {
            return Ok(bytes);
        }
    }
}

/// What deflate packed. It has no checksum if it has no frame, so that every byte must be of it.
fn inflated(packed: &[u8], most: usize) -> Result<Vec<u8>, Failure> {
    let is_framed =
        matches!(packed, [first, second, ..] if first & 15 == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0);
    let mut bytes = Vec::new();
    let rest = if is_framed {
        let mut decoder = ZlibDecoder::new(packed);
        read_within(&mut decoder, most, &mut bytes)?;
        decoder.into_inner()
    } else {
        let mut decoder = DeflateDecoder::new(packed);
        read_within(&mut decoder, most, &mut bytes)?;
        decoder.into_inner()
    };
    if rest.is_empty() { Ok(bytes) } else { Err(Failure::Broken) }
}

/// Reads to the end; what is too much takes no memory.
fn read_within(packed: &mut impl Read, most: usize, bytes: &mut Vec<u8>) -> Result<(), Failure> {
    let mut piece = [0; 16 << 10];
    loop {
        let read = packed.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        if bytes.len() + read > most {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::CONTENT_ENCODING, line.parse().unwrap())).collect()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    fn zlib(text: &str) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    fn deflate(text: &str) -> Vec<u8> {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    fn read(lines: &[&str], body: &[u8]) -> Result<Vec<u8>, Fault> {
        unpacked(&mut headers(lines), body.to_vec(), 100)
    }

    #[test]
    fn a_coding_has_several_names() {
        let of = |lines: &[&str], body: &[u8]| read(lines, body).unwrap();
        for lines in [
            &["gzip"][..],
            &["GZIP"],
            &["x-gzip"],
            &["X-GZip"],
            &[" gzip "],
            &["gzip, identity"],
            &["identity", "gzip"],
            &["Identity,, x-gzip,"],
        ] {
            assert_eq!(of(lines, &gzip("text")), b"text", "{lines:?}");
            assert_eq!(of(lines, b""), b"", "{lines:?}");
        }
        for name in ["deflate", "DEFLATE", "x-deflate", "identity, Deflate"] {
            assert_eq!((of(&[name], &zlib("text")), of(&[name], &deflate("text"))), (b"text".into(), b"text".into()));
        }
        for lines in [&[][..], &["identity"], &["IDENTITY"], &[""], &["utf-8"], &["none"]] {
            assert_eq!(of(lines, b"text"), b"text", "{lines:?}");
        }
    }

    #[test]
    fn what_is_unpacked_has_no_coding() {
        let mut packed = headers(&["gzip", "identity"]);
        unpacked(&mut packed, gzip("text"), 4).unwrap();
        assert!(packed.is_empty());
    }

    #[test]
    fn another_coding_stays() {
        let twice = gzip(&String::from_utf8_lossy(&gzip("text")));
        let with_more = [deflate("text"), b"more".to_vec()].concat();
        let cases: [(&[&str], &[u8]); 6] = [
            (&["br"], b"\x0b\x02\x80\xff\x03"),
            (&["gzip, gzip"], &twice),
            (&["gzip", "br"], &twice),
            (&["deflate"], &with_more),
            (&["deflate"], &zlib("text")[..6]),
            (&["deflate"], b"text"),
        ];
        for (lines, body) in cases {
            assert_eq!(read(lines, body).unwrap(), body, "{lines:?}");
        }
    }

    #[test]
    fn members_follow_one_another() {
        let two = [gzip("te"), gzip("xt")].concat();
        assert_eq!(read(&["gzip"], &two).unwrap(), b"text");
        assert_eq!(read(&["gzip"], &[two, b"\r\n\0".to_vec()].concat()).unwrap(), b"text");
    }

    #[test]
    fn what_is_damaged_or_too_large_is_a_fault() {
        let half = gzip("some more text")[..20].to_vec();
        let mut wrong = gzip("text");
        let sum = wrong.len() - 8;
        wrong[sum] ^= 1;
        for body in [half, wrong, b"text".to_vec(), [gzip("te"), GZIP.to_vec()].concat()] {
            let fault = read(&["gzip"], &body).unwrap_err();
            assert_eq!((fault.kind(), fault.outcome()), (Kind::Unavailable, Outcome::Unknown), "{body:?}");
        }
        let large = "x".repeat(101);
        for (name, body) in [("gzip", gzip(&large)), ("deflate", zlib(&large)), ("deflate", deflate(&large))] {
            assert_eq!(read(&[name], &body).unwrap_err().kind(), Kind::TooLarge);
        }
        assert_eq!(read(&["gzip"], &[gzip(&large[1..]), gzip("x")].concat()).unwrap_err().kind(), Kind::TooLarge);
        assert_eq!(read(&["gzip"], &gzip(&large[1..])).unwrap().len(), 100);
    }
}
