//! Which protocol a request speaks.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use protocol::{Body, method::MethodName};

use super::{
    error::{not_allowed, refusal},
    json::Codec,
};
use crate::{config::doors::DoorsConfig, openapi};

/// The accepted content types, for errors.
const TAKEN: &str = "application/json, application/proto, application/connect+json, application/connect+proto, \
                     application/grpc-web, application/grpc-web-text, application/grpc";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// gRPC-Web, its request in base64 if `text`.
    Web {
        /// Whether the body of the request is base64.
        text: bool,
    },
    /// Connect, one message each way.
    Unary(Codec),
    /// Connect, the message in the address.
    Get,
    /// The OpenAPI document.
    Document,
    /// Connect, messages in envelopes.
    Stream(Codec),
}

impl Protocol {
    /// Detects the protocol by method and content type; the error is the response to send.
    pub(crate) fn of(request: &Request<Body>, open: &DoorsConfig) -> Result<Self, Box<Response<Body>>> {
        let path = request.uri().path();
        if open.openapi && path == openapi::PATH {
            return match *request.method() {
                Method::GET | Method::HEAD => Ok(Self::Document),
                _ => Err(not_allowed("the document is read with GET", "GET, HEAD")),
            };
        }
        if MethodName::parse(path).is_none() {
            return Err(refusal(StatusCode::NOT_FOUND, "there is nothing here: a path is /package.Service/Method"));
        }
        match *request.method() {
            Method::POST => Self::of_content_type(request, open).ok_or_else(unsupported),
            Method::GET | Method::HEAD if open.connect && request.uri().query().is_some() => Ok(Self::Get),
            _ => Err(not_allowed("a method is called with POST", "POST")),
        }
    }

    fn of_content_type(request: &Request<Body>, open: &DoorsConfig) -> Option<Self> {
        let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let protocol = match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" if is_utf8(parameters) => Self::Unary(Codec::Json),
            "application/proto" => Self::Unary(Codec::Proto),
            "application/connect+json" => Self::Stream(Codec::Json),
            "application/connect+proto" => Self::Stream(Codec::Proto),
            "application/grpc-web" | "application/grpc-web+proto" => Self::Web { text: false },
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Self::Web { text: true },
            _ => return None,
        };
        let is_open = if matches!(protocol, Self::Web { .. }) { open.grpc_web } else { open.connect };
        is_open.then_some(protocol)
    }
}

/// JSON is UTF-8 (RFC 8259); another charset is a mistake.
fn is_utf8(parameters: &str) -> bool {
    let mut charsets = parameters.split(';').filter_map(|one| one.trim().split_once('='));
    charsets.all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8"].iter().any(|utf8| value.trim().trim_matches('"').eq_ignore_ascii_case(utf8))
    })
}

fn unsupported() -> Box<Response<Body>> {
    let mut response = refusal(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        &format!("the content type is none that is taken here ({TAKEN}; the last over HTTP/2 only)"),
    );
    response.headers_mut().insert("accept-post", HeaderValue::from_static(TAKEN));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(method: &str, address: &str, content_type: &str) -> Result<Protocol, StatusCode> {
        let request = Request::builder().method(method).uri(address).header("content-type", content_type);
        let request = request.body(Body::empty()).unwrap();
        Protocol::of(&request, &DoorsConfig::default()).map_err(|response| response.status())
    }

    #[test]
    fn a_protocol_is_told_by_its_content_type() {
        let post = |content_type| protocol("POST", "/a.B/C", content_type);
        assert_eq!(post("application/json"), Ok(Protocol::Unary(Codec::Json)));
        assert_eq!(post("Application/JSON; charset=UTF-8"), Ok(Protocol::Unary(Codec::Json)));
        assert_eq!(post("application/connect+proto"), Ok(Protocol::Stream(Codec::Proto)));
        assert_eq!(post("application/grpc-web-text+proto"), Ok(Protocol::Web { text: true }));
        for none in ["text/plain", "", "application/json; charset=latin1", "application/grpc", "application/grpc-webx"]
        {
            assert_eq!(post(none), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{none}");
        }
    }

    #[test]
    fn what_is_no_call_is_told_why() {
        assert_eq!(protocol("GET", "/openapi.json", ""), Ok(Protocol::Document));
        assert_eq!(protocol("HEAD", "/openapi.json", ""), Ok(Protocol::Document));
        assert_eq!(protocol("POST", "/openapi.json", "application/json"), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(protocol("POST", "/", "application/json"), Err(StatusCode::NOT_FOUND));
        assert_eq!(protocol("GET", "/a.B/C", ""), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(protocol("GET", "/a.B/C?message=", ""), Ok(Protocol::Get));
        assert_eq!(protocol("DELETE", "/a.B/C", ""), Err(StatusCode::METHOD_NOT_ALLOWED));
    }
}
