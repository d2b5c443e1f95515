//! A running gateway, and a client that sees every byte, header and trailer.

use std::{net::SocketAddr, path::PathBuf, sync::LazyLock, time::Duration};

use bytes::Bytes;
use chassis::{Running, StartOptions};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ispbridge_gateway::{Gateway, KeyHash};
use serving::Workers;
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::StatusExt;

use crate::backend::{Backend, SERVICE};

/// Root of the caller context in tests.
pub(crate) const ROOT: &str = "0123456789abcdef0123456789abcdef";

/// The file that holds it, written once: tests run side by side.
static ROOT_FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("ispbridge-gateway-test-{}", std::process::id()));
    std::fs::write(&path, ROOT).unwrap();
    path
});

/// May do all with one account.
pub(crate) const ALL: &str = "ispb_all";
/// May read with two accounts.
pub(crate) const READER: &str = "ispb_reader";
/// May do nothing.
pub(crate) const NOBODY: &str = "ispb_nobody";
/// May do all, one call at a time.
pub(crate) const SINGLE: &str = "ispb_single";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn status(&self) -> Status {
        Status::from_header_map(&self.headers)
            .or_else(|| Status::from_header_map(&self.trailers))
            .expect("a grpc-status in headers or trailers")
    }

    pub(crate) fn code(&self) -> Code {
        self.status().code()
    }

    /// Reason and outcome of the one `ErrorInfo`.
    pub(crate) fn info(&self) -> (String, Option<String>) {
        let info = self.status().get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.domain, "gateway.ispbridge");
        let outcome = info.metadata.get("outcome").cloned();
        (info.reason, outcome)
    }
}

/// A gateway and a connection to it.
pub(crate) struct Suite {
    pub(crate) running: Running,
    pub(crate) sender: SendRequest<Full<Bytes>>,
}

impl Suite {
    /// Starts a gateway in front of the backend and waits until it has learnt its methods.
    pub(crate) async fn start(backend: &Backend) -> Self {
        Self::start_with(backend, "").await
    }

    /// Starts it with an addition to the configuration.
    pub(crate) async fn start_with(backend: &Backend, server: &str) -> Self {
        let suite = Self::serving(config(&route(backend.address), server)).await;
        suite.until_learnt().await;
        suite
    }

    /// Starts it with two providers, `fake-isp` and `other-isp`, and an addition to the configuration.
    pub(crate) async fn before_two(backend: &Backend, other: &Backend, more: &str) -> Self {
        let suite = Self::serving(config_of_two(backend, other, more)).await;
        suite.until_learnt().await;
        suite
    }

    /// The same without waiting for anything.
    pub(crate) async fn before_two_unlearnt(backend: &Backend, other: &Backend) -> Self {
        Self::serving(config_of_two(backend, other, "")).await
    }

    /// Starts a gateway in front of an address at which there may be nothing.
    pub(crate) async fn over(address: SocketAddr) -> Self {
        Self::serving(config(&route(address), "")).await
    }

    /// Starts a gateway with these routes (the value of the key) and an addition, and waits until it has learnt its methods.
    pub(crate) async fn routed(routes: &str, more: &str) -> Self {
        let suite = Self::serving(config(routes, more)).await;
        suite.until_learnt().await;
        suite
    }

    /// Gives it other routes while it runs.
    pub(crate) fn reroute(&self, routes: &str, more: &str) -> Result<u64, config::Error> {
        self.running.reload(config(routes, more))
    }

    /// Starts a gateway with this configuration.
    pub(crate) async fn serving(config: toml::Table) -> Self {
        // As in a process of its own: connections stay with one of several threads.
        let mut options = StartOptions::default();
        options.workers = Workers::start(2).unwrap();
        let running = chassis::start_with::<Gateway>(config, options).await.unwrap();
        let sender = connect(running.grpc_addr()).await;
        Self { running, sender }
    }

