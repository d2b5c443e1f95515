//! `x-request-id`: taken from the caller if it is decent, made otherwise, returned always.

use http::{HeaderMap, HeaderValue, Response};
use protocol::headers::REQUEST_ID;

use super::{Request, Service};

const LONGEST: usize = 128;

/// Gives every call an id.
#[derive(Debug)]
pub(crate) struct RequestId<S> {
    inner: S,
}

impl<S> RequestId<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: Service> Service for RequestId<S> {
    type Reply = S::Reply;

    async fn call(&self, mut request: Request) -> Response<S::Reply> {
        let id = ensure(request.headers_mut());
        let mut response = self.inner.call(request).await;
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
}

/// The id of a call that has passed this layer.
pub fn of(headers: &HeaderMap) -> &str {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

fn ensure(headers: &mut HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| decent(id)).cloned();
    let mut id = given.unwrap_or_else(fresh);
    // No secret, but HPACK keeps what is one out of its table, where an id would push out headers that come again.
    id.set_sensitive(true);
    headers.insert(REQUEST_ID, id.clone());
    id
}

fn decent(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=LONGEST).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-:/+=".contains(byte))
}

/// A random UUID (RFC 9562, version 4). Nothing depends on that nobody can guess it, so the fast generator will do.
fn fresh() -> HeaderValue {
    let mut bytes = fastrand::u128(..).to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    HeaderValue::from_bytes(&spelled(bytes)).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn spelled(bytes: [u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_when_there_is_none_and_is_a_uuid() {
        let mut headers = HeaderMap::new();
        let id = ensure(&mut headers);
        let text = id.to_str().unwrap();
        assert_eq!(text.len(), 36);
        assert_eq!(text.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>(), [8, 13, 18, 23]);
        assert_eq!(&text[14..15], "4");
        assert_ne!(id, fresh());
        assert_eq!(of(&headers), text);
    }

    #[test]
    fn a_decent_id_is_kept_and_any_other_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("order-17/3"));
        assert_eq!(ensure(&mut headers), "order-17/3");
        for bad in ["", "two words", "a\"quote"] {
            headers.insert(REQUEST_ID, HeaderValue::from_str(bad).unwrap());
            assert_ne!(ensure(&mut headers), bad);
        }
        headers.insert(REQUEST_ID, HeaderValue::from_str(&"x".repeat(LONGEST + 1)).unwrap());
        assert_eq!(ensure(&mut headers).len(), 36);
    }
}
