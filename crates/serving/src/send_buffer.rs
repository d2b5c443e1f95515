//! Replies on their way out: how much memory they take, and whether their peers still take them.
//!
//! A chunk of a reply counts from the moment it is made until its last byte is handed to the socket, wherever in hyper and
//! h2 it lies in between. Three sums are kept: of the process ([`Budget`]), of the connection ([`SendBuffer`]) and of the one
//! reply ([`ReplyBuffer`]), which also knows when its peer last took something.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::time::Instant;

/// What a connection may hold unsent without its replies being waited for: they are done faster, and this much is bounded.
const UNWATCHED: usize = 64 << 10;

/// What the replies of a process hold.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicUsize,
    max: usize,
}

/// What the replies of a connection hold.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    budget: Arc<Budget>,
    unsent: AtomicUsize,
}

/// What one reply holds, and since when its peer has taken nothing.
#[derive(Debug)]
pub(crate) struct ReplyBuffer {
    connection: Arc<SendBuffer>,
    unsent: AtomicUsize,
    begun: Instant,
    /// Milliseconds after `begun`; counts only while something is unsent.
    moved: AtomicU64,
    /// When it should all be made, if there is such a time; a peer then has no more than its patience left.
    complete: OnceLock<Instant>,
    waiting: Mutex<Option<Waker>>,
}

/// A part of a reply.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Bytes,
    buffer: Arc<ReplyBuffer>,
}

/// A part of a reply that somebody still works on.
#[derive(Debug)]
struct Held {
    bytes: Bytes,
    budget: Arc<Budget>,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { taken: AtomicUsize::new(0), max }
    }

    /// Bytes of replies that are not sent yet.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether nothing more should be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.taken() >= self.max
    }
}

impl SendBuffer {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, unsent: AtomicUsize::new(0) }
    }
}

impl ReplyBuffer {
    pub(crate) fn new(connection: Arc<SendBuffer>) -> Self {
        Self {
            connection,
            unsent: AtomicUsize::new(0),
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            complete: OnceLock::new(),
            waiting: Mutex::new(None),
        }
    }

    /// A reply on a connection of its own, where nobody serves one.
    pub(crate) fn alone(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self::new(Arc::new(SendBuffer::new(budget.clone()))))
    }

    /// Whether so many bytes more are within the limit of the process. What must be sent is sent all the same.
    pub(crate) fn has_room_for(&self, length: usize) -> bool {
        let budget = &self.connection.budget;
        budget.taken().saturating_add(length) <= budget.max
    }

    /// Counts bytes until they are sent.
    pub(crate) fn chunk(self: &Arc<Self>, bytes: Bytes) -> Chunk {
        let length = bytes.len();
        self.connection.budget.taken.fetch_add(length, Ordering::Relaxed);
        self.connection.unsent.fetch_add(length, Ordering::Relaxed);
        if self.unsent.fetch_add(length, Ordering::AcqRel) == 0 {
            self.note_move();
        }
        Chunk { bytes, buffer: self.clone() }
    }

    /// Notes when the reply must be complete.
    pub(crate) fn set_complete(&self, deadline: Instant) {
        let _ = self.complete.set(deadline);
    }

    /// When the peer is given up unless it takes something; `None` while there is nothing to take.
    pub(crate) fn patience_ends(&self, patience: Duration) -> Option<Instant> {
        let moved = self.begun + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let from = self.complete.get().map_or(moved, |complete| moved.min(*complete));
        (self.unsent.load(Ordering::Acquire) > 0).then(|| from + patience)
    }

    /// Ready when the reply may be ended: all of it is sent, or so little is left on the connection that it does not matter.
    ///
    /// h2 has no handle on a stream that is ended, even if its data is still waiting for a window that may never open.
    pub(crate) fn poll_sent(&self, context: &Context<'_>) -> Poll<()> {
        if self.is_done() {
            return Poll::Ready(());
        }
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        // The last byte may have gone in between.
        if self.is_done() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_done(&self) -> bool {
        self.unsent.load(Ordering::Acquire) == 0 || self.connection.unsent.load(Ordering::Relaxed) <= UNWATCHED
    }

    fn note_move(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(millis, Ordering::Relaxed);
    }

    fn sent(&self, length: usize) {
        if length == 0 {
            return;
        }
        self.note_move();
        self.connection.budget.taken.fetch_sub(length, Ordering::Relaxed);
        self.connection.unsent.fetch_sub(length, Ordering::Relaxed);
        if self.unsent.fetch_sub(length, Ordering::AcqRel) == length
            && let Some(waker) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }
}

impl Chunk {
    /// The bytes for somebody who makes something else of them: they no longer count as a reply, but still as memory.
    pub(crate) fn held(self) -> Bytes {
        let budget = self.buffer.connection.budget.clone();
        budget.taken.fetch_add(self.bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Held { bytes: self.bytes.clone(), budget })
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.buffer.sent(count);
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.buffer.sent(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn buffer(max: usize) -> (Arc<Budget>, Arc<ReplyBuffer>) {
        let budget = Arc::new(Budget::new(max));
        (budget.clone(), Arc::new(ReplyBuffer::new(Arc::new(SendBuffer::new(budget)))))
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_sent_or_dropped() {
        let (budget, buffer) = buffer(1000);
        let mut chunk = buffer.chunk(Bytes::from(vec![0; 900]));
        assert!(buffer.has_room_for(100) && !buffer.has_room_for(101) && !budget.is_full());
        chunk.advance(400);
        assert_eq!(budget.taken(), 500);
        let second = buffer.chunk(Bytes::from(vec![0; 500]));
        assert!(budget.is_full());
        drop((chunk, second));
        assert_eq!((budget.taken(), buffer.patience_ends(Duration::ZERO)), (0, None));
    }

    #[tokio::test]
    async fn what_is_worked_on_counts_as_memory_and_not_as_unsent() {
        let (budget, buffer) = buffer(1000);
        let bytes = buffer.chunk(Bytes::from_static(b"reply")).held();
        assert_eq!((&*bytes, budget.taken()), (&b"reply"[..], 5));
        assert_eq!(buffer.patience_ends(Duration::ZERO), None);
        drop(bytes);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_begins_anew_with_every_byte_that_is_taken() {
        let (_, buffer) = buffer(1000);
        let second = Duration::from_secs(1);
        tokio::time::advance(second).await;
        let mut chunk = buffer.chunk(Bytes::from(vec![0; 10]));
        assert_eq!(buffer.patience_ends(second), Some(Instant::now() + second));
        tokio::time::advance(second * 2).await;
        assert_eq!(buffer.patience_ends(second), Some(Instant::now() - second));
        chunk.advance(1);
        assert_eq!(buffer.patience_ends(second), Some(Instant::now() + second));
    }

    #[tokio::test]
    async fn only_a_large_reply_is_waited_for() {
        let (_, buffer) = buffer(1 << 20);
        let context = Context::from_waker(Waker::noop());
        let small = buffer.chunk(Bytes::from(vec![0; UNWATCHED]));
        assert!(buffer.poll_sent(&context).is_ready());
        let large = buffer.chunk(Bytes::from(vec![0; 1]));
        assert!(buffer.poll_sent(&context).is_pending());
        drop((small, large));
        assert!(buffer.poll_sent(&context).is_ready());
    }
}
