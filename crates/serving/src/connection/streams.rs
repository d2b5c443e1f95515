//! The streams of one connection, each a task that ends when its peer takes nothing any more.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};

use super::heads::{Heads, Wait};
use crate::{
    context::ServingContext,
    send_buffer::{ReplyBuffer, SendBuffer},
};

/// Rings when patience is over.
pub(crate) type Alarm = Option<Pin<Box<Sleep>>>;

tokio::task_local! {
    static BUFFER: Arc<ReplyBuffer>;
}

/// Runs the streams of one connection for hyper.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    buffer: Arc<SendBuffer>,
    patience: Duration,
    serving: ServingContext,
    /// What HTTP/1 is answering: one call after the other, without tasks of their own. It is over when nobody holds it.
    single: Arc<Mutex<Weak<ReplyBuffer>>>,
}

/// What rings for a connection.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    reply: Alarm,
    head: Alarm,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Over,
    /// Its peer took nothing of a reply.
    ReplyStalled,
    /// Its peer began no request, or did not end the head of one.
    HeadOverdue {
        /// Whether a head has begun.
        in_head: bool,
    },
}

impl Streams {
    pub(crate) fn new(serving: &ServingContext) -> Self {
        Self {
            buffer: Arc::new(SendBuffer::new(serving.budget().clone())),
            patience: serving.settings().write_stall_seconds.0,
            serving: serving.clone(),
            single: Arc::default(),
        }
    }

    /// Where the next reply over HTTP/1 is counted.
    pub(crate) fn next(&self) -> Arc<ReplyBuffer> {
        let buffer = Arc::new(ReplyBuffer::new(self.buffer.clone()));
        *self.single() = Arc::downgrade(&buffer);
        buffer
    }

    /// Whether HTTP/1 is answering: a part of the request or of the reply is still on its way.
    pub(crate) fn is_answering(&self) -> bool {
        self.single().strong_count() > 0
    }

    fn single(&self) -> MutexGuard<'_, Weak<ReplyBuffer>> {
        self.single.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a connection until it ends, or until the patience with its peer does.
    pub(crate) async fn attended<F: Future>(
        &self,
        mut connection: Pin<&mut F>,
        heads: &Heads,
        alarms: &mut Alarms,
    ) -> End {
        poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Over);
            }
            let buffer = self.single().upgrade();
            let is_answering = buffer.is_some();
            if let Some(buffer) = buffer
                && poll_patience(&mut alarms.reply, &buffer, self.patience, context).is_ready()
            {
                return Poll::Ready(End::ReplyStalled);
            }
            poll_head(&mut alarms.head, heads, is_answering, context)
        })
        .await
    }
}

/// Where the reply of the stream that asks is counted.
pub(crate) fn buffer() -> Option<Arc<ReplyBuffer>> {
    BUFFER.try_with(Clone::clone).ok()
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let buffer = Arc::new(ReplyBuffer::new(self.buffer.clone()));
        let (patience, serving) = (self.patience, self.serving.clone());
        tokio::spawn(BUFFER.scope(buffer.clone(), async move {
            // Dropping what hyper made of a stream resets it (h2 sends CANCEL) and frees what it held.
            if !is_taken(pin!(stream), &buffer, patience).await {
                serving.telemetry().instruments.give_up("reply_stalled");
            }
        }));
    }
}

/// Runs a stream to its end; false if its peer took nothing of the reply for too long.
async fn is_taken(mut stream: Pin<&mut impl Future<Output = ()>>, buffer: &ReplyBuffer, patience: Duration) -> bool {
    let mut alarm = None;
    poll_fn(|context| match stream.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => poll_patience(&mut alarm, buffer, patience, context).map(|()| false),
    })
    .await
}

/// Ready when patience is over. There is no alarm as long as the peer has nothing to take, which is most of the time.
fn poll_patience(alarm: &mut Alarm, buffer: &ReplyBuffer, patience: Duration, context: &mut Context<'_>) -> Poll<()> {
    loop {
        let Some(end) = buffer.patience_ends(patience) else {
            *alarm = None;
            return Poll::Pending;
        };
        if end <= Instant::now() {
            return Poll::Ready(());
        }
        let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if alarm.deadline() != end {
            alarm.as_mut().reset(end);
        }
        // If it rings, the peer may have taken something in the meantime.
        ready!(alarm.as_mut().poll(context));
    }
}

/// Ready when the time for a head is over.
fn poll_head(alarm: &mut Alarm, heads: &Heads, is_answering: bool, context: &mut Context<'_>) -> Poll<End> {
    loop {
        let until = match heads.look(is_answering) {
            Wait::Endless => return Poll::Pending,
            Wait::Over { in_head } => return Poll::Ready(End::HeadOverdue { in_head }),
            Wait::Until(until) => until,
        };
        let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // One that rings too early costs a look; to set it anew at every step would cost more.
        if alarm.is_elapsed() || alarm.deadline() > until {
            alarm.as_mut().reset(until);
        }
        ready!(alarm.as_mut().poll(context));
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, Bytes};
    use tokio::time::sleep;

    use super::*;
    use crate::send_buffer::Budget;

    const SECOND: Duration = Duration::from_secs(1);

    fn buffer() -> Arc<ReplyBuffer> {
        Arc::new(ReplyBuffer::new(Arc::new(SendBuffer::new(Arc::new(Budget::new(1000))))))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_reply_has_all_the_time() {
        assert!(is_taken(pin!(sleep(SECOND * 100)), &buffer(), SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let buffer = buffer();
        let mut chunk = buffer.chunk(Bytes::from(vec![0; 10]));
        let slow = async {
            for _ in 0..9 {
                sleep(SECOND / 2).await;
                chunk.advance(1);
            }
        };
        assert!(is_taken(pin!(slow), &buffer, SECOND).await);
        let begun = Instant::now();
        assert!(!is_taken(pin!(std::future::pending()), &buffer, SECOND).await);
        assert!(begun.elapsed() <= SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn no_drip_lasts_longer_than_the_deadline_and_patience() {
        let buffer = buffer();
        let mut chunk = buffer.chunk(Bytes::from(vec![0; 100]));
        buffer.set_complete(Instant::now() + SECOND * 3);
        let drip = async {
            for _ in 0..99 {
                sleep(SECOND / 2).await;
                chunk.advance(1);
            }
        };
        let begun = Instant::now();
        assert!(!is_taken(pin!(drip), &buffer, SECOND).await);
        assert!((SECOND * 4..SECOND * 5).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}
