//! What the measured processes talk to: upstreams that answer fixed bytes, and a collector that keeps nothing.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::Failure;

const ADDED: &str = include_str!("../../../services/azotel/fixtures/AddCustomer.http");
const FOUND: &str = include_str!("../../../services/azotel/fixtures/SearchCustomer.http");
pub(crate) const PREMISE: &str = include_str!("../../../services/aex/fixtures/GetPremise.http");

/// Size of the large reply.
const LARGE: usize = 20_000;

/// The three replies.
struct Replies {
    added: Bytes,
    found: Bytes,
    premise: Bytes,
    /// A premise of 3 MiB.
    huge: Bytes,
}

impl Replies {
    fn new() -> Self {
        Self {
            added: body(ADDED).into(),
            found: grown(body(FOUND)).into(),
            premise: body(PREMISE).into(),
            huge: huge(body(PREMISE)).into(),
        }
    }

    /// Chooses by what tells the calls apart: REST has no SOAPAction.
    fn to(&self, request: &Request<Incoming>) -> (Bytes, &'static str) {
        match request.headers().get("soapaction").map(HeaderValue::as_bytes) {
            None if request.uri().path().ends_with("/large") => (self.huge.clone(), "application/json"),
            None => (self.premise.clone(), "application/json"),
            Some(action) if action.ends_with(b"#addCustomer\"") => (self.added.clone(), "text/xml; charset=utf-8"),
            Some(_) => (self.found.clone(), "text/xml; charset=utf-8"),
        }
    }
}

/// Serves the upstreams over HTTP/1.1.
pub(crate) async fn upstream(listen: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(listen).await?;
    let replies = Arc::new(Replies::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let replies = Arc::clone(&replies);
        let answer = move |request: Request<Incoming>| {
            let (bytes, kind) = replies.to(&request);
            async move {
                // The whole request counts as read before the answer, as with a real server.
                let _ = request.into_body().collect().await;
                let response = Response::builder().header(header::CONTENT_TYPE, kind);
                response.body(Full::new(bytes))
            }
        };
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// Serves OTLP over gRPC: every export succeeds.
pub(crate) async fn collector(listen: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = async |request: Request<Incoming>| {
            let _ = request.into_body().collect().await;
            let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
            response.body(accepted())
        };
        let service = service_fn(answer);
        tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
    }
}

/// An empty message, and success.
fn accepted() -> impl http_body::Body<Data = Bytes, Error = Infallible> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Full::new(Bytes::from_static(&[0; 5])).with_trailers(std::future::ready(Some(Ok(trailers))))
}

/// The body of the reply that a fixture has.
pub(crate) fn body(fixture: &'static str) -> &'static str {
    let reply = fixture.split_once("\n=== received\n").expect("a fixture has a reply").1;
    let reply = reply.split("\n=== ").next().unwrap_or(reply);
    reply.split_once("\r\n\r\n").or_else(|| reply.split_once("\n\n")).expect("a recorded reply has a body").1
}

/// The reply with its records repeated until it is large.
fn grown(reply: &str) -> String {
    let start = reply.find("  &lt;customer id").expect("the recorded search found somebody");
    let end = reply.find("  &lt;limit").expect("the recorded search says its limit");
    let (before, records, after) = (&reply[..start], &reply[start..end], &reply[end..]);
    let times = (LARGE - before.len() - after.len()).div_ceil(records.len());
    [before, &records.repeat(times), after].concat()
}

/// The reply with a field of 3 MiB that the contract does not know.
fn huge(reply: &str) -> String {
    reply.replacen('{', &format!("{{\"padding\": \"{}\",", "x".repeat(3 << 20)), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_reply_is_what_it_is_called() {
        let replies = Replies::new();
        assert!((20_000..24_000).contains(&replies.found.len()), "{}", replies.found.len());
        assert!(replies.found.ends_with(b"</soap:Envelope>") && replies.added.starts_with(b"<?xml"));
        assert!(replies.premise.starts_with(b"{"));
    }
}
