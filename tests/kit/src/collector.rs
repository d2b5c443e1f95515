//! A collector of OTLP over gRPC, well or not. It reads just enough of what comes to count it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

/// What a collector does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Takes it.
    Takes,
    /// Takes it after a while.
    TakesAfter(Duration),
    /// Says RESOURCE_EXHAUSTED, as one does that has enough or finds the message too large.
    Exhausted,
    /// Says 413, as a proxy does before one.
    TooLarge,
    /// Accepts calls and says nothing to them.
    Mute,
    /// Accepts connections and says nothing at all.
    Deaf,
}

/// A running collector; ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    spans: AtomicUsize,
}

/// `ExportTraceServiceRequest`, of which only the number of spans is read; the fields' numbers are those of
/// opentelemetry-proto 1.9.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(bytes = "vec", repeated, tag = "2")]
    spans: Vec<Vec<u8>>,
}

impl Collector {
    /// Starts a collector.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let own = counts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, manners, own.clone()));
            }
        });
        Self { address, counts }
    }

    /// How many calls came in whole.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.counts.calls.load(Ordering::SeqCst)
    }

    /// How many spans were in those that were taken.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.counts.spans.load(Ordering::SeqCst)
    }
}

async fn connection(stream: TcpStream, manners: Manners, counts: Arc<Counts>) {
    if manners == Manners::Deaf {
        std::future::pending::<()>().await;
    }
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, response))) = connection.accept().await {
        tokio::spawn(call(request, response, manners, counts.clone()));
    }
}

/// Whatever ends early ends because the other side has gone.
async fn call(
    request: Request<RecvStream>,
    response: SendResponse<Bytes>,
    manners: Manners,
    counts: Arc<Counts>,
) -> Option<()> {
    let is_trace = request.uri().path().ends_with("TraceService/Export");
    let message = body(request.into_body()).await?;
    counts.calls.fetch_add(1, Ordering::SeqCst);
    match manners {
        Manners::Takes => {}
        Manners::TakesAfter(wait) => tokio::time::sleep(wait).await,
        Manners::Exhausted => return refuse(response, Response::builder().header("grpc-status", "8")),
        Manners::TooLarge => return refuse(response, Response::builder().status(413)),
        Manners::Mute | Manners::Deaf => std::future::pending().await,
    }
    if is_trace {
        counts.spans.fetch_add(spans(&message), Ordering::SeqCst);
    }
    take(response)
}

async fn body(mut stream: RecvStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.ok()?;
        stream.flow_control().release_capacity(chunk.len()).ok()?;
        body.extend(chunk);
    }
    Some(body)
}

fn spans(framed: &[u8]) -> usize {
    let export = Export::decode(&framed[5..]).unwrap();
    export.resources.iter().flat_map(|resource| &resource.scopes).map(|scope| scope.spans.len()).sum()
}

fn refuse(mut response: SendResponse<Bytes>, head: http::response::Builder) -> Option<()> {
    let head = head.header("content-type", "application/grpc").body(()).unwrap();
    response.send_response(head, true).ok().map(drop)
}

fn take(mut response: SendResponse<Bytes>) -> Option<()> {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = response.send_response(head, false).ok()?;
    // An empty message says that all was taken.
    stream.send_data(Bytes::from_static(&[0; 5]), false).ok()?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    stream.send_trailers(trailers).ok()
}
