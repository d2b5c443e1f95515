//! One HTTP/2 connection to one instance of a service, kept open, opened again when it is lost, renewed when it is old.

use std::{
    error::Error as _,
    future::pending,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tonic::body::Body;

use crate::fleet::{endpoint::Endpoint, instance::Instance, tls::Tls};

/// Calls that one connection carries at a time: the least that every service of the suite admits.
pub(crate) const STREAMS: usize = 100;

/// How long resolving, connecting and shaking hands may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Silence after which an instance is pinged, also without calls in flight.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take before the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after the first failed attempt to connect; it doubles up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between attempts to connect: a restarted instance is found within a second.
const LAST_PAUSE: Duration = Duration::from_millis(800);

/// Age (plus or minus a tenth) at which a connection is replaced by a fresh one, before the service asks for it.
const AGE: Duration = Duration::from_secs(20 * 60);

/// Largest header list of a reply.
const HEADER_BYTES: u32 = 16 << 10;

/// Window of one reply and of all replies of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A connection's own work, of a plain socket or of TLS; it ends when the connection is lost.
type Work = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Why a call got no response from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The instance certainly did not begin to work on it: any call may be sent again.
    NotProcessed(&'static str),
    /// It may have been worked on.
    Unanswered(&'static str),
}

#[derive(Debug)]
enum State {
    Connecting,
    Up(SendRequest<Body>),
    Down,
}

/// What the keeper of a connection is told.
#[derive(Debug)]
struct Order {
    /// How to encrypt, if at all.
    tls: Option<Tls>,
    /// Whether it is to take no more calls.
    retired: bool,
}

/// Why the keeper of an open connection goes on to the next.
enum Over {
    Lost,
    Old,
    Retired,
}

/// One connection, and how many calls are on it.
#[derive(Debug)]
pub(crate) struct Link {
    instance: Arc<Instance>,
    state: ArcSwap<State>,
    in_flight: AtomicUsize,
    orders: watch::Sender<Order>,
}

impl Link {
    /// Describes a connection; [`Link::keep`] opens it.
    pub(crate) fn new(instance: Arc<Instance>, tls: Option<Tls>) -> Arc<Self> {
        let orders = watch::Sender::new(Order { tls, retired: false });
        Arc::new(Self {
            instance,
            state: ArcSwap::from_pointee(State::Connecting),
            in_flight: AtomicUsize::new(0),
            orders,
        })
    }

    /// The instance it leads to.
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Whether a call can be sent.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&**self.state.load(), State::Up(sender) if !sender.is_closed())
    }

    /// Whether an attempt to connect is under way whose end is worth waiting for.
    pub(crate) fn is_connecting(&self) -> bool {
        match &**self.state.load() {
            State::Connecting => true,
            State::Up(sender) => sender.is_closed(),
            State::Down => false,
        }
    }

    /// Calls in flight.
    pub(crate) fn load(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Takes one of the places for calls, if it is open and one is free.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        if !self.is_up() {
            return None;
        }
        let free = |taken: usize| (taken < STREAMS).then_some(taken + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, free).ok()?;
        self.instance.enter();
        Some(Seat(Arc::clone(self)))
    }

    /// Gives it no more calls; those on it end in their time.
    pub(crate) fn retire(&self) {
        self.orders.send_modify(|order| order.retired = true);
    }

    /// Says how to encrypt; if that is new, a fresh connection takes the place of the open one.
    pub(crate) fn encrypt(&self, tls: Option<&Tls>) {
        self.orders.send_if_modified(|order| {
            let is_new = order.tls.as_ref() != tls;
            order.tls = tls.cloned();
            is_new
        });
    }

    /// Keeps the connection open until it is told to retire.
    ///
    /// hyper drives the streams of a connection in a task of its own: a connection whose sender is let go of ends when its
    /// last call does.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut orders = self.orders.subscribe();
        let mut pause = FIRST_PAUSE;
        // The connection before, which serves until there is another.
        let mut previous: Option<Work> = None;
        while !orders.borrow().retired {
            let tls = orders.borrow_and_update().tls.clone();
            let connecting = timeout(CONNECT, connect(&self.instance.endpoint, tls));
            let connected = tokio::select! {
                connected = connecting => connected,
                () = drive(&mut previous) => {
                    self.become_state(State::Connecting);
                    continue;
                }
                () = retired(&self.orders) => break,
            };
            match connected {
                Ok(Ok((sender, work))) => {
                    tracing::info!(instance = %self.instance.endpoint, "instance connected");
                    self.become_state(State::Up(sender));
                    pause = FIRST_PAUSE;
                    drop(previous.take());
                    previous = self.serve(work, &mut orders).await;
                    continue;
                }
                Ok(Err(error)) => tracing::debug!(instance = %self.instance.endpoint, %error, "instance not reachable"),
                Err(_) => tracing::debug!(instance = %self.instance.endpoint, "connecting to instance timed out"),
            }
            if !self.is_up() {
                self.become_state(State::Down);
            }
            tokio::select! {
                () = sleep(pause.mul_f64(0.8 + 0.2 * fastrand::f64())) => {}
                () = drive(&mut previous) => self.become_state(State::Connecting),
                () = retired(&self.orders) => break,
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
        self.become_state(State::Down);
    }

    /// Drives an open connection to its end; gives it back if it still serves, but a fresh one should take its place.
    async fn serve(&self, mut work: Work, orders: &mut watch::Receiver<Order>) -> Option<Work> {
        let age = AGE.mul_f64(0.9 + 0.2 * fastrand::f64());
        let over = tokio::select! {
            end = &mut work => {
                self.lost(end.map_err(|error| reason(&error)));
                Over::Lost
            }
            () = sleep(age) => Over::Old,
            _ = orders.changed() => if orders.borrow().retired { Over::Retired } else { Over::Old },
        };
        match over {
            Over::Lost => self.become_state(State::Connecting),
            Over::Old => return Some(work),
            Over::Retired => {}
        }
        None
    }

    fn lost(&self, end: Result<(), &'static str>) {
        tracing::info!(instance = %self.instance.endpoint, ?end, "connection to instance ended");
        // One failure, however many calls were on it: a restart is no reason to rest, a crash at every call is.
        if end.is_err() && self.load() > 0 {
            self.instance.failed();
        }
    }

    fn become_state(&self, state: State) {
        self.state.store(Arc::new(state));
        self.instance.signal();
    }

    fn sender(&self) -> Option<SendRequest<Body>> {
        match &**self.state.load() {
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

    /// The instance.
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.0.instance
    }

    /// Sends a request and waits for the head of the response.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let Some(mut sender) = self.0.sender() else {
            return Err(Failure::NotProcessed("not connected"));
        };
        let begun = Instant::now();
        match sender.try_send_request(request).await {
            Ok(response) => {
                self.instance().answered(begun.elapsed());
                Ok(response)
            }
            // hyper hands the request back only if none of it was written.
            Err(error) if error.message().is_some() => Err(Failure::NotProcessed("connection closed")),
            Err(error) => Err(self.failure(error.error())),
        }
    }

    /// Reads from HTTP/2's own signs whether the peer refused a stream before any work on it: REFUSED_STREAM, or a GOAWAY
    /// that excludes it (RFC 9113, 8.7). h2 gives a remote GOAWAY to exactly the streams beyond its last stream id.
    fn failure(&self, error: &hyper::Error) -> Failure {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
        let refused = cause.is_some_and(|cause| {
            let refused = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
            cause.is_remote() && (refused || cause.is_go_away())
        });
        if refused {
            return Failure::NotProcessed(reason(error));
        }
        // What ends the whole connection is counted once, by its keeper.
        if is_reset(error) {
            self.instance().failed();
        }
        Failure::Unanswered(reason(error))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
        self.0.instance.leave();
    }
}

/// Drives a connection that is to be replaced until it ends by itself.
async fn drive(previous: &mut Option<Work>) {
    match previous {
        // However it ends, another one is on its way.
        Some(work) => drop(work.await),
        None => pending().await,
    }
    *previous = None;
}

async fn retired(orders: &watch::Sender<Order>) {
    // An error would mean that the link is gone, and with it the reason to go on.
    let _ = orders.subscribe().wait_for(|order| order.retired).await;
}

async fn connect(endpoint: &Endpoint, tls: Option<Tls>) -> Result<(SendRequest<Body>, Work), std::io::Error> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => handshake(TokioIo::new(tls.connect(endpoint, stream).await?)).await,
        None => handshake(TokioIo::new(stream)).await,
    }
}

async fn handshake<T>(io: T) -> Result<(SendRequest<Body>, Work), std::io::Error>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (sender, work) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .handshake(io)
        .await
        .map_err(std::io::Error::other)?;
    Ok((sender, Box::pin(work)))
}

/// Whether only the one stream was ended, and not the whole connection.
pub(crate) fn is_reset(error: &hyper::Error) -> bool {
    error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_reset)
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
