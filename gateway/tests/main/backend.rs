//! A service behind the gateway that does what a test tells it, over a real socket.

#[path = "backend/file.rs"]
mod file;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tonic::body::Body;
use tonic_types::{ErrorDetails, StatusExt};
use tower::{ServiceExt, util::BoxCloneSyncService};

pub(crate) use file::{FileEnd, piece_data};

/// What the service does with the next call; the last one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Sends the body back as it came, with status 0 and two trailers.
    Echo,
    /// Sends each frame back when it comes.
    Mirror,
    /// Cuts the connection when the request has come in whole.
    Die,
    /// Answers the head and one frame, then cuts the connection.
    DieInReply,
    /// Never answers.
    Hang,
    /// Answers the head and one frame, then nothing.
    HangInReply,
    /// Sends a file in pieces, which ends so.
    File(FileEnd),
    /// Refuses the stream before looking at it.
    Refuse,
    /// Ends a reply without a status.
    NoStatus,
    /// Answers with HTTP 502 and a page.
    BadGateway,
    /// Sends the body back after so many milliseconds.
    Slow(u64),
    /// Answers INTERNAL and nothing more.
    Fail,
    /// Answers NOT_FOUND, with details that are no base64, and a message that is no text, in its only headers or in trailers.
    Garbled { in_trailers: bool },
    /// Answers UNAVAILABLE with the word of the upstream.
    Denied,
    /// Answers UNAVAILABLE: the breaker of the account is open.
    Held,
    /// Answers UNAVAILABLE and asks to be called again after so many milliseconds, or never.
    Pushback(i64),
}

/// A call that reached the service.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Debug)]
struct State {
    behaviours: VecDeque<Behaviour>,
    arrivals: Vec<Arrival>,
    given_up: usize,
    /// Pieces of files that were taken.
    pieces: usize,
    /// Whether it refuses to describe itself.
    hidden: bool,
    /// Whether it describes itself and its health in words that nobody can read.
    garbles: bool,
}

/// Counts a hanging call whose caller went away.
struct Hanging(Arc<Mutex<State>>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.lock().unwrap().given_up += 1;
    }
}

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Cuts every connection.
    cut: Arc<Notify>,
    /// Ends a hanging call.
    pub(crate) release: Arc<Notify>,
}

type Reply = Result<Response<Body>, h2::Error>;

