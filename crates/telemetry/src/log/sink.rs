//! Where log lines go: a line about a call that went well waits a moment for company, trouble is written at once and takes
//! along what waits, so that the order stays. A write for each call would cost as much as a small part of the call itself.

use std::{
    fs::File,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits; a process that is killed loses no more than that.
const HOLD: Duration = Duration::from_millis(20);
/// Bytes that may wait; who adds more writes them himself.
const MOST: usize = 64 << 10;

/// Writes whole lines to a file in the order in which they come.
#[derive(Clone, Debug)]
pub struct Sink(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Taken before `held` by whoever writes: what was taken out first is written first.
    file: Mutex<File>,
    held: Mutex<Held>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    lines: Vec<u8>,
    /// Whether anybody writes what waits.
    is_kept: bool,
}

/// As long as it lives lines may wait; its end writes them, and later ones are written at once.
#[derive(Debug)]
#[must_use]
pub struct Keeper(Sink);

/// A line on its way.
#[derive(Debug)]
pub struct Entry<'a> {
    sink: &'a Sink,
    at_once: bool,
}

impl Sink {
    pub(super) fn new(file: File) -> Self {
        Self(Arc::new(Shared { file: Mutex::new(file), held: Mutex::default(), filled: Condvar::new() }))
    }

    /// Lets lines wait from now on.
    /// Lets lines wait for company as long as the keeper lives.
    ///
    /// # Errors
    /// A thread that the system does not give.
    pub fn keep(&self) -> io::Result<Keeper> {
        let (keeper, sink) = (Keeper(self.clone()), self.clone());
        self.held().is_kept = true;
        thread::Builder::new().name("log".to_owned()).spawn(move || while sink.write_next() {})?;
        Ok(keeper)
    }

    fn add(&self, line: &[u8], at_once: bool) -> io::Result<()> {
        let mut held = self.held();
        let is_first = held.lines.is_empty();
        held.lines.extend_from_slice(line);
        let is_due = at_once || !held.is_kept || held.lines.len() > MOST;
        drop(held);
        match is_due {
            true => self.write(),
            false if is_first => {
                self.0.filled.notify_one();
                Ok(())
            }
            false => Ok(()),
        }
    }

    fn write(&self) -> io::Result<()> {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut self.held().lines);
        file.write_all(&lines)
    }

    /// Waits for a line and a moment longer, and writes; false if that is over.
    fn write_next(&self) -> bool {
        let empty = |held: &mut Held| held.lines.is_empty() && held.is_kept;
        let held = self.0.filled.wait_while(self.held(), empty).unwrap_or_else(PoisonError::into_inner);
        if !held.is_kept {
            return false;
        }
        drop(held);
        thread::sleep(HOLD);
        // A log that cannot be written has nobody to tell.
        let _ = self.write();
        true
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.held().is_kept = false;
        self.0.0.filled.notify_all();
        // As above.
        let _ = self.0.write();
    }
}

impl Write for Entry<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.add(line, self.at_once).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.write()
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Entry<'a>;

    fn make_writer(&'a self) -> Entry<'a> {
        Entry { sink: self, at_once: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Entry<'a> {
        Entry { sink: self, at_once: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::NamedTempFile;

    use super::*;

    fn sink() -> (Sink, impl Fn() -> String) {
        let file = NamedTempFile::new().unwrap();
        let sink = Sink::new(file.reopen().unwrap());
        (sink, move || fs::read_to_string(file.path()).unwrap())
    }

    #[test]
    fn a_line_is_written_at_once_if_nobody_keeps_it() {
        let (sink, text) = sink();
        sink.add(b"one\n", false).unwrap();
        assert_eq!(text(), "one\n");
    }

    #[test]
    fn trouble_takes_along_what_waits_and_the_end_leaves_nothing() {
        let (sink, text) = sink();
        let keeper = sink.keep().unwrap();
        sink.add(b"well\n", false).unwrap();
        sink.add(b"trouble\n", true).unwrap();
        assert_eq!(text(), "well\ntrouble\n");
        sink.add(b"last\n", false).unwrap();
        drop(keeper);
        assert_eq!(text(), "well\ntrouble\nlast\n");
        sink.add(b"after\n", false).unwrap();
        assert!(text().ends_with("last\nafter\n"));
    }

    #[test]
    fn what_waits_is_written_by_itself_whole_and_in_order() {
        let (sink, text) = sink();
        let _keeper = sink.keep().unwrap();
        let line = |number: usize| format!("{number:0100}\n");
        let expected: String = (0..3000).map(line).collect();
        for number in 0..3000 {
            sink.add(line(number).as_bytes(), false).unwrap();
        }
        // Ends as soon as all is there; the limit is only for a machine that stands still.
        let there = (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            text().len() >= expected.len()
        });
        assert!(there && text() == expected);
    }
}
