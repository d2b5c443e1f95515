//! Drives an open connection: its frames, its pings, and the notice that it takes no more calls.

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

/// Why a connection takes no more calls: in order, or with this error. Open calls may continue.
pub(super) type CloseReason = Result<(), &'static str>;

/// Whether a connection takes no more calls; calls that run into it notice before its task does.
#[derive(Clone, Debug, Default)]
pub(super) struct ClosedFlag(Arc<AtomicBool>);

/// Drives one connection; it ends with the last call once no other can begin.
pub(super) struct Driver<T> {
    connection: Connection<T, Bytes>,
    keepalive: Option<Keepalive>,
    notifier: Option<CloseNotifier>,
}

/// Notifies the task that keeps the connection.
struct CloseNotifier {
    /// A sender that is only polled.
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
    /// Takes over a connection after its handshake; the receiver resolves when it takes no more calls. While the receiver
    /// exists, the connection stays open.
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
            // The receiver may be gone.
            let _ = notifier.told.send(reason);
        }
    }

    /// After GOAWAY, open calls continue and no new one can begin; h2 says so only when polled.
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