impl Backend {
    pub(crate) async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let mut tasks = JoinSet::new();
        let backend = Self::start_in(address, &mut tasks).await;
        tasks.detach_all();
        backend
    }

    /// Starts one that ends, with its connections, when the tasks do.
    pub(crate) async fn start_in(address: SocketAddr, tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let state = State {
            behaviours: [Behaviour::Echo].into(),
            arrivals: Vec::new(),
            given_up: 0,
            pieces: 0,
            hidden: false,
            garbles: false,
        };
        let backend = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            cut: Arc::default(),
            release: Arc::default(),
        };
        tasks.spawn(backend.clone().accept(listener));
        backend
    }

    /// Sets what happens to the next calls.
    pub(crate) fn behave(&self, behaviours: &[Behaviour]) {
        self.state.lock().unwrap().behaviours = behaviours.iter().copied().collect();
    }

    /// Sets whether it refuses to describe itself.
    pub(crate) fn hide(&self, hidden: bool) {
        self.state.lock().unwrap().hidden = hidden;
    }

    /// Sets whether it describes itself and its health in words that nobody can read.
    pub(crate) fn garble(&self, garbles: bool) {
        self.state.lock().unwrap().garbles = garbles;
    }

    /// The calls that arrived since the last look.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.state.lock().unwrap().arrivals)
    }

    /// Hanging calls that were cancelled.
    pub(crate) fn given_up(&self) -> usize {
        self.state.lock().unwrap().given_up
    }

    /// Pieces of files that were taken so far.
    pub(crate) fn pieces(&self) -> usize {
        self.state.lock().unwrap().pieces
    }

    fn file(&self, end: FileEnd) -> Response<Body> {
        let taken = Hanging(Arc::clone(&self.state));
        let mut response = grpc(file::body(end, move || taken.0.lock().unwrap().pieces += 1));
        response.headers_mut().insert("x-ispbridge-download", HeaderValue::from_static("1"));
        response
    }

    async fn accept(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            connections.spawn(self.clone().serve(stream));
        }
    }

    async fn serve(self, stream: TcpStream) {
        let cut = self.cut.clone();
        let service = service_fn(move |request| self.clone().answer(request));
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            _ = connection => {}
            () = cut.notified() => {}
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Reply {
        let request = request.map(Body::new);
        if request.uri().path().starts_with("/grpc.") && self.state.lock().unwrap().garbles {
            return Ok(garbled(false));
        }
        if request.uri().path().starts_with("/grpc.reflection.") {
            if self.state.lock().unwrap().hidden {
                return Ok(tonic::Status::unimplemented("no reflection here").into_http());
            }
            return Ok(reflection().oneshot(request).await.unwrap());
        }
        if request.uri().path().starts_with("/grpc.health.") {
            return Ok(self.health(request).await);
        }
        self.act(request).await
    }

    async fn health(&self, request: Request<Body>) -> Response<Body> {
        let (reporter, service) = tonic_health::server::health_reporter();
        let serving = tonic_health::ServingStatus::Serving;
        reporter.set_service_status(SERVICE, serving).await;
        // As a service tells of its accounts.
        reporter.set_service_status("upstream/fake-isp", serving).await;
        reporter.set_service_status("upstream/fake-isp/main", tonic_health::ServingStatus::NotServing).await;
        service.oneshot(request).await.unwrap().map(Body::new)
    }

    async fn act(&self, request: Request<Body>) -> Reply {
        let behaviour = self.next();
        let (parts, body) = request.into_parts();
        let arrived = |body: Bytes| {
            let arrival = Arrival { path: parts.uri.path().to_owned(), headers: parts.headers, body };
            self.state.lock().unwrap().arrivals.push(arrival);
        };
        if behaviour == Behaviour::Refuse {
            arrived(Bytes::new());
            return Err(h2::Reason::REFUSED_STREAM.into());
        }
        if behaviour == Behaviour::Mirror {
            arrived(Bytes::new());
            return Ok(grpc(Body::new(body.with_trailers(async { Some(Ok(status_ok())) }))));
        }
        let body = body.collect().await.unwrap().to_bytes();
        arrived(body.clone());
        self.reply(behaviour, body).await
    }

    /// Replies to a request that was read whole.
    async fn reply(&self, behaviour: Behaviour, body: Bytes) -> Reply {
        match behaviour {
            Behaviour::Die => {
                self.cut.notify_waiters();
                std::future::pending().await
            }
            Behaviour::Hang => {
                let hanging = Hanging(Arc::clone(&self.state));
                self.release.notified().await;
                std::mem::forget(hanging);
                Ok(echo(body))
            }
            Behaviour::Slow(millis) => {
                tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                Ok(echo(body))
            }
            Behaviour::Garbled { in_trailers } => Ok(garbled(in_trailers)),
            Behaviour::Fail => Ok(tonic::Status::internal("it broke").into_http()),
            Behaviour::Denied => Ok(denied("UPSTREAM_DOWN").into_http()),
            Behaviour::Held => Ok(denied("UPSTREAM_BREAKER_OPEN").into_http()),
            Behaviour::Pushback(millis) => Ok(pushed_back(millis)),
            Behaviour::DieInReply => {
                let cut = self.cut.clone();
                Ok(grpc(endless(body, async move { cut.notify_waiters() })))
            }
            Behaviour::HangInReply => Ok(grpc(endless(body, async {}))),
            Behaviour::File(end) => Ok(self.file(end)),
            Behaviour::NoStatus => Ok(grpc(Body::new(http_body_util::Full::new(body)))),
            Behaviour::BadGateway => Ok(bad_gateway()),
            Behaviour::Echo | Behaviour::Mirror | Behaviour::Refuse => Ok(echo(body)),
        }
    }

    fn next(&self) -> Behaviour {
        let behaviours = &mut self.state.lock().unwrap().behaviours;
        match behaviours.len() {
            1 => behaviours[0],
            _ => behaviours.pop_front().unwrap(),
        }
    }
}

