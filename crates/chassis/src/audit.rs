//! The audit log: one JSON line for every call that may have changed something, in a file of its own.
//!
//! A call puts its record into a queue and goes on; a thread writes. With `on_loss = "count"` a record that finds no place or
//! cannot be written is lost: it is counted in `ispbridge.audit.lost`, and a line `{"time":...,"process":...,"lost":n}` in
//! the log itself says so where records are missing. With `on_loss = "refuse"` a write is first announced by a line with
//! `"kind":"begin"`, and goes on when that line is in the file; if it cannot be written the call is refused. The record of a
//! call that was announced is then kept until it can be written.
//!
//! What is written goes to the system at once and to the disk (`fdatasync`) at most a second later, when a file is full, and
//! at the end of the process: a process that dies loses what is in the queue, a machine that dies the last second.

mod file;
mod writer;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use bytes::Bytes;
use config::{Error, said_of_file};
use http::{Extensions, HeaderMap};
use opentelemetry::{
    metrics::{Counter, Meter},
    trace::{TraceContextExt, TraceId},
};
use protocol::CallContext;
use protocol::{names, provider, redact::Describe};
use serde::Serialize;
use serde_json::Value as Json;
use serving::{CallNotes, CallObserver, CompletedCall, Facts, RecordPlace, now, request_id};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout},
};

use self::{file::RotatedFile, writer::Writer};
use crate::settings::{AuditSettings, OnLoss};

/// Records that may wait; with the largest request that is kept they take 16 MiB.
const WAITING: usize = 1024;
/// How long a call waits to be announced: a disk that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way into the log.
#[derive(Debug)]
pub(crate) struct Audit {
    queue: Sender<Entry>,
    /// Places for records that are not written yet.
    places: Arc<Semaphore>,
    losses: Losses,
    health: Health,
    on_loss: OnLoss,
}

/// Records that are in no file.
#[derive(Clone, Debug)]
struct Losses {
    all: Counter<u64>,
    /// Those that the log itself does not speak of yet.
    unsaid: Arc<AtomicU64>,
}

/// Whether the log could be written when it was last tried.
#[derive(Clone, Debug, Default)]
struct Health(Arc<AtomicBool>);

/// What is known of a call before it is sent.
#[derive(Debug, Serialize)]
pub(crate) struct Intent {
    pub(crate) time: String,
    pub(crate) process: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) provider: Option<String>,
    pub(crate) method: String,
    pub(crate) principal: Option<String>,
    pub(crate) authentication: Option<&'static str>,
    pub(crate) account: Option<String>,
    pub(crate) request_id: String,
    pub(crate) trace_id: Option<String>,
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

/// A call that has ended.
#[derive(Debug)]
struct Finished {
    facts: Facts,
    request: Option<Bytes>,
    is_announced: bool,
}

#[derive(Debug)]
enum Entry {
    /// Told whether it is written.
    Begin(Box<Intent>, oneshot::Sender<bool>, RecordPlace),
    Call(Box<Finished>, RecordPlace),
    /// Since when a change counts.
    Change(String, Box<Change>, RecordPlace),
    End(oneshot::Sender<()>),
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
        let (file, torn) =
            RotatedFile::open(path, settings.max_bytes, settings.keep).map_err(|error| unwritable(&error))?;
        let (losses, health) = (Losses::new(meter), Health::new(meter));
        let (queue, entries) = channel();
        let writer = Writer::new(process, file, describe, losses.clone(), health.clone());
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || writer.run(&entries, torn)).map_err(Error::program)?;
        let places = Arc::new(Semaphore::new(WAITING));
        Ok(Some(Self { queue, places, losses, health, on_loss: settings.on_loss }))
    }

    /// Announces a write before it is sent, if writes need the log; an error if it may not go on. That is told before the
    /// call's deadline has passed, after which nobody could say that nothing was sent.
    pub(crate) async fn announce(
        &self,
        deadline: Instant,
        intent: impl FnOnce() -> Intent,
    ) -> Result<Option<RecordPlace>, Unaudited> {
        if self.on_loss == OnLoss::Count {
            return Ok(None);
        }
        let place = self.place().ok_or(Unaudited)?;
        let (done, told) = oneshot::channel();
        self.queue.send(Entry::Begin(Box::new(intent()), done, place.clone())).map_err(|_| Unaudited)?;
        let left = deadline.saturating_duration_since(Instant::now()) * 9 / 10;
        match timeout(left.min(PATIENCE), told).await {
            Ok(Ok(true)) => Ok(Some(place)),
            _ => Err(Unaudited),
        }
    }

    fn place(&self) -> Option<RecordPlace> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Arc::new)
    }

    /// Whether the log could be written when it was last tried.
    pub(crate) fn is_written(&self) -> bool {
        self.health.is_good()
    }

    /// What becomes of writes while it cannot be.
    pub(crate) fn on_loss(&self) -> OnLoss {
        self.on_loss
    }

    /// Writes a change of the process itself down.
    pub(crate) fn changed(&self, change: Change) {
        self.put(self.place(), |place| Entry::Change(now(), Box::new(change), place));
    }

    fn put(&self, place: Option<RecordPlace>, entry: impl FnOnce(RecordPlace) -> Entry) {
        let sent = place.is_some_and(|place| self.queue.send(entry(place)).is_ok());
        if !sent {
            self.losses.add(1);
        }
    }

    /// Waits until everything is on the disk.
    pub(crate) async fn end(&self, limit: Duration) {
        let (done, end) = oneshot::channel();
        // A thread that is gone has nothing left to write.
        let _ = self.queue.send(Entry::End(done));
        let _ = timeout(limit, end).await;
    }
}

