//! The outbound HTTP profile: what every call to an upstream keeps to.
//!
//! No redirects, no proxy unless configured, no coding asked for but gzip, a cap on the decoded body, and four
//! timeouts inside the caller's deadline (reliability.md B.3).

mod address;
mod body;
mod client;
mod coding;
mod disposition;
mod failure;
mod fresh;
mod location;
mod reply;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

pub use address::{BaseUrl, BaseUrlError};
pub(crate) use body::{Opened, ReplyBody};
pub use client::{Client, ClientError, Transport};
pub(crate) use coding::IDENTITY;
pub use reply::HttpReply;
pub(crate) use reply::{MAX_DOWNLOAD_BYTES, MAX_REPLY_BYTES};

/// A request, ready to be sent.
#[derive(Clone)]
pub struct HttpRequest {
    /// The HTTP method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// Headers besides those that HTTP itself needs.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
}

impl HttpRequest {
    /// A POST of a text with a content type.
    #[must_use]
    pub fn post(url: Url, content_type: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        HttpRequest { method: Method::POST, url, headers, body: body.into() }
    }

    /// Adds a header that is not secret.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// Path, query, headers and body may carry credentials.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, bytes) = (self.url.host_str().unwrap_or(""), self.body.len());
        write!(formatter, "HttpRequest({} to {host}, {bytes} bytes)", self.method)
    }
}
