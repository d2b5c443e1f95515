//! One HTTP/2 connection to one instance of a service, kept open and opened again when it is lost.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, Connection, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tonic::body::Body;

/// Calls that one connection carries at a time: the least that every service of the suite admits.
pub(crate) const STREAMS: usize = 100;

/// How long resolving and connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Silence after which an instance is pinged, also without calls in flight.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take before the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after the first failed attempt to connect; it doubles up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between attempts to connect: a restarted instance is found within a second.
const LAST_PAUSE: Duration = Duration::from_millis(800);

/// Largest header list of a reply.
const HEADER_BYTES: u32 = 16 << 10;

/// Window of one reply and of all replies of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

type Opened = Connection<TokioIo<TcpStream>, Body, TokioExecutor>;

/// Why a call got no response from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The instance certainly did not begin to work on it: any call may be sent again.
    NotProcessed(&'static str),
    /// It may have been worked on.
    Unanswered(&'static str),
}

#[derive(Debug, Clone)]
enum State {
    Connecting,
    Up(SendRequest<Body>),
    Down,
}

/// One connection, and how many calls are on it.
#[derive(Debug)]
pub(crate) struct Link {
    origin: Uri,
    state: watch::Sender<State>,
    in_flight: AtomicUsize,
}

impl Link {
    /// Describes a connection to `http://host:port`; [`Link::keep`] opens it.
    pub(crate) fn new(origin: Uri) -> Arc<Self> {
        Arc::new(Self { origin, state: watch::Sender::new(State::Connecting), in_flight: AtomicUsize::new(0) })
    }

    /// Where the instance is.
    pub(crate) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// Whether a call can be sent.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(sender) if !sender.is_closed())
    }

    /// Whether an attempt to connect is under way whose end is worth waiting for.
    pub(crate) fn is_connecting(&self) -> bool {
        match &*self.state.borrow() {
            State::Connecting => true,
            State::Up(sender) => sender.is_closed(),
            State::Down => false,
        }
    }

    /// Calls in flight.
    pub(crate) fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes one of the places for calls, if one is free.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let free = |taken: usize| (taken < STREAMS).then_some(taken + 1);
        let taken = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Seat(Arc::clone(self)))
    }

    /// Keeps the connection open for ever; `changed` hears of every change.
    pub(crate) async fn keep(self: Arc<Self>, changed: Arc<Notify>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match timeout(CONNECT, connect(&self.origin)).await {
                Ok(Ok((sender, connection))) => {
                    tracing::info!(instance = %self.origin, "instance connected");
                    self.become_state(State::Up(sender), &changed);
                    let end = connection.await.map_err(|error| reason(&error));
                    tracing::info!(instance = %self.origin, ?end, "connection to instance ended");
                    self.become_state(State::Connecting, &changed);
                    pause = FIRST_PAUSE;
                    continue;
                }
                Ok(Err(error)) => {
                    tracing::debug!(instance = %self.origin, %error, "instance not reachable");
                }
                Err(_) => {
                    tracing::debug!(instance = %self.origin, "connecting to instance timed out");
                }
            }
            self.become_state(State::Down, &changed);
            sleep(pause.mul_f64(0.8 + 0.2 * fastrand::f64())).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn become_state(&self, state: State, changed: &Notify) {
        self.state.send_replace(state);
        changed.notify_waiters();
    }

    fn sender(&self) -> Option<SendRequest<Body>> {
        match &*self.state.borrow() {
            State::Up(sender) => Some(sender.clone()),
            State::Connecting | State::Down => None,
        }
    }
}

/// A call's place on a connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Link>);

impl Seat {
    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0
    }

    /// Sends a request and waits for the head of the response.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let Some(mut sender) = self.0.sender() else {
            return Err(Failure::NotProcessed("not connected"));
        };
        sender.try_send_request(request).await.map_err(|error| {
            match error.message().is_some() {
                // hyper hands the request back only if none of it was written.
                true => Failure::NotProcessed("connection closed"),
                false => failure(error.error()),
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connect(origin: &Uri) -> Result<(SendRequest<Body>, Opened), std::io::Error> {
    let host = origin.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, origin.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)
}

/// Reads from HTTP/2's own signs whether the peer refused a stream before any work on it: REFUSED_STREAM, or a GOAWAY
/// that excludes it (RFC 9113, 8.7). h2 gives a remote GOAWAY to exactly the streams beyond its last stream id.
fn failure(error: &hyper::Error) -> Failure {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    let refused = cause.is_some_and(|cause| {
        let reset = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        cause.is_remote() && (reset || cause.is_go_away())
    });
    match refused {
        true => Failure::NotProcessed(reason(error)),
        false => Failure::Unanswered(reason(error)),
    }
}

/// A fixed text for what ended a stream or connection; no text of the peer's is let through.
pub(crate) fn reason(error: &hyper::Error) -> &'static str {
    match error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()) {
        Some(cause) => reset_reason(cause),
        None if error.is_timeout() => "no answer to a keepalive ping",
        None => "connection closed",
    }
}

fn reset_reason(error: &h2::Error) -> &'static str {
    match error.reason() {
        Some(h2::Reason::NO_ERROR) => "connection closed in order",
        Some(h2::Reason::REFUSED_STREAM) => "stream refused before processing",
        Some(h2::Reason::CANCEL) => "stream cancelled by the service",
        Some(h2::Reason::INTERNAL_ERROR) => "HTTP/2 internal error",
        Some(h2::Reason::ENHANCE_YOUR_CALM) => "HTTP/2 enhance your calm",
        Some(_) => "HTTP/2 error",
        None => "connection lost",
    }
}
