//! Which web pages may call: the answers that a browser asks for (Fetch Standard, CORS protocol).

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use protocol::Body;
use protocol::headers;

use crate::{config::doors::CorsConfig, headers::METADATA};

/// What a page may send.
const REQUEST_HEADERS: [HeaderName; 19] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    headers::API_KEY,
    headers::ACCOUNT,
    headers::REQUEST_ID,
    headers::CONNECT_PROTOCOL_VERSION,
    headers::CONNECT_TIMEOUT,
    headers::CONNECT_CONTENT_ENCODING,
    headers::CONNECT_ACCEPT_ENCODING,
    headers::GRPC_TIMEOUT,
    headers::GRPC_ENCODING,
    headers::GRPC_ACCEPT_ENCODING,
    headers::GRPC_WEB,
    headers::USER_AGENT_WEB,
    header::CACHE_CONTROL,
    header::IF_NONE_MATCH,
    headers::TRACEPARENT,
    headers::TRACESTATE,
];

/// What tracers in a page add to every request besides the headers of W3C Trace Context; none of it counts here, and one that is
/// not allowed would cost the page its call.
const TRACING_HEADERS: [&str; 15] = [
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "sentry-trace",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-origin",
    "x-cloud-trace-context",
    "x-amzn-trace-id",
];

/// What a page may read in any case, besides all that an answer has.
const REPLY_HEADERS: [HeaderName; 4] =
    [headers::GRPC_STATUS, headers::GRPC_MESSAGE, headers::GRPC_STATUS_DETAILS, headers::GRPC_ENCODING];

/// The pages that may call.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: HashSet<HeaderValue>,
    all: bool,
    max_age: HeaderValue,
    /// What a page may send.
    allowed: HeaderValue,
    /// What a page may read of any answer.
    exposed: Vec<String>,
}

impl Cors {
    /// Prepares the configured policy.
    pub(crate) fn new(config: &CorsConfig) -> Self {
        let texts = || config.origins.iter().map(|origin| origin.as_str());
        Self {
            origins: texts().filter_map(|text| HeaderValue::from_str(text).ok()).collect(),
            all: texts().any(|text| text == "*"),
            max_age: HeaderValue::from(config.max_age_seconds.0.as_secs()),
            allowed: list(REQUEST_HEADERS.iter().map(HeaderName::as_str).chain(TRACING_HEADERS)),
            exposed: exposed(),
        }
    }

    /// Answers a preflight, which carries no credentials, before authentication. `None` if it is none, or if no page
    /// may call.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response<Body>> {
        let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = request.headers().get(header::ORIGIN)?;
        if self.is_off() || request.method() != Method::OPTIONS || !asks {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if !self.allows(origin) {
            *response.status_mut() = StatusCode::FORBIDDEN;
            return Some(response);
        }
        let headers = response.headers_mut();
        self.mark(Some(origin), headers);
        insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.allowed.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(response)
    }

    /// Lets a page read an answer, if it may.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.is_off() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else {
            return;
        };
        let others = headers.keys().map(HeaderName::as_str).filter(|name| !self.exposed.iter().any(|one| one == name));
        let exposed = list(self.exposed.iter().map(String::as_str).chain(others));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if self.all {
            insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            insert(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }

    fn is_off(&self) -> bool {
        self.origins.is_empty()
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.all || self.origins.contains(origin)
    }
}

/// Metadata in headers, and Connect's trailers, which are prefixed headers.
fn exposed() -> Vec<String> {
    let metadata = METADATA.into_iter().flat_map(|name| [name.to_string(), format!("trailer-{name}")]);
    REPLY_HEADERS.map(|name| name.to_string()).into_iter().chain(metadata).collect()
}

fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderValue {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name.as_ref());
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &str) -> Cors {
        let config: CorsConfig = toml::from_str(&format!("origins = [{origins}]")).unwrap();
        Cors::new(&config)
    }

    fn preflight(cors: &Cors, origin: &str) -> Option<(StatusCode, HeaderMap)> {
        let request = Request::options("/a.B/C").header("origin", origin);
        let request = request.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
        cors.preflight(&request).map(|response| (response.status(), response.headers().clone()))
    }

    #[test]
    fn a_listed_page_may_call_with_credentials_and_another_may_not() {
        let cors = cors("\"https://a.example.com\"");
        let (status, headers) = preflight(&cors, "https://a.example.com").unwrap();
        assert_eq!((status, &headers["access-control-max-age"]), (StatusCode::NO_CONTENT, &HeaderValue::from(600)));
        assert_eq!(headers["access-control-allow-origin"], "https://a.example.com");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        for other in ["https://b.example.com", "https://a.example.com.evil.example", "null", "*"] {
            let (status, headers) = preflight(&cors, other).unwrap();
            assert_eq!(status, StatusCode::FORBIDDEN, "{other}");
            assert!(headers.is_empty(), "{other}");
        }
    }

    #[test]
    fn every_page_may_call_without_credentials() {
        let (_, headers) = preflight(&cors("\"*\""), "https://b.example.com").unwrap();
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn without_a_list_no_page_may_call() {
        let cors = cors("");
        assert!(preflight(&cors, "https://a.example.com").is_none());
        let mut headers = HeaderMap::new();
        cors.mark(Some(&HeaderValue::from_static("https://a.example.com")), &mut headers);
        assert!(headers.is_empty());
    }
}
