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

use super::{pulse::Pulse, reason};

/// How a connection came to take no more calls: in order, or for what reason. Calls that are on it may go on.
pub(super) type Over = Result<(), &'static str>;

/// Whether a connection takes no more calls; its keeper hears of it a little later than the calls that meet with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Closed(Arc<AtomicBool>);

/// The work of one connection; it ends with its last call once nobody can begin another.
pub(super) struct Driver<T> {
    connection: Connection<T, Bytes>,
    pulse: Option<Pulse>,
    keeper: Option<Keeper>,
}

/// Whoever wants to know when it takes no more calls.
struct Keeper {
    /// A sender that asks and never sends.
    probe: SendRequest<Bytes>,
    told: oneshot::Sender<Over>,
    closed: Closed,
}

impl Closed {
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
        closed: Closed,
    ) -> (Self, oneshot::Receiver<Over>) {
        let (told, over) = oneshot::channel();
        let pulse = connection.ping_pong().map(Pulse::new);
        (Self { connection, pulse, keeper: Some(Keeper { probe, told, closed }) }, over)
    }

    fn tell(&mut self, over: Over) {
        if let Some(keeper) = self.keeper.take() {
            keeper.closed.set();
            // Who does not listen any more need not know.
            let _ = keeper.told.send(over);
        }
    }

    /// After GOAWAY calls go on, and no other can begin: h2 says so only to who asks.
    fn look(&mut self, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.told.poll_closed(cx).is_ready() {
            self.keeper = None;
        } else if let Poll::Ready(Err(_)) = keeper.probe.poll_ready(cx) {
            self.tell(Ok(()));
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.pulse.as_mut().is_some_and(|pulse| pulse.poll_dead(cx).is_ready()) {
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
