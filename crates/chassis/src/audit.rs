//! The audit log: one JSON line for every call that may have changed something, in a file of its own.
//!
//! A call puts its record into a queue and goes on; a thread writes. If the queue is full the record is lost: it is
//! counted in `ispbridge.audit.lost`, and a line `{"time":...,"process":...,"lost":n}` in the log itself says so where
//! records are missing. What is written goes to the system at once and to the disk (`fdatasync`) at most a second later,
//! when a file is full, and at the end of the process: a process that dies loses what is in the queue, a machine that dies
//! the last second.

mod file;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use opentelemetry::metrics::{Counter, Meter};
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use self::file::RotatedFile;
use crate::{
    AuditSettings, Error,
    ended::{Ended, Facts, Watch, now},
    names,
    redact::Describe,
};

/// Records that may wait; with the largest request that is kept they take 16 MiB.
const WAITING: usize = 1024;
/// How long what was written may stay off the disk.
const SYNC: Duration = Duration::from_secs(1);
/// How often a file that cannot be written is worth a line.
const SELDOM: Duration = Duration::from_secs(60);

/// The way into the log.
#[derive(Debug)]
pub(crate) struct Audit {
    queue: SyncSender<Entry>,
    losses: Losses,
}

/// Records that are in no file.
#[derive(Clone, Debug)]
struct Losses {
    all: Counter<u64>,
    /// Those that the log itself does not speak of yet.
    unsaid: Arc<AtomicU64>,
}

/// A change that the process made to itself.
#[derive(Debug, Serialize)]
pub struct Change {
    /// What was changed, e.g. `keys`.
    pub kind: &'static str,
    /// On whose word.
    pub actor: String,
    /// As it was, without a secret.
    pub before: Json,
    /// As it is now, without a secret.
    pub after: Json,
}

#[derive(Debug)]
enum Entry {
    Call(Box<Facts>, Option<Bytes>),
    /// Since when a change counts.
    Change(String, Box<Change>),
    End(oneshot::Sender<()>),
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    facts: &'a Facts,
    /// The request with its sensitive fields blackened; absent where it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Json>,
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    time: &'a str,
    process: &'static str,
    #[serde(flatten)]
    change: &'a Change,
}

#[derive(Serialize)]
struct Gap {
    time: String,
    process: &'static str,
    lost: u64,
}

/// The thread that writes.
struct Writer {
    process: &'static str,
    file: RotatedFile,
    describe: Arc<dyn Describe>,
    losses: Losses,
    unsynced_since: Option<Instant>,
    complained: Option<Instant>,
}

impl Audit {
    /// Opens the log; nothing if no file is configured.
    pub(crate) fn open(
        process: &'static str,
        settings: &AuditSettings,
        meter: &Meter,
        describe: Arc<dyn Describe>,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = &settings.file else {
            return Ok(None);
        };
        let file = RotatedFile::open(path, settings.max_bytes, settings.keep)
            .map_err(|error| Error::config("audit.file", format!("cannot be written: {}", error.kind())))?;
        let all = meter.u64_counter(names::AUDIT_LOST).with_description("Records that are in no audit log").build();
        let losses = Losses { all, unsaid: Arc::default() };
        let (queue, entries) = sync_channel(WAITING);
        let writer = Writer { process, file, describe, losses: losses.clone(), unsynced_since: None, complained: None };
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || writer.run(&entries)).map_err(Error::program)?;
        Ok(Some(Self { queue, losses }))
    }

    /// Writes a change of the process itself down.
    pub(crate) fn changed(&self, change: Change) {
        self.put(Entry::Change(now(), Box::new(change)));
    }

    fn put(&self, entry: Entry) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(entry) {
            self.losses.add();
        }
    }

    /// Waits until everything is on the disk.
    pub(crate) async fn end(&self, limit: Duration) {
        let (done, end) = oneshot::channel();
        let queue = self.queue.clone();
        // The queue may be full: whoever waits for a place in it must not be a worker.
        std::thread::spawn(move || queue.send(Entry::End(done)));
        let _ = tokio::time::timeout(limit, end).await;
    }
}

impl Watch for Audit {
    fn ended(&self, call: &Ended<'_>) {
        if !call.writes {
            return;
        }
        self.put(Entry::Call(Box::new(call.facts()), call.request()));
    }
}

impl Losses {
    fn add(&self) {
        self.unsaid.fetch_add(1, Relaxed);
        self.all.add(1, &[]);
    }
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            let patience = self.unsynced_since.map_or(Duration::MAX, |since| SYNC.saturating_sub(since.elapsed()));
            match entries.recv_timeout(patience) {
                Ok(Entry::Call(facts, request)) => self.write(&facts, request),
                Ok(Entry::Change(time, change)) => self.write_change(&time, &change),
                Ok(Entry::End(done)) => {
                    self.sync();
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            }
            if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
    }

    /// Says where records are missing.
    fn write_gap(&mut self) {
        let unsaid = self.losses.unsaid.swap(0, Relaxed);
        if unsaid > 0 && !self.line(&Gap { time: now(), process: self.process, lost: unsaid }) {
            self.losses.unsaid.fetch_add(unsaid, Relaxed);
        }
    }

    fn write_change(&mut self, time: &str, change: &Change) {
        self.write_gap();
        if !self.line(&ChangeLine { time, process: self.process, change }) {
            self.losses.add();
        }
    }

    fn write(&mut self, facts: &Facts, request: Option<Bytes>) {
        self.write_gap();
        let request =
            request.and_then(|bytes| self.describe.redactor(&facts.method)?.request(&facts.method, &bytes).ok());
        if !self.line(&Line { facts, request }) {
            self.losses.add();
        }
    }

    /// Whether the line is written.
    fn line(&mut self, line: &impl Serialize) -> bool {
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|line| self.file.write(&line));
        match &written {
            Ok(()) => self.unsynced_since = self.unsynced_since.or_else(|| Some(Instant::now())),
            Err(error) => self.complain(error),
        }
        written.is_ok()
    }

    fn sync(&mut self) {
        if self.unsynced_since.take().is_some()
            && let Err(error) = self.file.sync()
        {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &std::io::Error) {
        if self.complained.is_none_or(|then| then.elapsed() >= SELDOM) {
            self.complained = Some(Instant::now());
            tracing::error!(process = self.process, %error, "the audit log cannot be written");
        }
    }
}

#[cfg(test)]
mod tests;
