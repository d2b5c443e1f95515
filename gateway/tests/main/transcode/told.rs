//! One request over any protocol, and what its caller is told.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, Method};
use prost::Message;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Status};
use tonic_types::{StatusExt, pb::ErrorInfo};

use super::{send, stream, web};
use crate::caller::{ALL, Suite};

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Grpc,
    Web,
    WebText,
    Stream,
    StreamJson,
    Connect,
    Json,
}

/// Those that have gRPC's envelopes.
pub(crate) const ENVELOPED: [Over; 5] = [Over::Grpc, Over::Web, Over::WebText, Over::Stream, Over::StreamJson];
/// All of them.
pub(crate) const ALL_DOORS: [Over; 7] =
    [Over::Grpc, Over::Web, Over::WebText, Over::Stream, Over::StreamJson, Over::Connect, Over::Json];

/// How a call ended, and what its one `ErrorInfo` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: Code,
    pub(crate) reason: String,
    pub(crate) outcome: String,
    pub(crate) domain: String,
}

impl Told {
    /// That the request is malformed.
    pub(crate) fn callers(code: Code, reason: &str) -> Self {
        let (outcome, domain) = ("NOT_SENT".to_owned(), "caller.ispbridge".to_owned());
        Self { code, reason: reason.to_owned(), outcome, domain }
    }

    fn of(code: Code, infos: &[ErrorInfo]) -> Self {
        let [info] = infos else { panic!("{code:?}: {} ErrorInfos", infos.len()) };
        let outcome = info.metadata.get("outcome").cloned().unwrap_or_default();
        assert!(["NOT_SENT", "REJECTED", "UNKNOWN"].contains(&outcome.as_str()), "{code:?} {info:?}");
        Self { code, reason: info.reason.clone(), outcome, domain: info.domain.clone() }
    }

    pub(crate) fn of_status(status: &Status) -> Self {
        let details = tonic_types::pb::Status::decode(status.details()).unwrap().details;
        let infos = details.iter().filter(|any| any.type_url.ends_with("google.rpc.ErrorInfo"));
        assert_eq!(status.get_error_details().error_info().is_some(), infos.clone().count() == 1);
        let infos: Vec<_> = infos.map(|any| ErrorInfo::decode(&*any.value).unwrap()).collect();
        Self::of(status.code(), &infos)
    }

    fn of_json(error: &Value) -> Self {
        let name = error["code"].as_str().unwrap_or_else(|| panic!("{error}")).to_ascii_uppercase();
        let is_it = |code: &Code| protocol::names::code_name(*code).replace("CANCELLED", "CANCELED") == name;
        let code = (0..17).map(Code::from_i32).find(is_it).unwrap();
        let details = error["details"].as_array().unwrap_or_else(|| panic!("{error}")).iter();
        let infos = details.filter(|detail| detail["type"] == "google.rpc.ErrorInfo");
        let value = |detail: &Value| STANDARD_NO_PAD.decode(detail["value"].as_str().unwrap()).unwrap();
        let infos: Vec<_> = infos.map(|detail| ErrorInfo::decode(&*value(detail)).unwrap()).collect();
        Self::of(code, &infos)
    }
}

impl Over {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web+proto",
            Self::WebText => "application/grpc-web-text",
            Self::Stream => "application/connect+proto",
            Self::StreamJson => "application/connect+json",
            Self::Connect => "application/proto",
            Self::Json => "application/json",
        }
    }

    /// The header that names the encoding of the request.
    pub(crate) fn encoding(self) -> &'static str {
        match self {
            Self::Grpc | Self::Web | Self::WebText => "grpc-encoding",
            Self::Stream | Self::StreamJson => "connect-content-encoding",
            Self::Connect | Self::Json => "content-encoding",
        }
    }

    /// The header that names the deadline, 300 milliseconds.
    pub(crate) fn soon(self) -> (&'static str, &'static str) {
        match self {
            Self::Grpc | Self::Web | Self::WebText => ("grpc-timeout", "300m"),
            _ => ("connect-timeout-ms", "300"),
        }
    }

    /// The message of a call that is well, without an envelope.
    pub(crate) fn message(self) -> &'static [u8] {
        if matches!(self, Self::Json | Self::StreamJson) { b"{\"name\":\"abc\"}" } else { b"\x0a\x03abc" }
    }

    /// The bytes as the protocol writes them.
    pub(crate) fn body(self, bytes: &[u8]) -> Bytes {
        if self == Self::WebText { STANDARD.encode(bytes).into() } else { Bytes::copy_from_slice(bytes) }
    }

    /// Makes a call with a key, unless the headers say otherwise; how it ended, if not well.
    pub(crate) async fn call(self, suite: &Suite, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Told> {
        let usual = [("content-type", self.content_type()), ("x-api-key", ALL)];
        let usual = usual.into_iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given == name));
        let headers: Vec<_> = usual.chain(headers.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        let body = self.body(body);
        if self == Self::Grpc {
            let answer = suite.call(path, &headers[1..], body).await;
            return (answer.code() != Code::Ok).then(|| Told::of_status(&answer.status()));
        }
        let answer = send(suite, Method::POST, path, &headers, body).await;
        self.told(&answer.headers, &answer.body)
    }

    fn told(self, headers: &HeaderMap, body: &Bytes) -> Option<Told> {
        // What is no call at all is an error of HTTP with a body that says so.
        if headers["content-type"] == "application/json" && self != Self::Json {
            return Some(Told::of_json(&serde_json::from_slice(body).unwrap()));
        }
        match self {
            Self::Web | Self::WebText => of_web(&self.decoded(body)),
            Self::Stream | Self::StreamJson => {
                let end = stream::end(body);
                (!end["error"].is_null()).then(|| Told::of_json(&end["error"]))
            }
            _ => {
                let error: Option<Value> = serde_json::from_slice(body).ok();
                error.filter(|error| error.get("code").is_some()).map(|error| Told::of_json(&error))
            }
        }
    }

    fn decoded(self, body: &Bytes) -> Vec<u8> {
        match self {
            Self::WebText => body.chunks(4).flat_map(|quad| STANDARD.decode(quad).unwrap()).collect(),
            _ => body.to_vec(),
        }
    }

    /// Sends a request over HTTP/1.1 that has more to come, and then no more: it breaks off, or waits.
    pub(crate) async fn begin(self, suite: &Suite, path: &str, part: &[u8], breaks_off: bool) -> Told {
        let mut stream = TcpStream::connect(suite.running.grpc_addr()).await.unwrap();
        let (name, value) = self.soon();
        let part = self.body(part);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {}\r\nx-api-key: {ALL}\r\n{name}: {value}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.content_type(),
            part.len() + 100
        );
        stream.write_all(&[head.as_bytes(), &part].concat()).await.unwrap();
        if breaks_off {
            stream.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
        let mut headers = HeaderMap::new();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
        headers.insert("content-type", kind.parse().unwrap());
        let body = &answer[end + 4..];
        let body = if head.contains("chunked") { unchunked(body) } else { body.to_vec() };
        self.told(&headers, &body.into()).unwrap_or_else(|| panic!("{head}"))
    }
}

fn of_web(body: &[u8]) -> Option<Told> {
    let (_, lines) = web::split(body);
    let headers: HeaderMap = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (http::HeaderName::try_from(name).unwrap(), value.parse().unwrap()))
        .collect();
    let status = Status::from_header_map(&headers).unwrap();
    (status.code() != Code::Ok).then(|| Told::of_status(&status))
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&body[end + 2..][..length]);
        if length == 0 {
            return whole;
        }
        body = &body[end + 2 + length + 2..];
    }
}
