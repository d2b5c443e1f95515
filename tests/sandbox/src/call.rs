//! What an upstream reads and writes, without the connection.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// A request as an upstream sees it.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Address of the caller.
    pub(crate) peer: IpAddr,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the reply is to follow the document's sample where the real behaviour differs.
    pub(crate) as_printed: bool,
}

/// What an upstream replies and whether it did the work.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) executed: bool,
}

/// A reply as an upstream writes it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Answer {
    pub(crate) fn done(reply: Reply) -> Self {
        Self { reply, executed: true }
    }

    pub(crate) fn refused(reply: Reply) -> Self {
        Self { reply, executed: false }
    }
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::empty(status).with(CONTENT_TYPE, content_type).filled(body.into())
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain", body.to_owned())
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self::new(status, "text/html;charset=utf-8", body.to_owned())
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    fn filled(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        response
    }

    /// The head with the full length and the first half of the body.
    pub(crate) fn half(&self) -> Vec<u8> {
        let mut wire = format!("HTTP/1.1 {} -\r\nContent-Length: {}\r\n", self.status, self.body.len()).into_bytes();
        for (name, value) in &self.headers {
            wire.extend_from_slice(format!("{name}: ").as_bytes());
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&self.body[..self.body.len() / 2]);
        wire
    }
}
