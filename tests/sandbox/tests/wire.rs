//! A client that shows every byte.

use std::io;
use std::net::SocketAddr;

use ispbridge_sandbox::{Config, Sandbox};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(Config::default()).await.unwrap()
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    let text = String::from_utf8_lossy(&received).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

pub(crate) async fn send(address: SocketAddr, line: &str, headers: &str, body: &str) -> io::Result<Reply> {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    exchange(address, request.as_bytes()).await
}

/// Sends a recorded request, its session replaced; the recorded one is as long as every other.
pub(crate) async fn replay(address: SocketAddr, recording: &str, session: Option<&str>) -> Reply {
    let path = format!("{}/tests/captures/{recording}.http", env!("CARGO_MANIFEST_DIR"));
    let mut request = std::fs::read_to_string(path).unwrap().replace("Connection: Keep-Alive", "Connection: close");
    if let Some(session) = session {
        request = request.replace("a1f1826f4789a62210dca1d02d09fcd1", session);
    }
    exchange(address, request.as_bytes()).await.unwrap()
}

/// The text between two marks.
pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).map_or(rest, |(found, _)| found)
}
