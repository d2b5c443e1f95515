//! A service of the suite as small as one can be: the chassis around two methods, in this process or in one of its own.

use std::{
    convert::Infallible,
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    task::{Context, Poll},
    time::Duration,
};

use chassis::{Process, Program};
use config::Error;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serving::ServiceSet;
use tonic::{body::Body, codegen::BoxFuture, server::NamedService};
use tower::Service;

use crate::backend::{ADD, DESCRIPTORS};

/// The program.
#[derive(Debug)]
pub(crate) struct Shop;

/// Its own configuration.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShopConfig {
    /// File that gets the request id of every write before it is answered.
    ledger: PathBuf,
    /// Whether it panics in a write.
    #[serde(default)]
    panics: bool,
}

/// Its service: it sends back what it is sent, after 5 ms.
#[derive(Debug, Clone)]
struct Customers(PathBuf, bool);

impl Program for Shop {
    const NAME: &'static str = "ispbridge-fake-isp";
    type Config = ShopConfig;

    async fn build(config: ShopConfig, _: &Process) -> Result<ServiceSet, Error> {
        Ok(ServiceSet::new().descriptors(&DESCRIPTORS).service(Customers(config.ledger, config.panics)))
    }

    fn reload(_: ShopConfig, _: &Process) -> Result<(), Error> {
        Ok(())
    }
}

impl NamedService for Customers {
    const NAME: &'static str = "ispbridge.fake_isp.v1.CustomerService";
}

impl Service<Request<Body>> for Customers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (ledger, panics) = (self.0.clone(), self.1);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            if parts.uri.path() == ADD {
                let id = parts.headers["x-request-id"].to_str().unwrap();
                note(&ledger, id);
                assert!(!panics, "as it was told");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            let ok = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
            let trailers = HeaderMap::from_iter([ok]);
            let mut response = Response::new(Body::new(Full::new(body).with_trailers(async { Some(Ok(trailers)) })));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            Ok(response)
        })
    }
}

/// Appends a line at once: several processes write into the same file.
fn note(ledger: &Path, id: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(ledger).unwrap();
    file.write_all(format!("{id}\n").as_bytes()).unwrap();
}

/// The configuration of a shop that believes everybody.
pub(crate) fn config(address: SocketAddr, ledger: &Path, more: &str) -> String {
    format!(
        "ledger = {ledger:?}\ncallers = {{ mode = \"open\" }}\nlog = {{ level = \"warn\" }}\n\
         server = {{ listen = \"{address}\", announce_seconds = 1, drain_seconds = 5 }}\n{more}"
    )
}

/// A shop in a process of its own.
pub(crate) struct Apart {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Apart {
    /// Starts this test program once more and waits until it serves.
    pub(crate) fn start(config: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shop::a_service_apart", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One line each, and an empty one at the end.
        writeln!(stdin, "{config}\n").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = |line: String| line.split_once("serving on ")?.1.parse().ok();
        let address = lines.map_while(Result::ok).find_map(told).expect("it serves");
        Self { child, stdin: Some(stdin), address }
    }

    /// Ends it as kill -9 does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop in order, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stdin.take());
        let ended = async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It must not outlive a failed test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a helper: other tests run it as a process of its own"]
async fn a_service_apart() {
    let mut config = String::new();
    loop {
        match line().await.as_str() {
            "" => break,
            text => config += &format!("{text}\n"),
        }
    }
    let running = chassis::start::<Shop>(config.parse().unwrap()).await.unwrap();
    println!("serving on {}", running.grpc_addr());
    line().await;
    running.announce().await;
    running.drain().await;
}

/// The next line of the standard input; empty at its end.
async fn line() -> String {
    let read = || io::stdin().lines().next().transpose().unwrap().unwrap_or_default();
    tokio::task::spawn_blocking(read).await.unwrap()
}
