//! Clients that no gRPC library would be: with windows of any size, or with frames made by hand.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

/// Kind of a frame (RFC 9113, 6).
pub const DATA: u8 = 0x0;
/// Kind of a frame (RFC 9113, 6).
pub const HEADERS: u8 = 0x1;
/// Kind of a frame (RFC 9113, 6).
pub const PRIORITY: u8 = 0x2;
/// Kind of a frame (RFC 9113, 6).
pub const RST_STREAM: u8 = 0x3;
/// Kind of a frame (RFC 9113, 6).
pub const SETTINGS: u8 = 0x4;
/// Kind of a frame (RFC 9113, 6).
pub const PING: u8 = 0x6;
/// Kind of a frame (RFC 9113, 6).
pub const GOAWAY: u8 = 0x7;
/// Kind of a frame (RFC 9113, 6).
pub const WINDOW_UPDATE: u8 = 0x8;
/// Kind of a frame (RFC 9113, 6).
pub const CONTINUATION: u8 = 0x9;

/// Flag: the last frame of its stream.
pub const END_STREAM: u8 = 0x1;
/// Flag: the last frame of its header block.
pub const END_HEADERS: u8 = 0x4;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection of the h2 crate whose streams have a window of so many bytes, which nobody opens further.
pub async fn peer(address: SocketAddr, window: u32) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

/// Sends a whole unary call; what comes back is the caller's affair.
pub async fn deaf_call(sender: &mut SendRequest<Bytes>, path: &str, text: &str) -> ResponseFuture {
    call_with(sender, path, &[], message(text)).await
}

/// Sends a call with headers and bytes of any kind.
pub async fn call_with(
    sender: &mut SendRequest<Bytes>,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> ResponseFuture {
    *sender = sender.clone().ready().await.unwrap();
    let mut request = http::Request::post(format!("http://probe{path}"));
    let usual = [("content-type", "application/grpc"), ("te", "trailers")];
    for (name, value) in usual.iter().filter(|usual| !headers.iter().any(|(name, _)| *name == usual.0)).chain(headers) {
        request = request.header(*name, *value);
    }
    let (response, mut stream) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    stream.send_data(body.into(), true).unwrap();
    response
}

/// A text as a protobuf `StringValue`, as gRPC frames it.
pub fn message(text: &str) -> Vec<u8> {
    framed(&text.to_owned().encode_to_vec())
}

/// A message behind the five bytes that gRPC puts before it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// A connection made by hand.
pub struct Raw(TcpStream);

/// A frame that came back: kind, flags, stream, payload.
pub type Frame = (u8, u8, u32, Vec<u8>);

impl Raw {
    /// Connects and says hello with these settings.
    pub async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &settings)].concat();
        stream.write_all(&hello).await.unwrap();
        Self(stream)
    }

    /// Sends bytes; false if the peer is gone or does not read them.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.0.write_all(bytes)).await, Ok(Ok(())))
    }

    /// The next frame, or nothing at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        let frame = async {
            let mut header = [0; 9];
            self.0.read_exact(&mut header).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = header;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((kind, flags, u32::from_be_bytes(stream), payload))
        };
        timeout(PATIENCE, frame).await.expect("neither a frame nor an end")
    }

    /// Reads to the end of the connection; the error code of the last GOAWAY.
    pub async fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, _, _, payload)) = self.next().await {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call (RFC 7541: indexed fields, and literals that are not indexed).
pub fn block(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    block.extend([&[0x04, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat());
    block.extend([&[0x01, 5], &b"probe"[..]].concat());
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        block.extend([&[0x00, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat());
    }
    block
}

/// A whole call.
pub fn call(stream: u32, path: &str, text: &str) -> Vec<u8> {
    let headers = frame(HEADERS, END_HEADERS, stream, &block(path));
    [headers, frame(DATA, END_STREAM, stream, &message(text))].concat()
}
