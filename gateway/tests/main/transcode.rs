//! Connect, gRPC-Web and plain JSON over real sockets, without a library that knows them.

#[path = "transcode/absent.rs"]
mod absent;
#[path = "transcode/connect.rs"]
mod connect;
#[path = "transcode/cors.rs"]
mod cors;
#[path = "transcode/download.rs"]
mod download;
#[path = "transcode/malformed.rs"]
mod malformed;
#[path = "transcode/openapi.rs"]
mod openapi;
#[path = "transcode/proto_json.rs"]
mod proto_json;
#[path = "transcode/refusals.rs"]
mod refusals;
#[path = "transcode/stream.rs"]
mod stream;
#[path = "transcode/timing.rs"]
mod timing;
#[path = "transcode/told.rs"]
pub(crate) mod told;
#[path = "transcode/web.rs"]
mod web;

use std::io::{Read, Write};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::caller::{ALL, Suite};

/// Undoes gzip.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Does gzip.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn kind(&self) -> &str {
        self.header("content-type")
    }

    /// One header, empty if it is absent.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Code and reason of Connect's error.
    fn error(&self) -> (String, String) {
        let error = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&error["code"]), text(&error["details"][0]["debug"]["reason"]))
    }
}

/// Sends one request over HTTP/1.1.
pub(crate) async fn send(
    suite: &Suite,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(suite.running.grpc_addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Posts with a key that may do all.
async fn post(suite: &Suite, path: &str, kind: &str, body: impl Into<Bytes>) -> Answer {
    send(suite, Method::POST, path, &[("content-type", kind), ("x-api-key", ALL)], body).await
}
