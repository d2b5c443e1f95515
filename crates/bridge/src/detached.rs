//! A write under way: it is polled by whoever waits for it, and goes on in a task of its own when nobody does any more.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use crate::fault::{Fault, Kind, Outcome};

type Work<R> = Pin<Box<dyn Future<Output = Result<R, Fault>> + Send>>;

/// Says whether the one who asked for a write has gone away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker(Arc<AtomicBool>);

/// A write whose asker may go away; a task from the beginning would cost every write what only those need.
pub(crate) struct DetachedWrite<R: Send + 'static> {
    work: Option<Work<R>>,
    asker: Asker,
    has_begun: bool,
}

impl Asker {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<R: Send + 'static> DetachedWrite<R> {
    /// Begins a write; `asker` tells it whether it has been left alone.
    pub(crate) fn new(asker: Asker, work: impl Future<Output = Result<R, Fault>> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)), asker, has_begun: false }
    }
}

impl<R: Send + 'static> Future for DetachedWrite<R> {
    type Output = Result<R, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.has_begun = true;
        let Some(work) = &mut self.work else { return Poll::Ready(Err(lost())) };
        // A panic leaves it open what has happened, which the caller must be told of a write.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(_) => Err(lost()),
        };
        self.work = None;
        Poll::Ready(result)
    }
}

impl<R: Send + 'static> Drop for DetachedWrite<R> {
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.has_begun) else { return };
        self.asker.0.store(true, Ordering::Relaxed);
        // Without a runtime the process has ended.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }
}

fn lost() -> Fault {
    Fault::new(Kind::Unreadable, Outcome::Unknown, "INTERNAL", "the write ended without a result")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        sync::oneshot,
        time::{sleep, timeout},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_is_left_alone_goes_on_and_knows_it() {
        let (done, end) = oneshot::channel();
        let asker = Asker::default();
        let alone = asker.clone();
        let write = DetachedWrite::new(asker, async move {
            sleep(Duration::from_secs(2)).await;
            let _ = done.send(alone.is_gone());
            Ok(())
        });
        assert!(timeout(Duration::from_secs(1), write).await.is_err());
        assert!(end.await.unwrap());
    }

    #[tokio::test]
    async fn a_write_that_nobody_began_does_not_begin_by_itself() {
        let (done, end) = oneshot::channel::<()>();
        drop(DetachedWrite::new(Asker::default(), async move {
            let _ = done.send(());
            Ok(())
        }));
        assert!(end.await.is_err());
    }

    #[tokio::test]
    async fn a_write_that_is_waited_for_is_never_alone() {
        let asker = Asker::default();
        let alone = asker.clone();
        let write = DetachedWrite::new(asker.clone(), async move { Ok(alone.is_gone()) });
        assert!(!write.await.unwrap() && !asker.is_gone());
    }

    #[tokio::test]
    async fn a_write_that_panics_is_of_unknown_outcome() {
        let write = DetachedWrite::<()>::new(Asker::default(), async { panic!("an error in the program") });
        assert_eq!(write.await.unwrap_err().outcome(), Outcome::Unknown);
    }
}
