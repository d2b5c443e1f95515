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
            callers.push(Caller::connect(entrance, work).await?);
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
    async fn connect(entrance: SocketAddr, work: Work) -> Result<Self, Failure> {
        let stream = TcpStream::connect(entrance).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{entrance}{}", work.path()).parse()?;
        *request.headers_mut() = metadata();
        Ok(Self { sender, request, body: work.request() })
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
            Ok((_, code)) => code,
            Err(error) => error.to_string(),
        }
    }

    async fn call(&mut self) -> Result<Bytes, Failure> {
        match self.answer().await? {
            (message, code) if code == "0" => Ok(message),
            (_, code) => Err(format!("a call failed with code {code}").into()),
        }
    }

    /// The message of an answer, and its `grpc-status`.
    async fn answer(&mut self) -> Result<(Bytes, String), Failure> {
        self.sender.ready().await?;
        let request = self.request.clone().map(|()| Full::new(self.body.clone()));
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().unwrap_or(&parts.headers);
        let code = trailers.get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("none").to_owned();
        Ok((collected.to_bytes(), code))
    }
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
