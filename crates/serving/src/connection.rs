//! One connection from its first byte to its last.

mod bounded;
mod crowd;
pub(crate) mod farewell;
mod flood;
mod forwarded;
mod frames;
mod heads;
mod opening;
mod rewound;
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
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{HeaderValue, Response, StatusCode, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use protocol::Body;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use self::{
    bounded::Bounded,
    crowd::{Crowd, Member},
    farewell::{Farewells, Spoken},
    heads::Heads,
    opening::{Failure, Opening},
    rewound::Rewound,
    socket::Socket,
    stream::Stream,
    streams::{Alarms, End, Streams},
};
use crate::{
    context::ServingContext,
    host,
    layers::{self, Service, entrance::Outgoing},
    message::HEAD,
    notes::CallNotes,
    peer::{Peer, PeerIdentity},
    refusals::Refused,
    send_buffer::ReplyBuffer,
    settings::ServerSettings,
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
    serving: ServingContext,
    tls: Option<tls::Current>,
    has_transcoder: bool,
    crowd: Crowd,
    farewells: Farewells,
}

/// A connection that may speak.
struct Opened {
    stream: Stream,
    peer: Peer,
    _member: Option<Member>,
}

impl<S: Service<Reply = Outgoing>> Connections<S> {
    pub(crate) fn new(stack: S, serving: &ServingContext, tls: Option<tls::Current>, has_transcoder: bool) -> Self {
        let farewells = Farewells::new(Spoken { tls: tls.is_some(), http1: has_transcoder });
        let (stack, serving) = (Arc::new(stack), serving.clone());
        Self { stack, serving, tls, has_transcoder, crowd: Crowd::default(), farewells }
    }

    /// Sends away a peer that cannot be served now.
    pub(crate) async fn say_too_many(&self, stream: TcpStream) {
        self.farewells.say_too_many(stream).await;
    }

    /// Serves a connection until its peer leaves, it is too old, or the process drains and its last call is answered.
    pub(crate) async fn serve(&self, stream: TcpStream, address: SocketAddr, age_factor: f64) {
        // A small reply waits for nothing; if the option cannot be set it comes a little later.
        let _ = stream.set_nodelay(true);
        let begun = Instant::now();
        if let Some(opened) = self.open(stream, address, begun).await {
            self.speak(opened, begun, age_factor).await;
        }
    }

    async fn speak(&self, opened: Opened, begun: Instant, age_factor: f64) {
        let settings = &self.serving.settings();
        let peer = &opened.peer;
        let heads = Arc::new(Heads::new(begun, settings.preface_seconds.0, settings.http1_idle_seconds.0));
        let streams = Streams::new(&self.serving);
        let io = TokioIo::new(Socket::new(opened.stream, heads.clone(), streams.clone(), &self.serving));
        let http = http(settings, streams.clone(), self.has_transcoder);
        let called = AtomicBool::new(false);
        let service = service_fn(|request| {
            called.store(true, Ordering::Relaxed);
            heads.is_called();
            self.answer(request, peer, streams.clone())
        });
        let mut connection = pin!(http.serve_connection(io, service));
        let mut alarms = Alarms::default();
        let age = settings.max_connection_age_seconds.0.mul_f64(age_factor);
        // Once it was told to go, no call on it can be in time after that.
        let grace = settings.max_deadline_seconds.0 + settings.write_stall_seconds.0;
        let mut leaving = None;
        let mut asked_to_go = pin!(self.asked_to_go(&called, begun + settings.preface_seconds.0));
        loop {
            let told_to_go = tokio::select! {
                // In order, so that a call that has come in is seen before it is asked for.
                biased;
                end = streams.attended(connection.as_mut(), &heads, &mut alarms) => {
                    return self.note_end(end, called.load(Ordering::Relaxed), peer.address());
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

    /// What ends a connection is the peer's affair and not worth a line, unless it was never served.
    fn note_end(&self, end: End, called: bool, address: SocketAddr) {
        let instruments = &self.serving.telemetry().instruments;
        match end {
            End::Over | End::HeadOverdue { in_head: false } => {}
            End::ReplyStalled => instruments.give_up("reply_stalled"),
            End::HeadOverdue { .. } if called => instruments.give_up("request_head"),
            End::HeadOverdue { .. } => self.serving.refusals().connection(Refused::Preface, Some(address.ip()), None),
        }
    }

    /// Returns when the process drains, but not before the first call on a young connection: whoever has just connected found
    /// this process and no other, and hyper closes a connection at once that is asked to go before it has spoken.
    async fn asked_to_go(&self, called: &AtomicBool, young_until: Instant) {
        self.serving.draining().wait().await;
        // The connection is read by the same task, which then looks here again.
        let called = poll_fn(|_| if called.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending });
        let _ = timeout_at(young_until, called).await;
    }

    /// Reads what stands before the first request: a PROXY header, a TLS handshake; nothing if the connection is not served.
    async fn open(&self, stream: TcpStream, address: SocketAddr, begun: Instant) -> Option<Opened> {
        let end = begun + self.serving.settings().preface_seconds.0;
        match self.begin(&stream, address, end).await {
            Ok((opening, client, member)) => {
                let (stream, identity) = self.shake_hands(Rewound::new(opening.rest, stream), client, end).await?;
                Some(Opened { stream, peer: Peer::new(client, identity), _member: member })
            }
            Err((Failure::Gone, _)) => None,
            Err((Failure::Refused(why), address)) => {
                self.serving.refusals().connection(why, Some(address.ip()), None);
                match why {
                    Refused::Preface => {}
                    Refused::TooManyOfOneAddress => self.farewells.say_too_many(stream).await,
                    _ => self.farewells.close(stream).await,
                }
                None
            }
        }
    }

    /// Finds out whose connection it is and counts it; an error names who is refused.
    async fn begin(
        &self,
        stream: &TcpStream,
        address: SocketAddr,
        end: Instant,
    ) -> Result<(Opening, SocketAddr, Option<Member>), (Failure, SocketAddr)> {
        let from_proxy = self.serving.settings().proxy_protocol.from.contains(address.ip());
        // A proxy is not counted, only those whose connections it passes on.
        let direct = if from_proxy { None } else { self.count(address)? };
        let late = if from_proxy { Refused::ProxyHeaderMissing } else { Refused::Preface };
        let read = timeout_at(end, opening::read(stream, from_proxy)).await;
        let opening = read.unwrap_or(Err(Failure::Refused(late))).map_err(|failure| (failure, address))?;
        let passed_on = opening.client.map(|client| self.count(client)).transpose()?.flatten();
        let client = opening.client.unwrap_or(address);
        Ok((opening, client, direct.or(passed_on)))
    }

    /// Counts a connection of an address, unless addresses like it are not counted.
    fn count(&self, address: SocketAddr) -> Result<Option<Member>, (Failure, SocketAddr)> {
        let settings = &self.serving.settings();
        let ip = address.ip();
        match settings.connections_per_ip() {
            Some(most)
                if !settings.max_connections_per_ip_exempt.contains(ip) && !settings.forwarded.from.contains(ip) =>
            {
                let member = self.crowd.join(ip, most);
                member.map(Some).ok_or((Failure::Refused(Refused::TooManyOfOneAddress), address))
            }
            _ => Ok(None),
        }
    }

    /// Shakes hands where the listener has a certificate; nothing if that does not succeed in time.
    async fn shake_hands(
        &self,
        stream: Rewound,
        client: SocketAddr,
        end: Instant,
    ) -> Option<(Stream, Option<PeerIdentity>)> {
        let Some(tls) = &self.tls else {
            return Some((Stream::Plain(stream), None));
        };
        let handshake = Box::pin(TlsAcceptor::from(tls.load_full()).accept(stream));
        let failure = match timeout_at(end, handshake).await {
            Ok(Ok(stream)) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let identity = certificate.map(PeerIdentity::of);
                return Some((Stream::Tls(Box::new(stream)), identity));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        self.serving.refusals().connection(Refused::TlsHandshake, Some(client.ip()), Some(&failure));
        None
    }

    fn answer(
        &self,
        request: http::Request<Incoming>,
        peer: &Peer,
        streams: Streams,
    ) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + use<S> {
        let stack = self.stack.clone();
        let settings = &self.serving.settings();
        let peer = peer.for_client(forwarded::client(&settings.forwarded, peer.address(), request.headers()));
        let linger = (request.version() < Version::HTTP_2).then_some(settings.preface_seconds.0);
        let fault = linger.and_then(|_| host::fault(request.version(), request.headers()));
        // The largest message and its head.
        let max = settings.max_request_bytes.saturating_add(HEAD as u64);
        let left = if layers::exempt(request.uri().path()) { u64::MAX } else { max };
        // The layers together are kilobytes; hyper and tokio move a stream some ten times before it runs.
        Box::pin(async move {
            // Over HTTP/2 this runs inside of the stream's task, which knows where the reply is counted.
            let buffer = streams::buffer().unwrap_or_else(|| streams.next());
            if let Some(fault) = fault {
                return Ok(bad_request(fault, buffer));
            }
            let notes = CallNotes::default();
            let mut request = request.map(|inner| body(inner, left, linger, &notes, &buffer));
            request.extensions_mut().insert(notes);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(buffer);
            Ok(stack.call(request).await)
        })
    }
}

fn body(inner: Incoming, left: u64, linger: Option<Duration>, notes: &CallNotes, buffer: &Arc<ReplyBuffer>) -> Body {
    let body = Bounded::new(inner, left, notes.clone());
    Body::new(match linger {
        Some(linger) => body.lingering(linger, buffer),
        None => body,
    })
}

/// The answer to a request that does not say what it is for; whoever reads it otherwise than we do is not asked again.
fn bad_request(fault: &str, buffer: Arc<ReplyBuffer>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::Translated(Body::from(format!("{fault}\n")), buffer));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// HTTP/2 with prior knowledge, and before a door HTTP/1.1, told apart by the first bytes.
fn http(settings: &ServerSettings, streams: Streams, has_transcoder: bool) -> auto::Builder<Streams> {
    let mut http = auto::Builder::new(streams);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_streams_per_connection)
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        // What is larger than allowed is refused by `admission`, and only what is much larger by a bare 431.
        .max_header_list_size(settings.max_header_bytes.saturating_mul(2))
        .keep_alive_interval(settings.keep_alive_seconds.0)
        .keep_alive_timeout(settings.keep_alive_timeout_seconds.0)
        .auto_date_header(false);
    if !has_transcoder {
        return http.http2_only();
    }
    http.http1()
        .timer(TokioTimer::new())
        // `Heads` has two clocks in place of this one.
        .header_read_timeout(None::<Duration>)
        .max_buf_size((settings.max_header_bytes as usize).max(LEAST_BUFFER));
    http
}