    /// Waits until it has learnt the backend's methods.
    pub(crate) async fn until_learnt(&self) {
        let learnt = async {
            while !self.reflects().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), learnt).await.expect("methods are learnt");
    }

    /// Whether the gateway's reflection names the backend's service, asked byte by byte (`list_services: ""`).
    async fn reflects(&self) -> bool {
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let answer = self.call(path, &[("x-api-key", ALL)], frame(&[0x3a, 0x00])).await;
        let name = SERVICE.as_bytes();
        answer.body.windows(name.len()).any(|part| part == name)
    }

    /// Makes a call.
    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        call_on(self.sender.clone(), self.running.grpc_addr(), path, headers, body).await
    }

    /// Asks the gateway how a service is.
    pub(crate) async fn health(&self, service: &str, headers: &[(&str, &str)]) -> Result<i32, Code> {
        use prost::Message;
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = self.call("/grpc.health.v1.Health/Check", headers, frame(&request.encode_to_vec())).await;
        match answer.code() {
            Code::Ok => Ok(HealthCheckResponse::decode(&answer.body[5..]).unwrap().status),
            code => Err(code),
        }
    }
}

/// Opens a connection.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Makes a call on a connection.
pub(crate) async fn call_on(
    mut sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = sender.send_request(request.body(Full::new(body)).unwrap());
    let response = tokio::time::timeout(Duration::from_secs(20), sent).await;
    collect(response.expect("an answer in time").expect("an answer")).await
}

async fn collect(response: Response<hyper::body::Incoming>) -> Answer {
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Answer { headers: parts.headers, body: collected.to_bytes(), trailers }
}

/// A message in gRPC's frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// A route to one address.
pub(crate) fn route(address: SocketAddr) -> String {
    format!("[{{ provider = \"fake-isp\", instances = [\"http://{address}\"] }}]")
}

/// A route to several instances, with one connection to each.
pub(crate) fn instances(addresses: &[SocketAddr]) -> String {
    let listed: Vec<_> = addresses.iter().map(|address| format!("\"http://{address}\"")).collect();
    format!("[{{ provider = \"fake-isp\", connections = 1, instances = [{}] }}]", listed.join(", "))
}

/// A configuration for a backend at an address, with additions: lists grow, all else is set.
pub(crate) fn config_with(address: SocketAddr, more: &str) -> toml::Table {
    let mut table = config(&route(address), "");
    for (key, value) in more.parse::<toml::Table>().unwrap() {
        match (table.get_mut(&key).and_then(toml::Value::as_array_mut), value) {
            (Some(list), toml::Value::Array(items)) => list.extend(items),
            (_, value) => drop(table.insert(key, value)),
        }
    }
    table
}

fn config_of_two(backend: &Backend, other: &Backend, more: &str) -> toml::Table {
    let mut config = config(&route(backend.address), more);
    let other: toml::Table = toml::from_str(&format!(
        r#"
        grants = [{{ principals = ["all"], methods = ["ispbridge.other_isp.v1.*"], accounts = ["other-isp/main"] }}]
        routes = [{{ provider = "other-isp", instances = ["http://{}"] }}]
        "#,
        other.address
    ))
    .unwrap();
    for (key, entries) in other {
        let (all, toml::Value::Array(entries)) = (config[&key].as_array_mut().unwrap(), entries) else { continue };
        all.extend(entries);
    }
    config
}

pub(crate) fn config(routes: &str, server: &str) -> toml::Table {
    let root = &*ROOT_FILE;
    let [all, reader, nobody, single] = [ALL, READER, NOBODY, SINGLE].map(KeyHash::of);
    let text = format!(
        r#"
        admin = {{ listen = "127.0.0.1:0" }}
        server.listen = "127.0.0.1:0"
        {server}
        signing = {{ id = "k1", secret = {{ file = {root:?} }} }}
        principals = [
            {{ name = "all", api_keys = ["{all}"] }},
            {{ name = "reader", api_keys = ["{reader}"] }},
            {{ name = "nobody", api_keys = ["{nobody}"] }},
            {{ name = "single", api_keys = ["{single}"], in_flight = 1 }},
        ]
        grants = [
            {{ principals = ["all", "single"], methods = ["ispbridge.fake_isp.v1.*"], accounts = ["fake-isp/main"] }},
            {{ principals = ["reader"], methods = ["reads"], accounts = ["fake-isp/main", "fake-isp/other"] }},
        ]
        routes = {routes}
        "#
    );
    text.parse().unwrap()
}