/// The audit log cannot be written, and the call needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unaudited;

/// Says whether the log can be written, and writes nothing.
pub(crate) fn check(settings: &AuditSettings) -> Result<(), Error> {
    let path = settings.file.as_deref();
    path.map_or(Ok(()), file::check).map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Error {
    Error::config("audit.file", format!("must be a file that can be written: {}", said_of_file(error)))
}

impl CallObserver for Audit {
    fn wants_messages(&self, writes: bool) -> bool {
        writes
    }

    fn ended(&self, call: &CompletedCall<'_>) {
        if call.writes {
            let place = call.announced.cloned().or_else(|| self.place());
            self.put(place, |place| Entry::Call(Box::new(Finished::of(call)), place));
        }
    }
}

impl Intent {
    /// What the layers know of a call so far.
    pub(crate) fn of(
        process: &'static str,
        path: &str,
        headers: &HeaderMap,
        extensions: &Extensions,
        notes: &CallNotes,
    ) -> Self {
        let own = |text: &str| text.to_owned();
        let method = path.trim_start_matches('/');
        let trace_id = CallContext::of(extensions).trace.span().span_context().trace_id();
        Self {
            time: now(),
            process,
            kind: "begin",
            provider: method.rsplit_once('/').and_then(|(service, _)| provider::of_name(service)),
            method: own(method),
            principal: notes.principal().map(own),
            authentication: notes.authentication(),
            account: notes.account().map(own),
            request_id: own(request_id(headers)),
            trace_id: (trace_id != TraceId::INVALID).then(|| trace_id.to_string()),
        }
    }
}

impl Finished {
    fn of(call: &CompletedCall<'_>) -> Self {
        Self { facts: call.facts(), request: call.request(), is_announced: call.announced.is_some() }
    }
}

impl Losses {
    fn new(meter: &Meter) -> Self {
        let all = meter.u64_counter(names::AUDIT_LOST).with_description("Records that are in no audit log").build();
        Self { all, unsaid: Arc::default() }
    }

    fn add(&self, count: u64) {
        self.unsaid.fetch_add(count, Relaxed);
        self.all.add(count, &[]);
    }
}

impl Health {
    fn new(meter: &Meter) -> Self {
        let health = Self(Arc::new(AtomicBool::new(true)));
        let seen = health.clone();
        meter
            .u64_observable_gauge(names::AUDIT_WRITTEN)
            .with_description("Whether the audit log could be written when it was last tried: 1 or 0")
            .with_callback(move |gauge| gauge.observe(u64::from(seen.is_good()), &[]))
            .build();
        health
    }

    fn is_good(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Notes how a try went; whether that is news.
    fn set(&self, is_good: bool) -> bool {
        self.0.swap(is_good, Relaxed) != is_good
    }
}

#[cfg(test)]
mod tests;
