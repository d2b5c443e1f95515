//! Log lines for machines: one JSON object per event, made in a buffer of its thread and written at once.
//!
//! Names and order are those of tracing-subscriber's flattened JSON, which takes five times the instructions for a line.

use std::{
    cell::RefCell,
    fmt::Debug,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use prost_types::Timestamp;
use serde::{Serialize, Serializer};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context};

/// What a thread keeps of its buffer between two lines.
const KEPT: usize = 4 << 10;

thread_local! {
    static LINE: RefCell<Line> = RefCell::default();
}

/// Writes every event as a line.
#[derive(Debug)]
pub(super) struct JsonLines<W>(pub(super) W);

/// A line while it is made.
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    clock: Clock,
}

/// Spells the time; only what has changed since the last line is spelled anew.
#[derive(Debug, Default)]
struct Clock {
    second: i64,
    spelled: String,
}

impl<S: Subscriber, W> Layer<S> for JsonLines<W>
where
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let written = LINE.try_with(|line| line.try_borrow_mut().map(|mut line| self.write(&mut line, event)));
        // A value that logs while it is logged, or a thread at its end, has no buffer.
        if !matches!(written, Ok(Ok(()))) {
            self.write(&mut Line::default(), event);
        }
    }
}

impl<W: for<'a> MakeWriter<'a>> JsonLines<W> {
    fn write(&self, line: &mut Line, event: &Event<'_>) {
        line.make(event, SystemTime::now());
        // A log that cannot be written has nobody to tell.
        let _ = self.0.make_writer_for(event.metadata()).write_all(&line.text);
        line.text.clear();
        line.text.shrink_to(KEPT);
    }
}

impl Line {
    fn make(&mut self, event: &Event<'_>, now: SystemTime) {
        self.text.clear();
        self.text.extend_from_slice(b"{\"timestamp\":\"");
        self.clock.spell(now, &mut self.text);
        self.text.extend_from_slice(b"\",\"level\":\"");
        self.text.extend_from_slice(spelled(*event.metadata().level()).as_bytes());
        self.text.push(b'"');
        event.record(self);
        self.put("target", event.metadata().target());
        self.text.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &str) {
        self.text.push(b',');
        self.value(name);
        self.text.push(b':');
    }

    /// Writing into memory does not fail, and none of these values is one that JSON cannot have.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        let _ = value.serialize(&mut serde_json::Serializer::new(&mut self.text));
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        self.value(value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field.name());
        let _ = serde_json::Serializer::new(&mut self.text).collect_str(&format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }
}

impl Clock {
    /// RFC 3339 with microseconds, in UTC.
    fn spell(&mut self, now: SystemTime, text: &mut Vec<u8>) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = i64::try_from(since.as_secs()).unwrap_or_default();
        if self.second != second || self.spelled.is_empty() {
            self.second = second;
            self.spelled = Timestamp { seconds: second, nanos: 0 }.to_string();
            self.spelled.truncate(self.spelled.trim_end_matches('Z').len());
        }
        text.extend_from_slice(self.spelled.as_bytes());
        let mut fraction = *b".000000Z";
        let mut micros = since.subsec_micros();
        for digit in fraction[1..=6].iter_mut().rev() {
            *digit = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        text.extend_from_slice(&fraction);
    }
}

fn spelled(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::log::tests::Written;

    #[test]
    fn a_line_is_what_the_library_makes_of_the_event() {
        let written = Written::default();
        let library = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(written.clone());
        let own = Written::default();
        let subscriber = tracing_subscriber::registry().with(library).with(JsonLines(own.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let nothing: Option<&str> = None;
            let error = std::io::Error::other("a \"quoted\"\nlie");
            tracing::info!(target: "t::x", a = "b\t\u{1b}\u{e9}", n = -3, u = 7_u64, f = 1.25, yes = true, nothing, "said {}", 1);
            tracing::error!(%error, list = ?["x"], source = &error as &dyn std::error::Error, big = u128::MAX, nan = f64::NAN);
        });
        // The times differ.
        let parts = |written: &Written| {
            let text = written.text();
            let rest: Vec<_> = text.lines().map(|line| line.split_once(",\"level\"").unwrap().1.to_owned()).collect();
            rest
        };
        assert_eq!(parts(&own), parts(&written));
        assert_eq!(parts(&own).len(), 2);
    }

    #[test]
    fn the_time_is_spelled_to_the_microsecond() {
        let mut clock = Clock::default();
        for (micros, spelled) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_402_936_000_007, "2026-11-23T03:02:16.000007Z"),
            (1_795_402_936_999_999, "2026-11-23T03:02:16.999999Z"),
            (1_795_402_937_000_000, "2026-11-23T03:02:17.000000Z"),
            (951_782_400_100_000, "2000-02-29T00:00:00.100000Z"),
        ] {
            let mut text = Vec::new();
            clock.spell(UNIX_EPOCH + Duration::from_micros(micros), &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), spelled);
        }
    }

    #[test]
    fn a_line_is_written_though_another_is_being_made() {
        let written = Written::default();
        let subscriber = tracing_subscriber::registry().with(JsonLines(written.clone()));
        tracing::subscriber::with_default(subscriber, || LINE.with_borrow_mut(|_| tracing::info!("inside")));
        assert!(written.text().contains(r#","level":"INFO","message":"inside","target":"#), "{}", written.text());
    }
}
