//! Threads that keep a connection, and every call on it, to themselves.
//!
//! A call at a proxy is a dozen short steps in three tasks. A runtime that shares its tasks between threads wakes another
//! thread at most of them, which costs more than the steps themselves; so a program that only passes calls on
//! (`THREAD_PER_CORE`) has a runtime of one thread for each core, and a connection stays with one of them.

use std::{
    cell::Cell,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

thread_local! {
    static OWN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The threads of a process that serve connections; cheap to clone. They end with the last clone.
#[derive(Clone, Debug, Default)]
pub struct Workers(Option<Arc<Threads>>);

#[derive(Debug)]
struct Threads {
    all: Vec<Worker>,
    /// Threads end when this is gone.
    _alive: watch::Sender<()>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Connections that it serves.
    connections: AtomicUsize,
}

/// One more connection of a worker, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    workers: Workers,
    number: usize,
}

impl Workers {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// What the system says of threads and pollers that it does not give.
    pub fn start(count: usize) -> io::Result<Self> {
        let (alive, _) = watch::channel(());
        let start = |number| Worker::start(number, alive.subscribe());
        let all = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self(Some(Arc::new(Threads { all, _alive: alive }))))
    }

    /// How many there are; one where work runs wherever it was begun.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |threads| threads.all.len())
    }

    /// The number of the thread that asks, if it is one of a process' workers.
    #[must_use]
    pub fn own() -> Option<usize> {
        OWN.get()
    }

    /// The runtime of a worker, counted round and round; where there are none that of the caller.
    ///
    /// # Panics
    /// Outside of a runtime, if there are no workers.
    #[must_use]
    pub fn runtime(&self, number: usize) -> Handle {
        match &self.0 {
            Some(threads) => threads.all[number % threads.all.len()].runtime.clone(),
            None => Handle::current(),
        }
    }

    /// A place for one more connection at the worker that has the fewest.
    pub(crate) fn place(&self) -> ConnectionSlot {
        let number = self.0.as_ref().map_or(0, |threads| threads.take_place());
        ConnectionSlot { workers: self.clone(), number }
    }
}

impl Threads {
    fn take_place(&self) -> usize {
        let busy = |number: &usize| self.all[*number].connections.load(Relaxed);
        let number = (0..self.all.len()).min_by_key(busy).unwrap_or_default();
        self.all[number].connections.fetch_add(1, Relaxed);
        number
    }
}

impl Worker {
    fn start(number: usize, mut alive: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            OWN.set(Some(number));
            // An error says that nobody wants it any more.
            while runtime.block_on(alive.changed()).is_ok() {}
            // What still waits for a blocking task, a name look-up for one, had its time.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, connections: AtomicUsize::new(0) })
    }
}

impl ConnectionSlot {
    /// Where the connection runs.
    pub(crate) fn runtime(&self) -> Handle {
        self.workers.runtime(self.number)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        if let Some(threads) = &self.workers.0 {
            threads.all[self.number].connections.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_go_to_the_worker_that_has_the_fewest_and_stay_there() {
        let workers = Workers::start(2).unwrap();
        let (first, second) = (workers.place(), workers.place());
        assert_eq!((first.number, second.number), (0, 1));
        let third = workers.place();
        drop(second);
        assert_eq!((third.number, workers.place().number), (0, 1));
        for place in [first, third] {
            assert_eq!(place.runtime().spawn(async { Workers::own() }).await.unwrap(), Some(0));
        }
        assert_eq!((Workers::own(), workers.count()), (None, 2));
    }

    #[tokio::test]
    async fn without_workers_work_stays_where_it_was_begun() {
        let workers = Workers::default();
        let place = workers.place();
        let own = place.runtime().spawn(async { (Workers::own(), thread::current().id()) });
        assert_eq!(own.await.unwrap(), (None, thread::current().id()));
        assert_eq!(workers.count(), 1);
    }

    #[tokio::test]
    async fn threads_end_with_their_workers() {
        let workers = Workers::start(1).unwrap();
        let task = workers.runtime(0).spawn(std::future::pending::<()>());
        drop(workers);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
