//! One question to a gateway that runs.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// Largest answer that is read.
const MOST: usize = 64 << 20;

/// Asks for a path by plain HTTP/1.1; code and body of the answer.
pub(super) fn get(
    gateway: &Uri,
    path: &'static str,
    headers: HeaderMap,
    patience: Duration,
) -> Result<(StatusCode, String), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let asked = async { timeout(patience, ask(gateway, path, headers)).await };
    let answered = runtime.block_on(asked).map_err(|_| format!("{gateway} gave no answer"))?;
    answered.map_err(|error| format!("{gateway}: {error}"))
}

async fn ask(
    gateway: &Uri,
    path: &'static str,
    headers: HeaderMap,
) -> Result<(StatusCode, String), Box<dyn Error + Send + Sync>> {
    let host = gateway.host().ok_or("names no host")?.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, gateway.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = Uri::from_static(path);
    *request.headers_mut() = headers;
    let authority = gateway.authority().map_or("", |authority| authority.as_str());
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(authority)?);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST).collect().await?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
