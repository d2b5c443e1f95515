//! One HTTP/2 connection to one instance: kept open, reopened when it is lost, replaced when it is old.

mod dial;
mod driver;
mod exchange;
mod first_byte;
mod keepalive;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use serving::Workers;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};

use self::{
    dial::{OpenConnection, connect},
    driver::CloseReason,
    exchange::{ExchangeError, exchange},
};
use crate::fleet::{instance::Instance, tls::ServiceTls};

pub(crate) use self::exchange::Received;

/// Calls that one connection carries at a time: the least that every service of the suite admits.
pub(crate) const STREAMS: usize = 100;

/// How long resolving, connecting and shaking hands may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Pause after the first failed attempt to connect; it doubles up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between attempts to connect: a restarted instance is found within a second.
const LAST_PAUSE: Duration = Duration::from_millis(800);

/// Age (plus or minus a tenth) at which a connection is replaced by a fresh one, before the service asks for it.
const AGE: Duration = Duration::from_secs(20 * 60);

/// Why a call got no response from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendError {
    /// The instance certainly did not begin to work on it: any call may be sent again.
    NotProcessed(&'static str),
    /// It may have been worked on.
    Unanswered(&'static str),
}

#[derive(Debug)]
enum ConnectionState {
    Connecting,
    Up(OpenConnection),
    Down,
}

/// What the task of a connection has to do.
#[derive(Debug)]
struct Directive {
    /// How to encrypt, if at all.
    tls: Option<ServiceTls>,
    /// Whether it is to take no more calls.
    retired: bool,
}

/// Resolves when a connection takes no more calls, and keeps it open until then.
type CloseReceiver = oneshot::Receiver<CloseReason>;

/// Why an open connection is replaced.
enum Replacement {
    Lost,
    Old,
    Retired,
}

/// One connection, and how many calls are on it.
#[derive(Debug)]
pub(crate) struct Connection {
    instance: Arc<Instance>,
    /// The worker thread that runs it.
    worker: usize,
    state: ArcSwap<ConnectionState>,
    in_flight: AtomicUsize,
    directives: watch::Sender<Directive>,
}

impl Connection {
    /// Describes a connection; [`Connection::keep`] opens it.
    pub(crate) fn new(instance: Arc<Instance>, worker: usize, tls: Option<ServiceTls>) -> Arc<Self> {
        let directives = watch::Sender::new(Directive { tls, retired: false });
        Arc::new(Self {
            instance,
            worker,
            state: ArcSwap::from_pointee(ConnectionState::Connecting),
            in_flight: AtomicUsize::new(0),
            directives,
        })
    }

    /// The instance it leads to.
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Whether a call can be sent.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&**self.state.load(), ConnectionState::Up(open) if !open.closed.is_set())
    }

    /// Whether a connection attempt is under way that is worth waiting for.
    pub(crate) fn is_connecting(&self) -> bool {
        match &**self.state.load() {
            ConnectionState::Connecting => true,
            ConnectionState::Up(open) => open.closed.is_set(),
            ConnectionState::Down => false,
        }
    }

    /// Whether the calling thread runs it: a call that stays on its thread wakes no other.
    pub(crate) fn is_local(&self) -> bool {
        Workers::own().is_none_or(|own| own == self.worker)
    }

    /// Calls in flight.
    pub(crate) fn load(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// A permit for one stream, if the connection is open and has one left.
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<StreamPermit> {
        if !self.is_up() {
            return None;
        }
        let free = |taken: usize| (taken < STREAMS).then_some(taken + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, free).ok()?;
        self.instance.enter();
        Some(StreamPermit(Arc::clone(self)))
    }

    /// Sends it no more calls; open calls continue.
    pub(crate) fn retire(&self) {
        self.directives.send_modify(|directive| directive.retired = true);
    }

    /// Sets the TLS configuration; if it is new, a fresh connection replaces the open one.
    pub(crate) fn encrypt(&self, tls: Option<&ServiceTls>) {
        self.directives.send_if_modified(|directive| {
            let is_new = directive.tls.as_ref() != tls;
            directive.tls = tls.cloned();
            is_new
        });
    }

    /// Keeps the connection open until it is retired.
    ///
    /// A connection closes after its last call, once its sender and its close receiver are dropped.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut directives = self.directives.subscribe();
        let mut pause = FIRST_PAUSE;
        // The previous connection, which serves until the next is open.
        let mut previous: Option<CloseReceiver> = None;
        while !directives.borrow().retired {
            let tls = directives.borrow_and_update().tls.clone();
            // Boxed: there may be thousands of connections, and opening takes a small part of their lives.
            let connecting = timeout(CONNECT, Box::pin(connect(&self.instance.endpoint, tls)));
            let connected = tokio::select! {
                connected = connecting => connected,
                () = over(&mut previous) => {
                    self.become_state(ConnectionState::Connecting);
                    continue;
                }
                () = retired(&self.directives) => break,
            };
            match connected {
                Ok(Ok((open, watch))) => {
                    tracing::info!(instance = %self.instance.endpoint, "instance connected");
                    self.become_state(ConnectionState::Up(open));
                    pause = FIRST_PAUSE;
                    drop(previous.take());
                    previous = self.serve(watch, &mut directives).await;
                    continue;
                }
                Ok(Err(error)) => tracing::debug!(instance = %self.instance.endpoint, %error, "instance not reachable"),
                Err(_) => tracing::debug!(instance = %self.instance.endpoint, "connecting to instance timed out"),
            }
            if !self.is_up() {
                self.become_state(ConnectionState::Down);
            }
            tokio::select! {
                () = sleep(pause.mul_f64(0.8 + 0.2 * fastrand::f64())) => {}
                () = over(&mut previous) => self.become_state(ConnectionState::Connecting),
                () = retired(&self.directives) => break,
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
        self.become_state(ConnectionState::Down);
    }

    /// Waits for the end of an open connection; returns its receiver if it still serves and should be replaced.
    async fn serve(
        &self,
        mut watch: CloseReceiver,
        directives: &mut watch::Receiver<Directive>,
    ) -> Option<CloseReceiver> {
        let age = AGE.mul_f64(0.9 + 0.2 * fastrand::f64());
        let over = tokio::select! {
            over = &mut watch => {
                // Its task ends without a message only when the process ends.
                self.lost(over.unwrap_or(Ok(())));
                Replacement::Lost
            }
            () = sleep(age) => Replacement::Old,
            _ = directives.changed() => if directives.borrow().retired { Replacement::Retired } else { Replacement::Old },
        };
        match over {
            Replacement::Lost => self.become_state(ConnectionState::Connecting),
            Replacement::Old => return Some(watch),
            Replacement::Retired => {}
        }
        None
    }

    fn lost(&self, end: CloseReason) {
        tracing::info!(instance = %self.instance.endpoint, ?end, "connection to instance ended");
        // One failure, however many calls it carried: a restart must not eject the instance, a crash on every call must.
        if end.is_err() && self.load() > 0 {
            self.instance.failed();
        }
    }

    fn become_state(&self, state: ConnectionState) {
        self.state.store(Arc::new(state));
        self.instance.signal();
    }
}

/// A permit for one stream of a connection, returned on drop.
#[derive(Debug)]
pub(crate) struct StreamPermit(Arc<Connection>);

impl StreamPermit {
    /// The connection.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }

    /// The instance.
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.0.instance
    }

    /// Sends a request and waits for the head of the response.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Result<Response<Received>, SendError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let state = self.0.state.load_full();
        let ConnectionState::Up(open) = &*state else {
            return Err(SendError::NotProcessed("not connected"));
        };
        let begun = Instant::now();
        match exchange(open.sender.clone(), request).await {
            Ok(response) => {
                self.instance().answered(begun.elapsed());
                Ok(response)
            }
            Err(ExchangeError::Closed) => {
                open.closed.set();
                Err(SendError::NotProcessed("connection closed"))
            }
            Err(ExchangeError::Broken(error)) => Err(self.failure(&error)),
        }
    }

    /// Reads from HTTP/2's own signs whether the peer refused a stream before any work on it: REFUSED_STREAM, or a GOAWAY
    /// that excludes it (RFC 9113, 8.7). h2 gives a remote GOAWAY to exactly the streams beyond its last stream id.
    fn failure(&self, error: &h2::Error) -> SendError {
        let is_refusal = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        if error.is_remote() && (is_refusal || error.is_go_away()) {
            return SendError::NotProcessed(reason(error));
        }
        // The end of the whole connection is counted once, by its task.
        if is_reset(error) {
            self.instance().failed();
        }
        SendError::Unanswered(reason(error))
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
        self.0.instance.leave();
    }
}

/// Waits for the end of a connection that is to be replaced.
async fn over(previous: &mut Option<CloseReceiver>) {
    match previous {
        // However it ends, another one is on its way.
        Some(watch) => drop(watch.await),
        None => pending().await,
    }
    *previous = None;
}

async fn retired(directives: &watch::Sender<Directive>) {
    // An error means that the connection itself is gone.
    let _ = directives.subscribe().wait_for(|directive| directive.retired).await;
}

/// Whether the peer ended only the one stream, and not the whole connection.
pub(crate) fn is_reset(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote()
}

/// A fixed text for what ended a stream or connection; no text of the peer's is let through.
pub(crate) fn reason(error: &h2::Error) -> &'static str {
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
