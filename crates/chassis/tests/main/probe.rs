//! The program under test: two methods that do what the request says, and a client for them.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use chassis::{Error, Process, Program, Running, StartOptions};
use config::Secret;
use ispbridge_kit::http1::get;
use opentelemetry::trace::TraceContextExt;
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    MethodOptions, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
    method_options::IdempotencyLevel,
};
use protocol::CallContext;
use serde::Deserialize;
use serving::ServiceSet;
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::BoxFuture,
    server::NamedService,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower::Service;

type Flow = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

pub(crate) const READ: &str = "/chassis.test.v1.ProbeService/Read";
pub(crate) const WRITE: &str = "/chassis.test.v1.ProbeService/Write";
pub(crate) const STREAM: &str = "/chassis.test.v1.ProbeService/Stream";

#[derive(Debug)]
pub(crate) struct Probe;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeConfig {
    #[serde(default)]
    word: String,
    /// Where the word stands if not here.
    word_of: Option<Secret>,
    /// A table that looks like a secret and is none.
    ledger: Option<Ledger>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ledger {
    #[allow(dead_code, reason = "it stands in the configuration only")]
    file: PathBuf,
}

impl ProbeConfig {
    fn word(self) -> String {
        let _ = self.ledger;
        self.word_of.map_or(self.word, |word| word.expose().to_owned())
    }
}

#[derive(Clone, Debug)]
struct ProbeService(Arc<Word>);

/// What a reload changes.
#[derive(Debug)]
struct Word {
    word: Mutex<String>,
    /// Calls that were worked on.
    calls: AtomicU64,
    /// How many there were when the program did its last act.
    last: Arc<Mutex<Vec<u64>>>,
}

impl Word {
    /// Hangs if the word says so.
    async fn close(self: Arc<Self>) {
        self.last.lock().unwrap().push(self.calls.load(Ordering::SeqCst));
        if self.is("hang at the end") {
            std::future::pending().await
        }
    }

    fn is(&self, word: &str) -> bool {
        *self.word.lock().unwrap() == word
    }
}

/// How many calls had been worked on at each last act of the program.
pub(crate) fn last_acts(process: &Process) -> Arc<Mutex<Vec<u64>>> {
    process.kept::<Word>().unwrap().last.clone()
}

impl NamedService for ProbeService {
    const NAME: &'static str = "chassis.test.v1.ProbeService";
}

impl Program for Probe {
    const NAME: &'static str = "chassis-probe";
    type Config = ProbeConfig;

    async fn build(config: ProbeConfig, process: &Process) -> Result<ServiceSet, Error> {
        static SET: LazyLock<Vec<u8>> = LazyLock::new(descriptors);
        let word = config.word();
        let word = Arc::new(Word { word: Mutex::new(word), calls: AtomicU64::new(0), last: Arc::default() });
        process.keep(word.clone());
        let last = word.clone();
        let surface = ServiceSet::new().descriptors(&SET).service(ProbeService(word));
        Ok(surface.closing(move || last.clone().close()))
    }

    fn reload(config: ProbeConfig, process: &Process) -> Result<(), Error> {
        let word = config.word();
        if word == "bad" {
            return Err(Error::config("word", "is bad"));
        }
        *process.kept::<Word>().unwrap().word.lock().unwrap() = word;
        Ok(())
    }
}

fn descriptors() -> Vec<u8> {
    let method = |name: &str, level: IdempotencyLevel| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".chassis.test.v1.Text".to_owned()),
        output_type: Some(".chassis.test.v1.Text".to_owned()),
        options: Some(MethodOptions { idempotency_level: Some(level as i32), ..Default::default() }),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("ProbeService".to_owned()),
        method: vec![
            method("Read", IdempotencyLevel::NoSideEffects),
            MethodDescriptorProto {
                input_type: Some(".chassis.test.v1.Secret".to_owned()),
                ..method("Write", IdempotencyLevel::IdempotencyUnknown)
            },
            MethodDescriptorProto { server_streaming: Some(true), ..method("Stream", IdempotencyLevel::NoSideEffects) },
        ],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("chassis/test/v1/probe.proto".to_owned()),
        package: Some("chassis.test.v1".to_owned()),
        // A field of this name is always sensitive.
        message_type: vec![message("Text", "value"), message("Secret", "extra_fields")],
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// A message of one text.
fn message(name: &str, field: &str) -> DescriptorProto {
    let field = FieldDescriptorProto {
        name: Some(field.to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..Default::default()
    };
    DescriptorProto { name: Some(name.to_owned()), field: vec![field], ..Default::default() }
}

impl Service<http::Request<Body>> for ProbeService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let word = self.0.clone();
        Box::pin(async move {
            let streams = request.uri().path() == STREAM;
            let mut server = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            if streams {
                return Ok(server.server_streaming(tower::service_fn(flow), request).await);
            }
            let handler = tower::service_fn(|request: Request<String>| obey(request, word.clone()));
            Ok(server.unary(handler, request).await)
        })
    }
}

