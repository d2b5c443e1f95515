//! Drives an open connection: its frames, its pings, and the word that it takes no more calls.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

use super::{keepalive::Keepalive, reason};

/// How a connection came to take no more calls: in order, or for what reason. Calls that are on it may go on.
pub(super) type CloseReason = Result<(), &'static str>;

/// Whether a connection takes no more calls; its keeper hears of it a little later than the calls that meet with it.
#[derive(Clone, Debug, Default)]
pub(super) struct ClosedFlag(Arc<AtomicBool>);

/// The work of one connection; it ends with its last call once nobody can begin another.
pub(super) struct Driver<T> {
    connection: Connection<T, Bytes>,
    keepalive: Option<Keepalive>,
    notifier: Option<CloseNotifier>,
}

/// Whoever wants to know when it takes no more calls.
struct CloseNotifier {
    /// A sender that asks and never sends.
    probe: SendRequest<Bytes>,
    told: oneshot::Sender<CloseReason>,
    closed: ClosedFlag,
}

impl ClosedFlag {
    pub(super) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Takes over a connection after its handshake; the receiver hears when it takes no more calls. While the receiver is
    /// there, the connection stays open.
    pub(super) fn new(
        mut connection: Connection<T, Bytes>,
        probe: SendRequest<Bytes>,
        closed: ClosedFlag,
    ) -> (Self, oneshot::Receiver<CloseReason>) {
        let (told, reason) = oneshot::channel();
        let keepalive = connection.ping_pong().map(Keepalive::new);
        (Self { connection, keepalive, notifier: Some(CloseNotifier { probe, told, closed }) }, reason)
    }

    fn tell(&mut self, reason: CloseReason) {
        if let Some(notifier) = self.notifier.take() {
            notifier.closed.set();
            // Who does not listen any more need not know.
            let _ = notifier.told.send(reason);
        }
    }

    /// After GOAWAY calls go on, and no other can begin: h2 says so only to who asks.
    fn look(&mut self, cx: &mut Context<'_>) {
        let Some(notifier) = &mut self.notifier else { return };
        if notifier.told.poll_closed(cx).is_ready() {
            self.notifier = None;
        } else if let Poll::Ready(Err(_)) = notifier.probe.poll_ready(cx) {
            self.tell(Ok(()));
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.keepalive.as_mut().is_some_and(|keepalive| keepalive.poll_dead(cx).is_ready()) {
            this.tell(Err("no answer to a keepalive ping"));
            return Poll::Ready(());
        }
        match Pin::new(&mut this.connection).poll(cx) {
            Poll::Ready(end) => {
                this.tell(end.map_err(|error| reason(&error)));
                Poll::Ready(())
            }
            Poll::Pending => {
                this.look(cx);
                Poll::Pending
            }
        }
    }
}
