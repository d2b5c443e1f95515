//! The only things that an operating system process has once: the TLS provider, the log, the panic hook.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use crate::{Error, LogFormat, LogSettings};

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

/// Installs what an operating system process has only once; [`crate::main`] does it, and so does a program that runs several
/// others in itself.
///
/// # Errors
/// A level that is no filter, or a log that somebody else has installed.
pub fn install_globals(log: &LogSettings) -> Result<(), Error> {
    install_tls();
    install_log(log)?;
    std::panic::set_hook(Box::new(|panic| {
        // The text of a panic may quote a value; the place is enough to find it.
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(target: "ispbridge::panic", place, "panic");
    }));
    Ok(())
}

/// Makes aws-lc-rs the provider: with two in one process the first handshake would panic.
pub(crate) fn install_tls() {
    // Whoever installed one before us is welcome.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn install_log(settings: &LogSettings) -> Result<(), Error> {
    let filter = filter(&settings.level)?;
    let cap = filter_fn(|line| allowed(line.target(), *line.level()));
    let registry = tracing_subscriber::registry().with(filter).with(cap);
    let installed = match settings.format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Text => registry
            .with(fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr))
            .try_init(),
    };
    installed.map_err(Error::program)
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(level).map_err(|error| Error::config("log.level", format!("is not a filter: {error}")))
}

/// Whether a line may be written whatever `log.level` says; a directive for a module of a library is finer than any cap
/// that another directive could set.
fn allowed(target: &str, level: Level) -> bool {
    let library = target.split("::").next().unwrap_or_default();
    level <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_lifts_the_cap_of_a_talkative_library() {
        assert!(!allowed("h2::codec::framed_write", Level::TRACE));
        assert!(!allowed("hyper", Level::DEBUG));
        assert!(allowed("h2::codec", Level::INFO));
        assert!(allowed("bridge::wire", Level::TRACE));
    }

    #[test]
    fn a_wrong_filter_names_the_key() {
        let error = filter("ispbridge=loud").unwrap_err();
        assert!(error.to_string().starts_with("configuration: log.level"), "{error}");
        assert_eq!(error.exit_code(), 64);
    }
}
