//! The thread that writes the audit log.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use protocol::redact::Describe;
use serde::Serialize;
use serde_json::Value as Json;
use serving::{Facts, RecordPlace, now};

use super::{Change, Entry, Finished, Health, Losses, file::RotatedFile};

/// How long what was written may stay off the disk.
const SYNC: Duration = Duration::from_secs(1);
/// How often a log that could not be written is tried again, if nobody wants to write.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a file that cannot be written is worth a line.
const SELDOM: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct CallLine<'a> {
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

/// The end of the file as a process left it that died while it wrote.
#[derive(Serialize)]
struct Torn {
    time: String,
    process: &'static str,
    torn: String,
}

/// The thread that writes.
pub(super) struct Writer {
    process: &'static str,
    file: RotatedFile,
    describe: Arc<dyn Describe>,
    losses: Losses,
    health: Health,
    /// Lines that must not be lost and could not be written yet, with the places of their calls.
    owed: VecDeque<(Vec<u8>, Option<RecordPlace>)>,
    unsynced_since: Option<Instant>,
    failing: Failing,
    complained: Option<Instant>,
}

/// What did not work when it was last tried.
#[derive(Debug, Default)]
struct Failing {
    write: bool,
    sync: bool,
}

impl Writer {
    pub(super) fn new(
        process: &'static str,
        file: RotatedFile,
        describe: Arc<dyn Describe>,
        losses: Losses,
        health: Health,
    ) -> Self {
        let owed = VecDeque::new();
        Self {
            process,
            file,
            describe,
            losses,
            health,
            owed,
            unsynced_since: None,
            failing: Failing::default(),
            complained: None,
        }
    }

    pub(super) fn run(mut self, entries: &Receiver<Entry>, torn: Option<String>) {
        if let Some(torn) = torn {
            let line = Torn { time: now(), process: self.process, torn };
            self.owe(&line, None);
        }
        loop {
            match entries.recv_timeout(self.patience()) {
                Ok(entry) => self.take(entry),
                Err(RecvTimeoutError::Timeout) => self.catch_up(),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
    }

    fn patience(&self) -> Duration {
        match self.unsynced_since {
            _ if !self.health.is_good() => AGAIN,
            Some(since) => SYNC.saturating_sub(since.elapsed()),
            None => Duration::MAX,
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begin(intent, done, _place) => {
                let written = self.line(&*intent) && self.health.is_good();
                // Who does not wait any more has been told no.
                let _ = done.send(written);
            }
            Entry::Call(call, place) => self.call(*call, place),
            Entry::Change(time, change, _place) => {
                let line = ChangeLine { time: &time, process: self.process, change: &change };
                self.line_or_loss(&line);
            }
            Entry::End(done) => {
                self.end();
                let _ = done.send(());
            }
        }
    }

    fn call(&mut self, Finished { facts, request, is_announced }: Finished, place: RecordPlace) {
        let request =
            request.and_then(|bytes| self.describe.redactor(&facts.method)?.request(&facts.method, &bytes).ok());
        let line = CallLine { facts: &facts, request };
        match is_announced {
            true => self.owe(&line, Some(place)),
            false => self.line_or_loss(&line),
        }
    }

    /// Writes a line that must not be lost, now or as soon as it can be written.
    fn owe(&mut self, line: &impl Serialize, place: Option<RecordPlace>) {
        if let Some(line) = self.serialized(line) {
            self.owed.push_back((line, place));
            self.pay();
        }
    }

    fn line_or_loss(&mut self, line: &impl Serialize) {
        if !self.line(line) {
            self.losses.add(1);
        }
    }

    /// Writes a line behind all that is owed; whether it is written.
    fn line(&mut self, line: &impl Serialize) -> bool {
        let Some(line) = self.serialized(line) else { return false };
        self.pay() && self.write(&line)
    }

    /// Writes what is owed, and what is not on the disk yet.
    fn catch_up(&mut self) {
        if self.pay() {
            self.sync();
        }
    }

    /// Writes what is owed, and says where records are missing; whether that is done.
    fn pay(&mut self) -> bool {
        while let Some((line, place)) = self.owed.pop_front() {
            if !self.write(&line) {
                self.owed.push_front((line, place));
                return false;
            }
        }
        let unsaid = self.losses.unsaid.swap(0, Relaxed);
        let gap = (unsaid > 0).then(|| Gap { time: now(), process: self.process, lost: unsaid });
        let is_said = gap.and_then(|gap| self.serialized(&gap)).is_none_or(|line| self.write(&line));
        if !is_said {
            self.losses.unsaid.fetch_add(unsaid, Relaxed);
        }
        is_said
    }

    fn serialized(&self, line: &impl Serialize) -> Option<Vec<u8>> {
        serde_json::to_vec(line).ok()
    }

    fn write(&mut self, line: &[u8]) -> bool {
        let written = self.file.write(line);
        self.failing.write = written.is_err();
        if written.is_ok() {
            self.unsynced_since = self.unsynced_since.or_else(|| Some(Instant::now()));
        }
        self.note(written)
    }

    fn sync(&mut self) {
        if self.unsynced_since.is_some() {
            let synced = self.file.sync();
            self.failing.sync = synced.is_err();
            self.unsynced_since = synced.is_err().then(Instant::now);
            self.note(synced);
        }
    }

    /// Notes how a try went: it is said once that the log cannot be written, then now and then, and once that it can.
    fn note(&mut self, tried: io::Result<()>) -> bool {
        let is_good = !self.failing.write && !self.failing.sync;
        let is_news = self.health.set(is_good);
        let process = self.process;
        match &tried {
            Ok(()) if is_news && is_good => tracing::warn!(process, "the audit log can be written again"),
            Err(error) if is_news || self.complained.is_none_or(|then| then.elapsed() >= SELDOM) => {
                self.complained = Some(Instant::now());
                tracing::error!(process, %error, "the audit log cannot be written");
            }
            _ => {}
        }
        tried.is_ok()
    }

    fn end(&mut self) {
        self.catch_up();
        if !self.owed.is_empty() {
            let (process, lost) = (self.process, self.owed.len());
            tracing::error!(process, lost, "records are in no audit log: it cannot be written");
            self.losses.add(lost as u64);
            self.owed.clear();
        }
    }
}
