//! The only things that an operating system process has once: the allocator, the TLS provider, the log, the panic hook.

use config::Error;
use mimalloc::MiMalloc;
use serving::descriptors;
use telemetry::{
    LogSettings,
    log::{self, Keeper, Sink},
};

/// A call allocates some fifty times, and what one thread allocates another frees, which the C library does slowly.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Installs what an operating system process has only once; [`crate::main`] does it, and so does a program that runs several
/// others in itself.
///
/// # Errors
/// A level that is no filter, or a log that somebody else has installed.
pub fn install_globals(log: &LogSettings) -> Result<(), Error> {
    install(log).map(drop)
}

/// As [`install_globals`]; log lines may wait a moment as long as the keeper lives.
pub(crate) fn install_kept(log: &LogSettings) -> Result<Keeper, Error> {
    install(log)?.keep().map_err(Error::program)
}

fn install(settings: &LogSettings) -> Result<Sink, Error> {
    install_tls();
    let sink = log::install(settings)?;
    descriptors::raise();
    std::panic::set_hook(Box::new(|panic| {
        // The text of a panic may quote a value; the place is enough to find it.
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(target: "ispbridge::panic", place, "panic");
    }));
    Ok(sink)
}

/// Makes aws-lc-rs the provider: with two in one process the first handshake would panic.
pub(crate) fn install_tls() {
    // Whoever installed one before us is welcome.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
