//! Everything that any thread of this test program logs, at the finest level.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex, Once},
};

use tracing::Level;
use tracing_subscriber::{filter::filter_fn, fmt, fmt::MakeWriter, prelude::*};

/// Libraries that chassis keeps at INFO whatever the level, because their finer lines print the bytes that pass.
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

/// The one log of the test program.
pub(crate) static LOG: LazyLock<Log> = LazyLock::new(Log::default);

static INSTALLED: Once = Once::new();

/// Lines that were logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes the log of the whole program from now on.
    pub(crate) fn install(&self) {
        INSTALLED.call_once(|| {
            let shown = filter_fn(|line| {
                let library = line.target().split("::").next().unwrap();
                *line.level() <= Level::INFO || !TALKATIVE.contains(&library)
            });
            let lines = fmt::layer().json().with_writer(self.clone()).with_filter(shown);
            tracing_subscriber::registry().with(lines).init();
        });
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
