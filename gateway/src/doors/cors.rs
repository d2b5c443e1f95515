//! Which web pages may call: the answers that a browser asks for (Fetch Standard, CORS protocol).

use std::collections::HashSet;

use chassis::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::config::doors::CorsConfig;

/// What a page may send.
const REQUEST_HEADERS: &str = "authorization, content-type, content-encoding, x-api-key, x-ispbridge-account, \
    x-request-id, traceparent, tracestate, connect-protocol-version, connect-timeout-ms, connect-content-encoding, \
    connect-accept-encoding, grpc-timeout, grpc-encoding, grpc-accept-encoding, x-grpc-web, x-user-agent";

/// What a page may read.
const REPLY_HEADERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id, \
    x-ispbridge-unreadable-fields, trailer-x-ispbridge-unreadable-fields, connect-content-encoding, grpc-encoding";

/// The pages that may call.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: HashSet<HeaderValue>,
    all: bool,
    max_age: HeaderValue,
}

impl Cors {
    /// Prepares what the configuration says.
    pub(crate) fn new(config: &CorsConfig) -> Self {
        let texts = || config.origins.iter().map(|origin| origin.as_str());
        Self {
            origins: texts().filter_map(|text| HeaderValue::from_str(text).ok()).collect(),
            all: texts().any(|text| text == "*"),
            max_age: HeaderValue::from(config.max_age_seconds.0.as_secs()),
        }
    }

    /// Answers a preflight, before anybody asks who calls: it carries no credentials. `None` if it is none, or if no page
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
        insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        insert(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
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
        if self.all {
            insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            insert(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        insert(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, REPLY_HEADERS);
    }

    fn is_off(&self) -> bool {
        self.origins.is_empty()
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.all || self.origins.contains(origin)
    }
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