/// One message, and then what the request says.
async fn flow(request: Request<String>) -> Result<Response<Flow>, Status> {
    let first = tokio_stream::once(Ok("first".to_owned()));
    let rest: Flow = match request.into_inner().as_str() {
        "panic" => Box::pin(tokio_stream::iter([()]).map(|()| panic!("hunter2"))),
        "hang" => Box::pin(tokio_stream::pending()),
        _ => Box::pin(tokio_stream::empty()),
    };
    Ok(Response::new(Box::pin(first.chain(rest))))
}

async fn obey(request: Request<String>, told: Arc<Word>) -> Result<Response<String>, Status> {
    let text = request.get_ref().clone();
    let calls = told.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match word {
        "sleep" => tokio::time::sleep(Duration::from_millis(rest.parse().unwrap())).await,
        "panic" => panic!("hunter2"),
        "large" => return Ok(Response::new("x".repeat(rest.parse().unwrap()))),
        "linger" => linger(&request, rest.parse().unwrap()),
        "word" => return Ok(Response::new(told.word.lock().unwrap().clone())),
        "calls" => return Ok(Response::new(calls.to_string())),
        "wait" => waited(&request, rest.parse().unwrap()),
        "show" => return Ok(Response::new(shown(&request, rest))),
        _ => {}
    }
    Ok(Response::new(text))
}

/// How often work that outlived its call has come to its end.
pub(crate) static LINGERED: AtomicUsize = AtomicUsize::new(0);

/// Work that outlives its call, as a write does.
fn linger(request: &Request<String>, millis: u64) {
    let place = CallContext::of(request.extensions()).permit.clone().unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        LINGERED.fetch_add(1, Ordering::SeqCst);
        drop(place);
    });
}

/// Says that so many milliseconds were spent waiting for an upstream.
fn waited(request: &Request<String>, millis: u64) {
    let context = CallContext::of(request.extensions());
    context.upstream_time.as_ref().unwrap().add(Duration::from_millis(millis));
}

fn shown(request: &Request<String>, what: &str) -> String {
    match what {
        "deadline" => {
            let deadline = request.extensions().get::<CallContext>().unwrap().deadline;
            deadline.duration_since(Instant::now()).as_millis().to_string()
        }
        "trace" => CallContext::of(request.extensions()).trace.span().span_context().trace_id().to_string(),
        "address" => request.extensions().get::<serving::Peer>().unwrap().address().ip().to_string(),
        "peer" => {
            let peer = request.extensions().get::<serving::Peer>().unwrap();
            peer.identity().map_or_else(|| "nobody".to_owned(), |identity| identity.names().join(" "))
        }
        header => {
            let value = request.metadata().get(header);
            value.map_or("(absent)", |value| value.to_str().unwrap()).to_owned()
        }
    }
}

/// Starts the probe on a free port; everybody is believed unless the text says otherwise.
pub(crate) async fn started(config: &str) -> Running {
    started_with(config, StartOptions::default()).await
}

pub(crate) async fn started_with(config: &str, options: StartOptions) -> Running {
    let mut table: toml::Table = config.parse().unwrap();
    let server = table.entry("server").or_insert_with(|| toml::Table::new().into());
    server.as_table_mut().unwrap().insert("listen".to_owned(), "127.0.0.1:0".into());
    table.entry("callers").or_insert_with(|| toml::toml! { mode = "open" }.into());
    chassis::start_with::<Probe>(table, options).await.unwrap()
}

pub(crate) async fn connected(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Makes one call on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, path: &'static str, text: &str) -> Result<Response<String>, Status> {
    send(connected(address).await, path, Request::new(text.to_owned())).await
}

pub(crate) async fn send(
    channel: Channel,
    path: &'static str,
    request: Request<String>,
) -> Result<Response<String>, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<String, String>::default();
    client.unary(request, http::uri::PathAndQuery::from_static(path), codec).await
}

/// Makes one call whose answer is a stream; the messages and how it ended.
pub(crate) async fn drink(channel: Channel, request: Request<String>) -> (Vec<String>, Status) {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<String, String>::default();
    let answer = client.server_streaming(request, http::uri::PathAndQuery::from_static(STREAM), codec).await;
    let mut messages = Vec::new();
    let mut stream = answer.unwrap().into_inner();
    loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Status::ok("")),
            Err(status) => return (messages, status),
        }
    }
}

/// Sends a method and a path to an HTTP/1 server under a name.
pub(crate) async fn http1(address: SocketAddr, host: &str, what: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{what} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Asks the admin port until a line of the metrics begins and ends so.
pub(crate) async fn until_metric(admin: SocketAddr, begins: &str, ends: &str) {
    let seen = async {
        while !get(admin, "/metrics").await.lines().any(|line| line.starts_with(begins) && line.ends_with(ends)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap();
}
