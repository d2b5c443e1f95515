//! Callers: each has a connection of its own with one call in flight, and waits for the answer before the next.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet};
use tonic::Status;

use crate::{Failure, wiring, work::Work};

/// One caller.
#[derive(Clone)]
pub(crate) struct Caller {
    sender: SendRequest<Full<Bytes>>,
    request: Request<()>,
    body: Bytes,
}

/// Callers of one kind of call at one entrance.
pub(crate) struct Callers(Vec<Caller>);

impl Callers {
    /// Connects that many callers.
    pub(crate) async fn connect(entrance: SocketAddr, work: Work, count: usize) -> Result<Self, Failure> {
        let mut callers = Vec::with_capacity(count);
        for _ in 0..count {
            callers.push(Caller::connect(entrance, work.path(), work.request()).await?);
        }
        Ok(Self(callers))
    }

    /// One of the callers, again and again the same for a number.
    pub(crate) fn one(&self, number: usize) -> Caller {
        self.0[number % self.0.len()].clone()
    }

    /// Makes one call and returns the message of the answer.
    pub(crate) async fn once(&mut self) -> Result<Bytes, Failure> {
        self.0.first_mut().ok_or("nobody calls")?.call().await
    }

    /// Calls for a while; returns how long each call took.
    pub(crate) async fn call_for(&mut self, time: Duration) -> Result<Vec<Duration>, Failure> {
        let mut running = JoinSet::new();
        let end = Instant::now() + time;
        for caller in &self.0 {
            running.spawn(caller.clone().call_until(end));
        }
        let mut all = Vec::new();
        while let Some(latencies) = running.join_next().await {
            all.extend(latencies??);
        }
        Ok(all)
    }

    /// Makes the same number of calls on every connection.
    pub(crate) async fn call_each(&self, calls: usize) -> Result<(), Failure> {
        let mut running = JoinSet::new();
        for caller in &self.0 {
            let mut caller = caller.clone();
            running.spawn(async move {
                for _ in 0..calls {
                    caller.call().await?;
                }
                Ok::<_, Failure>(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Caller {
    /// Connects one that makes one kind of call.
    pub(crate) async fn connect(entrance: SocketAddr, path: &str, body: Bytes) -> Result<Self, Failure> {
        let stream = TcpStream::connect(entrance).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{entrance}{path}").parse()?;
        *request.headers_mut() = metadata();
        Ok(Self { sender, request, body })
    }

    /// The same with something else to say, over the same connection.
    pub(crate) fn saying(&self, body: Bytes) -> Self {
        Self { body, ..self.clone() }
    }

    async fn call_until(mut self, end: Instant) -> Result<Vec<Duration>, Failure> {
        let mut latencies = Vec::new();
        loop {
            let begun = Instant::now();
            if begun >= end {
                return Ok(latencies);
            }
            self.call().await?;
            latencies.push(begun.elapsed());
        }
    }

    /// Makes one call and returns the code of its status, or what kept it from one.
    pub(crate) async fn code(&mut self) -> String {
        match self.answer().await {
            Ok((_, trailers)) => code(&trailers),
            Err(error) => error.to_string(),
        }
    }

    /// Makes one call and returns its status.
    pub(crate) async fn status(&mut self) -> Result<Status, Failure> {
        let (_, trailers) = self.answer().await?;
        Status::from_header_map(&trailers).ok_or_else(|| "an answer without a status".into())
    }

    async fn call(&mut self) -> Result<Bytes, Failure> {
        let (message, trailers) = self.answer().await?;
        match code(&trailers) {
            code if code == "0" => Ok(message),
            code => Err(format!("a call failed with code {code}").into()),
        }
    }

    /// The message of an answer, and the headers that hold its status.
    async fn answer(&mut self) -> Result<(Bytes, HeaderMap), Failure> {
        self.sender.ready().await?;
        let request = self.request.clone().map(|()| Full::new(self.body.clone()));
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
        Ok((collected.to_bytes(), trailers))
    }
}

/// The `grpc-status` of an answer.
fn code(trailers: &HeaderMap) -> String {
    trailers.get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("none").to_owned()
}

/// The same metadata on every way; who has no use for one passes it over.
fn metadata() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("ispbridge-bench"));
    headers.insert("grpc-timeout", HeaderValue::from_static("10S"));
    headers.insert("x-api-key", HeaderValue::from_static(wiring::API_KEY));
    headers.insert("x-ispbridge-account", HeaderValue::from_static(wiring::ACCOUNT));
    headers
}
