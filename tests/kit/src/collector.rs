//! A collector of OTLP over gRPC, well or not. It reads just enough of what comes to count it.

use std::{
    collections::BTreeMap,
    io::Read,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use prost::Message;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

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
    connections: AtomicUsize,
    calls: AtomicUsize,
    spans: AtomicUsize,
    exports: Mutex<Vec<Export>>,
}

/// One export that was taken.
#[derive(Clone, Debug)]
pub struct Export {
    /// Whether it was one of spans; else of metrics.
    pub is_trace: bool,
    /// Its headers.
    pub headers: HeaderMap,
    /// What the process says of itself.
    pub resource: BTreeMap<String, String>,
}

/// `ExportTraceServiceRequest`, or that of metrics, of which resource and number of spans are read; the fields' numbers are
/// those of opentelemetry-proto 1.9.
#[derive(Clone, PartialEq, Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
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
        Self::listen(manners, None).await
    }

    /// Starts one that is spoken to over TLS.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start_tls(manners: Manners, mut tls: ServerConfig) -> Self {
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Self::listen(manners, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn listen(manners: Manners, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let own = counts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let (tls, counts) = (tls.clone(), own.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return connection(stream, manners, counts).await };
                    // A peer that does not shake hands has said nothing.
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, manners, counts).await;
                    }
                });
            }
        });
        Self { address, counts }
    }

    /// How many connections there were, whatever became of them.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// The exports that were taken.
    ///
    /// # Panics
    /// If the collector did.
    #[must_use]
    pub fn exports(&self) -> Vec<Export> {
        self.counts.exports.lock().unwrap().clone()
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

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, manners: Manners, counts: Arc<Counts>) {
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
    let (head, stream) = request.into_parts();
    let message = body(stream).await?;
    counts.calls.fetch_add(1, Ordering::SeqCst);
    match manners {
        Manners::Takes => {}
        Manners::TakesAfter(wait) => tokio::time::sleep(wait).await,
        Manners::Exhausted => return refuse(response, Response::builder().header("grpc-status", "8")),
        Manners::TooLarge => return refuse(response, Response::builder().status(413)),
        Manners::Mute | Manners::Deaf => std::future::pending().await,
    }
    let (resource, spans) = read(&message);
    if is_trace {
        counts.spans.fetch_add(spans, Ordering::SeqCst);
    }
    counts.exports.lock().unwrap().push(Export { is_trace, headers: head.headers, resource });
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

/// The first resource of an export, and the number of spans; a set first byte says that the message is packed.
fn read(framed: &[u8]) -> (BTreeMap<String, String>, usize) {
    let mut message = Vec::new();
    match framed[0] {
        0 => message.extend_from_slice(&framed[5..]),
        _ => drop(flate2::read::GzDecoder::new(&framed[5..]).read_to_end(&mut message).unwrap()),
    }
    let export = ExportRequest::decode(&*message).unwrap();
    let attributes = export.resources.first().and_then(|first| first.resource.clone()).unwrap_or_default().attributes;
    let text = |attribute: Attribute| Some((attribute.key, attribute.value?.text?));
    let spans = export.resources.iter().flat_map(|resource| &resource.scopes).map(|scope| scope.spans.len()).sum();
    (attributes.into_iter().filter_map(text).collect(), spans)
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
