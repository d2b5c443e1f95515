//! One connection from its first byte to its last.

mod bounded;
mod flood;
mod frames;
pub(crate) mod peer;
mod socket;
mod stream;
mod streams;

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use http::Version;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use self::{
    bounded::Bounded,
    peer::{Peer, PeerIdentity},
    socket::Socket,
    stream::Stream,
    streams::Streams,
};
use crate::{
    Body, CallNotes, Process, ServerSettings,
    layers::{self, Call, entrance::Outgoing},
    message::HEAD,
    tls,
};

/// Length of the client's half of the HTTP/2 connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;
/// The smallest buffer that hyper takes for HTTP/1.
const LEAST_BUFFER: usize = 8192;

/// What is the same for every connection of a listener.
#[derive(Debug)]
pub(crate) struct Connections<S> {
    stack: Arc<S>,
    process: Process,
    tls: Option<tls::Current>,
    has_door: bool,
}

impl<S: Call<Reply = Outgoing>> Connections<S> {
    pub(crate) fn new(stack: S, process: &Process, tls: Option<tls::Current>, has_door: bool) -> Self {
        Self { stack: Arc::new(stack), process: process.clone(), tls, has_door }
    }

    /// Serves a connection until its peer leaves, it is too old, or the process drains and its last call is answered.
    pub(crate) async fn serve(&self, stream: TcpStream, address: SocketAddr, age_factor: f64) {
        // A small reply waits for nothing; if the option cannot be set it comes a little later.
        let _ = stream.set_nodelay(true);
        let settings = &self.process.settings().server;
        let begun = Instant::now();
        let Some((stream, peer)) = self.open(stream, address, begun + settings.preface_seconds.0).await else {
            return;
        };
        let read = Arc::new(AtomicUsize::new(0));
        let io = TokioIo::new(Socket::new(stream, read.clone(), &self.process));
        let streams = Streams::new(&self.process);
        let http = http(settings, streams.clone(), self.has_door);
        let called = AtomicBool::new(false);
        let service = service_fn(|request| {
            called.store(true, Ordering::Relaxed);
            self.answer(request, peer.clone(), streams.clone())
        });
        let mut connection = pin!(http.serve_connection(io, service));
        let mut alarm = None;
        let age = settings.max_connection_age_seconds.0.mul_f64(age_factor);
        // Once it was told to go, no call on it can be in time after that.
        let grace = settings.max_deadline_seconds.0 + settings.write_stall_seconds.0;
        let (mut spoken, mut leaving) = (false, None);
        let mut asked_to_go = pin!(self.asked_to_go(&called, begun + settings.preface_seconds.0));
        loop {
            let told_to_go = tokio::select! {
                // In order, so that a call that has come in is seen before it is asked for.
                biased;
                // What ends a connection is the peer's affair: it is neither our fault nor worth a line.
                () = streams.attended(connection.as_mut(), &mut alarm) => return,
                () = sleep_until(begun + settings.preface_seconds.0), if !spoken => {
                    spoken = read.load(Ordering::Relaxed) >= PREFACE;
                    if !spoken {
                        return;
                    }
                    false
                }
                () = &mut asked_to_go, if leaving.is_none() => true,
                () = sleep_until(leaving.unwrap_or(begun + age)) => leaving.is_none(),
            };
            match (told_to_go, leaving) {
                (true, _) => {
                    connection.as_mut().graceful_shutdown();
                    leaving = Some(Instant::now() + grace);
                }
                (false, Some(end)) if end <= Instant::now() => return,
                _ => {}
            }
        }
    }

    /// Returns when the process drains, but not before the first call on a young connection: whoever has just connected found
    /// this process and no other, and hyper closes a connection at once that is asked to go before it has spoken.
    async fn asked_to_go(&self, called: &AtomicBool, young_until: Instant) {
        self.process.draining().wait().await;
        // The connection is read by the same task, which then looks here again.
        let called = poll_fn(|_| if called.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending });
        let _ = timeout_at(young_until, called).await;
    }

    /// Shakes hands where the listener has a certificate; nothing if that does not succeed in time.
    async fn open(&self, stream: TcpStream, address: SocketAddr, end: Instant) -> Option<(Stream, Peer)> {
        let Some(tls) = &self.tls else {
            return Some((Stream::Plain(stream), Peer::new(address, None)));
        };
        let handshake = Box::pin(TlsAcceptor::from(tls.load_full()).accept(stream));
        let Ok(Ok(stream)) = timeout_at(end, handshake).await else {
            self.process.telemetry().instruments.give_up("tls_handshake");
            return None;
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = certificate.map(PeerIdentity::of);
        Some((Stream::Tls(Box::new(stream)), Peer::new(address, identity)))
    }

    fn answer(
        &self,
        request: http::Request<Incoming>,
        peer: Peer,
        streams: Streams,
    ) -> impl Future<Output = Result<http::Response<Outgoing>, Infallible>> + use<S> {
        let stack = self.stack.clone();
        let settings = &self.process.settings().server;
        let max = settings.max_request_bytes;
        let linger = (request.version() < Version::HTTP_2).then_some(settings.preface_seconds.0);
        // The largest message and its head.
        let max = max.saturating_add(HEAD as u64);
        let left = if layers::exempt(request.uri().path()) { u64::MAX } else { max };
        // The layers together are kilobytes; hyper and tokio move a stream some ten times before it runs.
        Box::pin(async move {
            let notes = CallNotes::default();
            let mut request = request.map(|inner| Body::new(Bounded::new(inner, left, linger, notes.clone())));
            request.extensions_mut().insert(notes);
            request.extensions_mut().insert(peer);
            // Over HTTP/2 this runs inside of the stream's task, which knows where the reply is counted.
            let flow = streams::flow().unwrap_or_else(|| streams.next());
            request.extensions_mut().insert(flow);
            Ok(stack.call(request).await)
        })
    }
}

/// HTTP/2 with prior knowledge, and before a door HTTP/1.1, told apart by the first bytes.
fn http(settings: &ServerSettings, streams: Streams, has_door: bool) -> auto::Builder<Streams> {
    let mut http = auto::Builder::new(streams);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_streams_per_connection)
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_header_list_size(settings.max_header_bytes)
        .keep_alive_interval(settings.keep_alive_seconds.0)
        .keep_alive_timeout(settings.keep_alive_timeout_seconds.0)
        .auto_date_header(false);
    if !has_door {
        return http.http2_only();
    }
    // The time for the headers is also that for the next request: a client without one is asked to come again.
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.preface_seconds.0)
        .max_buf_size((settings.max_header_bytes as usize).max(LEAST_BUFFER));
    http
}
