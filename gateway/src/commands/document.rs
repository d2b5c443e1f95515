//! `openapi`: the OpenAPI document, of a gateway that runs or of a file.

use std::{
    fs,
    io::{self, BufRead},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use prost_reflect::DescriptorPool;
use tokio::{net::TcpStream, time::timeout};

use crate::{doors::openapi, identity::API_KEY};

/// How long a gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest document that is read.
const MOST: usize = 64 << 20;

/// Makes or fetches the document.
pub(crate) fn of(source: &str) -> Result<String, String> {
    match source.strip_prefix("http://") {
        Some(_) => fetched(source),
        None if source.contains("://") => Err(format!("{source} is no http:// address and no file")),
        None => made(source),
    }
}

fn made(file: &str) -> Result<String, String> {
    let set = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let pool = DescriptorPool::decode(&*set).map_err(|error| format!("{file} is no FileDescriptorSet: {error}"))?;
    serde_json::to_string_pretty(&openapi::document([pool], |_| true)).map_err(|error| error.to_string())
}

fn fetched(address: &str) -> Result<String, String> {
    let uri: Uri = address.parse().map_err(|_| format!("{address} is no address"))?;
    let mut key = String::new();
    io::stdin().lock().read_line(&mut key).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let asked = async { timeout(PATIENCE, ask(&uri, key.trim_end())).await };
    runtime.block_on(asked).unwrap_or_else(|_| Err(format!("{address} gave no answer")))
}

async fn ask(gateway: &Uri, key: &str) -> Result<String, String> {
    let text = |error: &dyn std::error::Error| format!("{gateway}: {error}");
    let host = gateway.host().ok_or_else(|| format!("{gateway} names no host"))?.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, gateway.port_u16().unwrap_or(80))).await.map_err(|error| text(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| text(&error))?;
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = Uri::from_static(openapi::PATH);
    let authority = gateway.authority().map_or("", |authority| authority.as_str());
    for (name, value) in [(header::HOST, authority), (API_KEY, key)] {
        let value = HeaderValue::from_str(value).map_err(|_| format!("{name} cannot be a header"))?;
        request.headers_mut().insert(name, value);
    }
    let response = sender.send_request(request).await.map_err(|error| text(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|error| text(&*error))?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    if status.is_success() { Ok(body) } else { Err(format!("{gateway} answered with HTTP {status}: {body}")) }
}
