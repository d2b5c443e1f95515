//! Opens a connection and shakes hands, over plain TCP or TLS.

use std::{io, pin::Pin, time::Duration};

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::body::Body;

use super::heard::Heard;
use crate::fleet::{endpoint::Endpoint, tls::Tls};

/// Silence after which an instance is pinged, also without calls in flight.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take before the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest header list of a reply.
const HEADER_BYTES: u32 = 16 << 10;

/// Window of one reply and of all replies of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A connection's own work, of a plain socket or of TLS; it ends when the connection is lost.
pub(crate) type Work = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Connects to an instance; the connection is there when the peer has spoken.
pub(crate) async fn connect(endpoint: &Endpoint, tls: Option<Tls>) -> io::Result<(SendRequest<Body>, Work)> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => handshake(tls.connect(endpoint, stream).await?).await,
        None => handshake(stream).await,
    }
}

async fn handshake<T>(stream: T) -> io::Result<(SendRequest<Body>, Work)>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, heard) = Heard::new(stream);
    let (sender, work) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let mut work: Work = Box::pin(work);
    tokio::select! {
        end = &mut work => Err(end.err().map_or_else(|| io::ErrorKind::ConnectionReset.into(), io::Error::other)),
        heard = heard => heard.map(|()| (sender, work)).map_err(|_| io::ErrorKind::ConnectionReset.into()),
    }
}
