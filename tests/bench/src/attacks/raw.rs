//! Connections made by hand, frame by frame (RFC 9113).

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{wiring, work};

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;

/// What every connection begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a peer may neither read nor close.
const PATIENCE: Duration = Duration::from_secs(10);

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call (RFC 7541: POST, http, and literals that are not indexed).
pub(super) fn block(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let account = [("x-ispbridge-account", wiring::ACCOUNT)];
    let usual = [(":authority", "attack"), ("content-type", "application/grpc"), ("te", "trailers")];
    for (name, value) in [(":path", path)].into_iter().chain(usual).chain(account) {
        for text in [name, value] {
            // A name or value of at most 126 bytes has its length in one byte.
            block.extend(if text == name { &[0][..] } else { &[] });
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A whole call of a premise.
pub(super) fn call(stream: u32, premise: &str) -> Vec<u8> {
    let headers = frame(HEADERS, END_HEADERS, stream, &block(work::Work::Read.path()));
    [headers, frame(DATA, END_STREAM, stream, &work::get_premise(premise))].concat()
}

/// One connection.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Connects and says hello with these settings.
    pub(super) async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat()).await?;
        Ok(Self(stream))
    }

    /// Sends bytes; false if the peer is gone or does not read them.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.0.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Reads to the end and says how it came.
    pub(super) async fn end(mut self) -> String {
        let mut code = None;
        loop {
            let mut header = [0; 9];
            match timeout(PATIENCE, self.0.read_exact(&mut header)).await {
                Err(_) => return "still open".to_owned(),
                Ok(Err(_)) => break,
                Ok(Ok(_)) => {}
            }
            let mut payload = vec![0; u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize];
            if self.0.read_exact(&mut payload).await.is_err() {
                break;
            }
            if let (GOAWAY, Some(bytes)) = (header[3], payload.get(4..8)) {
                code = bytes.try_into().ok().map(u32::from_be_bytes);
            }
        }
        code.map_or_else(|| "closed".to_owned(), |code| format!("GOAWAY {code}"))
    }
}
