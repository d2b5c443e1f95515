//! Replies in gzip, for callers that say they take it.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::envelope::envelope;

/// Flag of an envelope whose message is packed, in every protocol that has envelopes.
const PACKED: u8 = 1;
/// Less than this fits into one packet with the head of the reply anyway.
const WORTH: usize = 1 << 10;
/// What is more is packed where nobody else has to wait for it.
const LONG: usize = 64 << 10;
/// Messages of a stream are packed where they pass, so what would take many milliseconds is left as it is.
const IN_PASSING: usize = 1 << 20;

/// The name of the one compression.
pub(crate) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Whether a header like `accept-encoding` lists gzip, and not with a weight of zero.
pub(crate) fn wanted(headers: &HeaderMap, name: HeaderName) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The body of a reply, packed if that is wanted and makes it smaller; the headers say so.
pub(crate) async fn body(whole: Bytes, is_wanted: bool, headers: &mut HeaderMap) -> Bytes {
    if whole.len() < WORTH {
        return whole;
    }
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !is_wanted {
        return whole;
    }
    let small = match whole.len() {
        0..LONG => packed(&whole),
        _ => {
            let large = whole.clone();
            tokio::task::spawn_blocking(move || packed(&large)).await.ok().flatten()
        }
    };
    let Some(small) = small else { return whole };
    headers.insert(header::CONTENT_ENCODING, GZIP);
    small
}

/// A message in an envelope, packed if that makes it smaller.
pub(crate) fn in_envelope(message: &[u8]) -> Bytes {
    let is_worth_it = (WORTH..=IN_PASSING).contains(&message.len());
    match is_worth_it.then(|| packed(message)).flatten() {
        Some(small) => envelope(PACKED, &small),
        None => envelope(0, message),
    }
}

/// The packed bytes, unless they would be no fewer.
fn packed(bytes: &[u8]) -> Option<Bytes> {
    let packed = gzip(bytes).ok()?;
    (packed.len() < bytes.len()).then(|| packed.into())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn noise(length: usize) -> Bytes {
        std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
    }

    #[test]
    fn a_caller_says_what_it_takes() {
        let wants = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            wanted(&values.collect(), header::ACCEPT_ENCODING)
        };
        for values in [&["gzip"][..], &["br, GZIP"], &["gzip;q=0.5, identity"], &["br", "deflate ,gzip ; q=1"]] {
            assert!(wants(values), "{values:?}");
        }
        for values in [&[][..], &[""], &["br"], &["gzip;q=0"], &["gzip; q=0.0, br"], &["x-gzip"], &["gzip;q=x"]] {
            assert!(!wants(values), "{values:?}");
        }
    }

    #[tokio::test]
    async fn what_gets_smaller_is_packed_and_only_for_who_wants_it() {
        let texts = [WORTH, LONG, 10 * LONG].map(|length| Bytes::from("word ".repeat(length / 5 + 1)));
        for whole in texts {
            let mut headers = HeaderMap::new();
            let small = body(whole.clone(), true, &mut headers).await;
            assert_eq!((unpacked(&small), &headers["content-encoding"]), (whole.to_vec(), &GZIP));
            assert!(small.len() < whole.len() / 10 && headers["vary"] == "accept-encoding");
            let mut headers = HeaderMap::new();
            assert_eq!(body(whole.clone(), false, &mut headers).await, whole);
            assert!(!headers.contains_key("content-encoding") && headers["vary"] == "accept-encoding");
        }
        for whole in [Bytes::from(vec![b'a'; WORTH - 1]), noise(WORTH), noise(LONG)] {
            let mut headers = HeaderMap::new();
            assert_eq!(body(whole.clone(), true, &mut headers).await, whole);
            assert!(!headers.contains_key("content-encoding"));
        }
    }

    #[test]
    fn messages_say_whether_they_are_packed() {
        let large = vec![b'a'; WORTH];
        let packed = in_envelope(&large);
        assert_eq!((packed[0], unpacked(&packed[5..])), (PACKED, large));
        for plain in [Bytes::from_static(b"a"), noise(WORTH), Bytes::from(vec![b'a'; IN_PASSING + 1])] {
            assert_eq!(in_envelope(&plain), envelope(0, &plain));
        }
    }
}
