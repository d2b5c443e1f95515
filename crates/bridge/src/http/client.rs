//! Sends requests and says, of each that fails, what is known about its effect.

use std::{sync::Arc, time::Duration};

use config::{NO_AUTHORITIES, has_authorities};
use http::header;
use reqwest::{dns::Resolve, redirect};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{
    BaseUrl, HttpReply, HttpRequest,
    address::Resolver,
    body::Opened,
    coding,
    failure::{late, transport_fault},
    fresh::{noting, watched},
};
use crate::{
    fault::{Fault, Outcome},
    problem::{Problem, Problems},
};

/// How an account's upstream is reached: the `transport` table of an account.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// Whether reads may share connections. Off for servers that serve one connection at a time, as a
    /// stock SOAP::Lite daemon does. Writes open a fresh connection either way.
    pub keep_alive: bool,
    /// Calls in flight at a time on this account; more are refused at once.
    pub in_flight: usize,
    /// Whether the upstream may have a private or local address.
    pub allow_private: bool,
    /// A proxy for this account, `http://host:port`; none otherwise, whatever the environment says.
    pub proxy: Option<BaseUrl>,
    /// Seconds for name, connection and TLS.
    pub connect_seconds: f64,
    /// Seconds from sending to the first byte of the reply.
    pub first_byte_seconds: f64,
    /// Seconds between two pieces of a reply.
    pub idle_seconds: f64,
    /// Seconds that an unused connection is kept for the next read.
    pub pool_idle_seconds: f64,
    /// Bytes of a reply after decompression. How many elements it may have and how much memory it takes follow from this: up
    /// to forty times as much for a reply that does its worst, for each call in flight.
    pub max_reply_bytes: usize,
    /// Bytes of a file that is passed on while it comes, in place of `max_reply_bytes`. It takes no memory but for a piece.
    pub max_download_bytes: u64,
}

impl Default for Transport {
    fn default() -> Self {
        Transport {
            keep_alive: true,
            in_flight: 8,
            allow_private: false,
            proxy: None,
            connect_seconds: 3.0,
            first_byte_seconds: 30.0,
            idle_seconds: 10.0,
            pool_idle_seconds: 4.0,
            max_reply_bytes: 8 << 20,
            max_download_bytes: 1 << 30,
        }
    }
}

/// The HTTP client of one account.
#[derive(Clone, Debug)]
pub struct Client {
    pooled: reqwest::Client,
    fresh: reqwest::Client,
    transport: Transport,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(Problems),
    /// The TLS or proxy settings do not work.
    #[error("transport {0}")]
    Transport(String),
}

impl Transport {
    /// Says all that is wrong with an account whose upstream is at `base`, by the account's keys, without touching the network.
    #[must_use]
    pub fn check(&self, base: &BaseUrl) -> Problems {
        let timeouts = [
            ("connect_seconds", self.connect_seconds),
            ("first_byte_seconds", self.first_byte_seconds),
            ("idle_seconds", self.idle_seconds),
            ("pool_idle_seconds", self.pool_idle_seconds),
        ];
        let timeouts = timeouts.into_iter().filter(|(_, seconds)| !(*seconds > 0.0 && *seconds <= 3600.0));
        let counts = [
            ("in_flight", self.in_flight as u64),
            ("max_reply_bytes", self.max_reply_bytes as u64),
            ("max_download_bytes", self.max_download_bytes),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count == 0);
        let address = base.check_private(self.allow_private).err().map(|error| error.to_string());
        let unchecked = (self.speaks_tls(base) && !has_authorities()).then(|| NO_AUTHORITIES.to_owned());
        let problems = address
            .into_iter()
            .chain(unchecked)
            .map(|problem| Problem::new("base_url", problem))
            .chain(
                timeouts
                    .map(|(key, _)| Problem::new(format!("transport.{key}"), "must be more than 0 and at most 3600")),
            )
            .chain(counts.map(|(key, _)| Problem::new(format!("transport.{key}"), "must be at least 1")));
        Problems(problems.collect())
    }

    /// Whether a connection, be it to a proxy, speaks TLS.
    fn speaks_tls(&self, base: &BaseUrl) -> bool {
        self.proxy.iter().chain([base]).any(|address| address.url().scheme() == "https")
    }
}

impl Client {
    /// Bytes of a reply after decompression.
    pub(crate) fn max_reply_bytes(&self) -> usize {
        self.transport.max_reply_bytes
    }

    /// Bytes of a body that is passed on as it comes.
    pub(crate) fn max_download_bytes(&self) -> u64 {
        self.transport.max_download_bytes
    }

    /// Makes the client of an account whose upstream is at `base`.
    ///
    /// # Errors
    /// [`ClientError`] when the address is private and that is not allowed, or TLS cannot be set up.
    pub fn new(base: &BaseUrl, transport: &Transport) -> Result<Self, ClientError> {
        Self::resolving(base, transport, Arc::new(Resolver { allow_private: transport.allow_private }))
    }

