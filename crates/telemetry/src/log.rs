//! The log of an operating system process, which it has once: its filter, its form, and where lines go.

mod filter;
mod json;
mod sink;

use std::{fs::File, io::IsTerminal, os::fd::AsFd, sync::OnceLock};

use config::Error;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{self, MakeWriter, format::debug_fn},
    prelude::*,
    registry::{LookupSpan, Registry},
    reload,
};

use self::json::JsonLines;
pub use self::sink::{Keeper, Sink};
use crate::settings::{LogFormat, LogSettings};

/// The filter of the log, once it is installed.
static FILTER: OnceLock<Filter> = OnceLock::new();

/// A filter that can be changed.
#[derive(Debug)]
struct Filter {
    filter: reload::Handle<EnvFilter, Registry>,
    /// As the configuration says.
    configured: String,
}

/// Libraries whose finer levels print the bytes that pass, secrets among them.
const TALKATIVE: [&str; 10] = [
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
    "axum",
    "opentelemetry_otlp",
    "opentelemetry_sdk",
];

/// Installs the log of this process.
///
/// # Errors
/// A level that is no filter, or a log that somebody else has installed.
pub fn install(settings: &LogSettings) -> Result<Sink, Error> {
    let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
    let cap = filter_fn(|line| allowed(line.target(), *line.level()));
    let registry = tracing_subscriber::registry().with(filter).with(cap);
    let stderr = std::io::stderr();
    // `Stderr`'s own lock would make the workers wait for each other.
    let sink = Sink::new(File::from(stderr.as_fd().try_clone_to_owned().map_err(Error::program)?));
    let installed = registry.with(lines(settings.format, stderr.is_terminal(), sink.clone())).try_init();
    installed.map_err(Error::program)?;
    // Only who installs the log comes here, and nobody installs a second one.
    let _ = FILTER.set(Filter { filter: handle, configured: settings.level.clone() });
    Ok(sink)
}

/// The filter that counts now; nothing if the log is not ours.
pub fn level() -> Option<String> {
    FILTER.get()?.filter.with_current(ToString::to_string).ok()
}

/// Changes the filter until the process ends or it is changed again; nothing if the log is not ours.
pub fn set_level(level: &str) -> Option<Result<(), String>> {
    let Filter { filter: handle, configured: before } = FILTER.get()?;
    let set = filter::parse(level).and_then(|parsed| handle.reload(parsed).map_err(|error| error.to_string()));
    if set.is_ok() {
        tracing::warn!(level, configured = before, "the log level was changed");
    }
    Some(set)
}

/// Goes back to the filter of the configuration, and says which it is; nothing if the log is not ours.
pub fn reset_level() -> Option<&'static str> {
    let configured = FILTER.get()?.configured.as_str();
    set_level(configured)?.ok()?;
    Some(configured)
}

/// One line per event, whatever the event quotes: JSON escapes control characters, and so does the text form here, which
/// by itself would let a quoted text end a line or drive a terminal.
fn lines<S, W>(format: LogFormat, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match format {
        LogFormat::Json => JsonLines(writer).boxed(),
        LogFormat::Text => {
            let fields = debug_fn(|writer, field, value| {
                let value = escaped(&format!("{value:?}"));
                match field.name() {
                    "message" => write!(writer, "{value}"),
                    name => write!(writer, "{name}={value}"),
                }
            });
            fmt::layer().with_ansi(colours).fmt_fields(fields.delimited(" ")).with_writer(writer).boxed()
        }
    }
}

fn escaped(text: &str) -> String {
    let escape = |char: char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() };
    text.chars().map(escape).collect()
}

/// Whether a log can be filtered so.
pub fn check(log: &LogSettings) -> Result<(), Error> {
    filter(&log.level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    filter::parse(level).map_err(|error| Error::config("log.level", error))
}

/// Whether a line may be written whatever `log.level` says; a directive for a module of a library is finer than any cap
/// that another directive could set.
fn allowed(target: &str, level: tracing::Level) -> bool {
    let library = target.split("::").next().unwrap_or_default();
    level <= tracing::Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    use super::*;

    #[test]
    fn no_filter_lifts_the_cap_of_a_talkative_library() {
        assert!(!allowed("h2::codec::framed_write", Level::TRACE));
        assert!(!allowed("hyper", Level::DEBUG));
        assert!(allowed("h2::codec", Level::INFO));
        assert!(allowed("bridge::wire", Level::TRACE));
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn nothing_that_is_quoted_begins_a_line_or_drives_a_terminal() {
        const EVIL: &str = "a\r\n{\"level\":\"ERROR\"}\u{1b}[31m\u{7}\u{9b}x\0";
        for format in [LogFormat::Json, LogFormat::Text] {
            let written = Written::default();
            let subscriber = tracing_subscriber::registry().with(lines(format, false, written.clone()));
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(account = EVIL, error = %EVIL, kind = ?EVIL, "upstream said {EVIL}");
            });
            let text = written.text();
            assert_eq!(text.lines().count(), 1, "{format:?}: {text:?}");
            // JSON leaves the controls beyond ASCII as they are; no reader of it takes them for more than text.
            let drives = |char: char| match format {
                LogFormat::Json => char.is_ascii_control(),
                LogFormat::Text => char.is_control(),
            };
            assert!(!text.trim_end().chars().any(drives), "{format:?}: {text:?}");
        }
    }

    #[test]
    fn a_wrong_filter_names_the_key() {
        let error = filter("ispbridge=loud").unwrap_err();
        assert!(error.to_string().starts_with("configuration: log.level"), "{error}");
        assert_eq!(error.exit_code(), 64);
    }
}
