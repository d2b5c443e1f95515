//! Compresses replies for callers that accept gzip.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serving::message::{self, GZIP, WORTH};

/// Larger bodies are compressed on a blocking thread.
const LONG: usize = 64 << 10;

/// The body of a reply, compressed if that is wanted and makes it smaller; sets the headers.
pub(crate) async fn body(whole: Bytes, is_wanted: bool, headers: &mut HeaderMap) -> Bytes {
    if whole.len() < WORTH {
        return whole;
    }
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !is_wanted {
        return whole;
    }
    let small = match whole.len() {
        0..LONG => message::pack(&whole),
        _ => {
            let large = whole.clone();
            tokio::task::spawn_blocking(move || message::pack(&large)).await.ok().flatten()
        }
    };
    let Some(small) = small else { return whole };
    headers.insert(header::CONTENT_ENCODING, GZIP);
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Bytes {
        std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
    }

    #[tokio::test]
    async fn what_gets_smaller_is_packed_and_only_for_who_wants_it() {
        let texts = [WORTH, LONG, 10 * LONG].map(|length| Bytes::from("word ".repeat(length / 5 + 1)));
        for whole in texts {
            let mut headers = HeaderMap::new();
            let small = body(whole.clone(), true, &mut headers).await;
            assert_eq!(
                (message::unpack(&small, whole.len()).unwrap(), &headers["content-encoding"]),
                (whole.clone(), &GZIP)
            );
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
}