    fn resolving<R: Resolve + 'static>(
        base: &BaseUrl,
        transport: &Transport,
        resolver: Arc<R>,
    ) -> Result<Self, ClientError> {
        let problems = transport.check(base);
        if !problems.0.is_empty() {
            return Err(ClientError::Settings(problems));
        }
        let tls = transport.speaks_tls(base);
        let build = |idle| build(transport, tls, idle, Arc::clone(&resolver));
        // As many as there can be calls: with fewer, a busy account opens connections all the time.
        let idle = if transport.keep_alive { transport.in_flight } else { 0 };
        Ok(Client { pooled: build(idle)?, fresh: build(0)?, transport: transport.clone() })
    }

    /// Sends one request and reads the whole reply. A write takes a fresh connection: on a kept one the
    /// server's own idle timeout can close it while the request is on its way, and nobody can tell
    /// whether it was read.
    ///
    /// # Errors
    /// A [`Fault`]: NOT_SENT if no connection was made, else UNKNOWN. Of a read whose time ran out nobody knows whether it
    /// had a kept connection, so it is UNKNOWN as well.
    pub async fn send(&self, request: &HttpRequest, write: bool, deadline: Instant) -> Result<HttpReply, Fault> {
        self.open(request, write, deadline).await?.whole(self.transport.max_reply_bytes).await
    }

    /// As [`Self::send`], and reads only the head of the reply.
    pub(crate) async fn open(&self, request: &HttpRequest, write: bool, deadline: Instant) -> Result<Opened, Fault> {
        let client = if write { &self.fresh } else { &self.pooled };
        let limit = deadline.min(Instant::now() + Duration::from_secs_f64(self.transport.first_byte_seconds));
        let (sent, connected) = watched(timeout_at(limit, client.execute(outgoing(request)))).await;
        let outcome = if write && !connected { Outcome::NotSent } else { Outcome::Unknown };
        let sent = sent.map_err(|_| late(limit == deadline, outcome))?;
        let response = sent.map_err(|error| transport_fault(&error))?;
        Ok(Opened::new(response, Duration::from_secs_f64(self.transport.idle_seconds), deadline))
    }
}

fn build<R: Resolve + 'static>(
    transport: &Transport,
    tls: bool,
    idle_connections: usize,
    resolver: Arc<R>,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        // As servers of old write their heads (RFC 9112, 5.1 and 5.2).
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .connect_timeout(Duration::from_secs_f64(transport.connect_seconds))
        .pool_max_idle_per_host(idle_connections)
        .pool_idle_timeout(Duration::from_secs_f64(transport.pool_idle_seconds))
        .tcp_nodelay(true)
        .user_agent(concat!("ispbridge/", env!("CARGO_PKG_VERSION")))
        .default_headers([(header::ACCEPT_ENCODING, coding::ACCEPTED)].into_iter().collect())
        .no_gzip()
        .dns_resolver(resolver)
        .connector_layer(noting())
        .no_proxy();
    if let Some(proxy) = &transport.proxy {
        let proxy = reqwest::Proxy::all(proxy.url().clone())
            .map_err(|_| ClientError::Transport("proxy cannot be used".into()))?;
        builder = builder.proxy(proxy);
    }
    if !tls {
        // A machine that trusts no authority can speak plain text all the same.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| ClientError::Transport(error.without_url().to_string()))
}

fn outgoing(request: &HttpRequest) -> reqwest::Request {
    let mut outgoing = reqwest::Request::new(request.method.clone(), request.url.clone());
    *outgoing.headers_mut() = request.headers.clone();
    if !request.body.is_empty() {
        *outgoing.body_mut() = Some(request.body.clone().into());
    }
    outgoing
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        net::{IpAddr, Ipv4Addr, SocketAddr},
        sync::Mutex,
    };

    use reqwest::dns::{Addrs, Name, Resolving};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::fault::Kind;

    /// A name server that says one address, or nothing at all.
    #[derive(Default)]
    struct Names(Mutex<Option<IpAddr>>);

    impl Resolve for Names {
        fn resolve(&self, _: Name) -> Resolving {
            let known = *self.0.lock().unwrap();
            Box::pin(async move {
                match known {
                    Some(address) => Ok(Box::new(std::iter::once(SocketAddr::from((address, 0)))) as Addrs),
                    None => pending().await,
                }
            })
        }
    }

    /// Answers every request with the last part of its own address, and closes.
    async fn told(listener: TcpListener, last: u8) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n{last}");
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    }

    fn client(port: u16, names: &Arc<Names>) -> (Client, HttpRequest) {
        let base = BaseUrl::try_from(format!("http://upstream.example.com:{port}/")).unwrap();
        let client = Client::resolving(&base, &Transport::default(), Arc::clone(names)).unwrap();
        (client, HttpRequest::post(base.url().clone(), "text/plain", "hello".to_owned()))
    }

    #[tokio::test]
    async fn a_name_that_moves_is_followed() {
        let one = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 1), 0)).await.unwrap();
        let port = one.local_addr().unwrap().port();
        let other = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await.unwrap();
        tokio::spawn(told(one, 1));
        tokio::spawn(told(other, 2));
        let names = Arc::<Names>::default();
        let (client, request) = client(port, &names);
        for (last, write) in [(1, true), (2, true), (1, false), (2, false)] {
            *names.0.lock().unwrap() = Some(Ipv4Addr::new(127, 0, 0, last).into());
            let deadline = Instant::now() + Duration::from_secs(10);
            let reply = client.send(&request, write, deadline).await.unwrap();
            assert_eq!(reply.body, last.to_string().as_bytes(), "write: {write}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_server_that_says_nothing_costs_no_more_than_connecting_may() {
        let (client, request) = client(80, &Arc::default());
        for (patience, kind, seconds) in [(60, Kind::Unavailable, 3), (2, Kind::DeadlineExceeded, 2)] {
            let begun = Instant::now();
            let fault = client.send(&request, true, begun + Duration::from_secs(patience)).await.unwrap_err();
            assert_eq!((fault.kind(), fault.outcome()), (kind, Outcome::NotSent));
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
    }
}
