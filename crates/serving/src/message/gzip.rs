//! Messages packed by gzip: requests of callers that pack them, and replies for callers that take it.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::refusal;
use tonic::Status;

use super::{PACKED, envelope};

/// The name of the one compression.
pub const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Less than this fits into one packet with the head of the reply anyway.
pub const WORTH: usize = 1 << 10;

/// Whether a header like `accept-encoding` lists gzip, and not with a weight of zero.
#[must_use]
pub fn wants_gzip(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Unpacks a message; no more than `max` bytes are ever held, however many the packed ones would become.
///
/// # Errors
/// What is not gzip, or is larger.
pub fn unpack(packed: &[u8], max: usize) -> Result<Bytes, Status> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(packed).take((max as u64).saturating_add(1)).read_to_end(&mut plain);
    match read {
        // Nothing at all is no gzip, which the decoder does not say.
        _ if packed.is_empty() => Err(refusal::not_gzip()),
        Ok(length) if length > max => Err(refusal::too_large()),
        Ok(_) => Ok(plain.into()),
        Err(_) => Err(refusal::not_gzip()),
    }
}

/// The packed bytes, unless they are too few to be worth it or would become no fewer.
#[must_use]
pub fn pack(bytes: &[u8]) -> Option<Bytes> {
    let packed = (bytes.len() >= WORTH).then(|| gzip(bytes).ok()).flatten()?;
    (packed.len() < bytes.len()).then(|| packed.into())
}

/// A message in an envelope, packed if that makes it smaller.
#[must_use]
pub fn in_envelope(message: &[u8]) -> Bytes {
    match pack(message) {
        Some(small) => envelope(PACKED, &small),
        None => envelope(0, message),
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use http::header;
    use tonic::Code;

    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
    }

    #[test]
    fn a_caller_says_what_it_takes() {
        let wants = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            wants_gzip(&values.collect(), &header::ACCEPT_ENCODING)
        };
        for values in [&["gzip"][..], &["br, GZIP"], &["gzip;q=0.5, identity"], &["br", "deflate ,gzip ; q=1"]] {
            assert!(wants(values), "{values:?}");
        }
        for values in [&[][..], &[""], &["br"], &["gzip;q=0"], &["gzip; q=0.0, br"], &["x-gzip"], &["gzip;q=x"]] {
            assert!(!wants(values), "{values:?}");
        }
    }

    #[test]
    fn what_gets_smaller_is_packed() {
        for length in [WORTH, 64 << 10, 1 << 20] {
            let plain = vec![b'a'; length];
            let packed = pack(&plain).unwrap();
            assert!(packed.len() < length / 10);
            assert_eq!(unpack(&packed, length).unwrap(), plain);
        }
        assert_eq!(pack(&vec![b'a'; WORTH - 1]), None);
        assert_eq!(pack(&noise(WORTH)), None);
    }

    #[test]
    fn what_is_unpacked_is_bounded() {
        let packed = pack(&[b'a'; 2000]).unwrap();
        assert_eq!(unpack(&packed, 1999).unwrap_err().code(), Code::ResourceExhausted);
        // Several members are one text (RFC 1952, 2.2).
        assert_eq!(unpack(&[&packed[..], &packed].concat(), 4000).unwrap().len(), 4000);
        assert_eq!(unpack(&[&packed[..], &packed].concat(), 3999).unwrap_err().code(), Code::ResourceExhausted);
    }

    #[test]
    fn what_is_no_gzip_is_told() {
        let packed = pack(&[b'a'; 2000]).unwrap();
        let mut spoilt = packed.to_vec();
        let sum = spoilt.len() - 8;
        spoilt[sum] ^= 1;
        for bytes in
            [&[][..], b"text", &packed[..packed.len() - 1], &packed[..5], &spoilt, &[&packed[..], b"rest"].concat()]
        {
            assert_eq!(unpack(bytes, 4000).unwrap_err().code(), Code::Internal, "{bytes:?}");
        }
    }
}
