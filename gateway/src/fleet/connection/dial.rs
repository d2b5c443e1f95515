//! Opens a connection, over plain TCP or TLS.

use std::io;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
};

use super::{
    driver::{CloseReason, ClosedFlag, Driver},
    first_byte::FirstByte,
};
use crate::fleet::{endpoint::Endpoint, tls::ServiceTls};

/// Largest header list of a reply.
const HEADER_BYTES: u32 = 16 << 10;

/// Window of one reply and of all replies of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// An open connection.
#[derive(Debug)]
pub(super) struct OpenConnection {
    /// Begins calls on it.
    pub(super) sender: SendRequest<Bytes>,
    /// Whether it takes no more.
    pub(super) closed: ClosedFlag,
}

/// Connects to an instance; the connection is ready once the peer has sent its first byte. A task of its own drives it, and the
/// receiver resolves when it takes no more calls.
pub(super) async fn connect(
    endpoint: &Endpoint,
    tls: Option<ServiceTls>,
) -> io::Result<(OpenConnection, oneshot::Receiver<CloseReason>)> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => handshake(tls.connect(endpoint, stream).await?).await,
        None => handshake(stream).await,
    }
}

async fn handshake<T>(stream: T) -> io::Result<(OpenConnection, oneshot::Receiver<CloseReason>)>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, first_byte) = FirstByte::new(stream);
    let (sender, connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    let closed = ClosedFlag::default();
    let (driver, reason) = Driver::new(connection, sender.clone(), closed.clone());
    tokio::spawn(driver);
    match first_byte.await {
        Ok(()) => Ok((OpenConnection { sender, closed }, reason)),
        Err(_) => Err(io::ErrorKind::ConnectionReset.into()),
    }
}
