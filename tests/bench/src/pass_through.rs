//! The gateway's yardstick: HTTP/2 in, HTTP/2 out, frames as they are, and nothing else.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Uri, uri::PathAndQuery};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::Failure;

/// Connections to the service, as many as the gateway has by default.
const CONNECTIONS: usize = 2;

/// The connections, taken in turn.
struct Links {
    senders: Vec<SendRequest<Incoming>>,
    next: AtomicUsize,
    authority: String,
}

impl Links {
    async fn open(to: SocketAddr) -> Result<Self, Failure> {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            senders.push(sender);
        }
        Ok(Self { senders, next: AtomicUsize::new(0), authority: to.to_string() })
    }

    fn sender(&self) -> SendRequest<Incoming> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.senders[turn % self.senders.len()].clone()
    }

    fn target(&self, uri: &Uri) -> Result<Uri, http::Error> {
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Uri::builder().scheme("http").authority(self.authority.as_str()).path_and_query(path).build()
    }

    async fn pass(&self, mut request: Request<Incoming>) -> Result<http::Response<Incoming>, Failure> {
        *request.uri_mut() = self.target(request.uri())?;
        Ok(self.sender().send_request(request).await?)
    }
}

/// Serves until it is killed.
pub(crate) async fn serve(listen: SocketAddr, to: SocketAddr) -> Result<(), Failure> {
    let links = Arc::new(Links::open(to).await?);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let links = Arc::clone(&links);
        let pass = move |request| {
            let links = Arc::clone(&links);
            async move { links.pass(request).await }
        };
        let builder = server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(pass)));
    }
}