fn denied(reason: &str) -> tonic::Status {
    let details = ErrorDetails::with_error_info(reason, "fake-isp.ispbridge", []);
    tonic::Status::with_error_details(tonic::Code::Unavailable, "the upstream is down", details)
}

/// The one service that the backend has.
pub(crate) const SERVICE: &str = "ispbridge.fake_isp.v1.CustomerService";
/// Its method that reads.
pub(crate) const GET: &str = "/ispbridge.fake_isp.v1.CustomerService/GetCustomer";
/// Its method that writes.
pub(crate) const ADD: &str = "/ispbridge.fake_isp.v1.CustomerService/AddCustomer";

/// Its method that takes a stream.
pub(crate) const IMPORT: &str = "/ispbridge.fake_isp.v1.CustomerService/ImportCustomers";

fn echo(body: Bytes) -> Response<Body> {
    let mut trailers = status_ok();
    trailers.insert("x-ispbridge-note", HeaderValue::from_static("kept"));
    trailers.insert("x-ispbridge-timing", HeaderValue::from_static("service;dur=5.000,upstream;dur=3.000"));
    trailers.insert("set-cookie", HeaderValue::from_static("a=b"));
    let body = http_body_util::Full::new(body).with_trailers(async { Some(Ok(trailers)) });
    let mut response = grpc(Body::new(body));
    response.headers_mut().insert("server", HeaderValue::from_static("secret/1"));
    response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("identity"));
    response
}

fn status_ok() -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))])
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    response
}

fn garbled(in_trailers: bool) -> Response<Body> {
    let told = [("grpc-status", "5"), ("grpc-message", "no such %FF%FE"), ("grpc-status-details-bin", "!no base64!")];
    let told = told.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
    let told = HeaderMap::from_iter(told);
    if in_trailers {
        let body = http_body_util::Empty::<Bytes>::new().with_trailers(async { Some(Ok(told)) });
        return grpc(Body::new(body));
    }
    let mut response = grpc(Body::empty());
    response.headers_mut().extend(told);
    response
}

fn bad_gateway() -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(Bytes::from_static(b"<html>"))));
    *response.status_mut() = http::StatusCode::BAD_GATEWAY;
    response
}

fn pushed_back(millis: i64) -> Response<Body> {
    let mut status = tonic::Status::unavailable("not now");
    status.metadata_mut().insert("grpc-retry-pushback-ms", millis.into());
    status.into_http()
}

/// One frame, then `after`, then silence.
fn endless(first: Bytes, after: impl Future<Output = ()> + Send + 'static) -> Body {
    let first = tokio_stream::once(Ok::<_, Infallible>(Frame::data(first)));
    let (sender, rest) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        // The frame must have left before the connection is cut.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        after.await;
        sender.closed().await;
    });
    let rest = tokio_stream::wrappers::ReceiverStream::new(rest);
    let body = StreamBody::new(tokio_stream::StreamExt::chain(first, rest));
    assert!(!body.is_end_stream());
    Body::new(body)
}

fn reflection() -> BoxCloneSyncService<Request<Body>, Response<Body>, Infallible> {
    let builder = tonic_reflection::server::Builder::configure();
    let builder = builder.register_encoded_file_descriptor_set(&DESCRIPTORS);
    BoxCloneSyncService::new(builder.build_v1().unwrap())
}

/// The contract of the service, with options and comments, as a service of the suite shows it.
pub(crate) static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folders = ["gateway/tests/proto", "proto", "proto/third_party"].map(|folder| format!("{root}/{folder}"));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("ispbridge/fake_isp/v1/customer.proto").unwrap();
    compiler.encode_file_descriptor_set()
});
