//! A configuration that is read again while the process runs: all of it is right and taken, or the old one stays.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use opentelemetry::KeyValue;
use reference::{Noted, noting};
use toml::{Table, Value};

use crate::{ConfigSource, Error, Process, Program, caller::Verifier, config, names, running, tls, watched::Watched};

/// The name of the configuration where other files are sources of their own.
const NAME: &str = "configuration";
/// Sections that are read at the start only.
const FIXED: [&str; 6] = ["server", "admin", "telemetry", "log", "audit", "consul"];
/// Those sections of one configuration, by name.
pub(crate) type Fixed = [(&'static str, Option<Value>); FIXED.len()];

/// Takes configurations for a running program of any type.
pub(crate) trait Reload: Send + Sync {
    /// Takes a configuration, or says why not; `forced` asks the program even if its part looks the same.
    fn take(&self, table: Table, forced: bool) -> Result<u64, Error>;
}

/// [`Reload`] for one type of program.
pub(crate) struct Reloader<P> {
    process: Process,
    verifier: Option<Arc<ArcSwap<Verifier>>>,
    tls: Option<tls::Current>,
    current: Mutex<Part>,
    program: PhantomData<fn() -> P>,
}

/// What tells one program's part of a configuration from another, and what the files that it names held: the part itself may
/// have thousands of entries.
#[derive(PartialEq)]
pub(crate) struct Part(Box<[u8]>, Noted);

/// The configuration as something that is watched.
pub(crate) struct Configured {
    pub(crate) source: ConfigSource,
    pub(crate) process: Process,
    pub(crate) reload: Arc<dyn Reload>,
}

impl<P: Program> Reloader<P> {
    /// Begins with the program's part of the configuration that the process started with.
    pub(crate) fn new(
        process: &Process,
        verifier: Option<Arc<ArcSwap<Verifier>>>,
        tls: Option<tls::Current>,
        current: Part,
    ) -> Self {
        Self { process: process.clone(), verifier, tls, current: Mutex::new(current), program: PhantomData }
    }

    fn try_take(&self, mut table: Table, forced: bool) -> Result<(), Error> {
        // One at a time, or an older configuration could replace a newer one.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = config::take_settings::<P>(&mut table)?;
        let (own, part) = checked::<P>(table)?;
        let tls = tls::server(&settings)?;
        if tls.is_some() != self.tls.is_some() {
            return Err(Error::config("server.tls", "comes and goes with a restart only"));
        }
        match (&self.verifier, running::verifier::<P>(&settings)?) {
            (Some(current), Some(verifier)) => current.store(Arc::new(verifier)),
            (None, None) => {}
            _ => return Err(Error::config("callers.mode", "changes with a restart only")),
        }
        if let (Some(current), Some(mut tls)) = (&self.tls, tls) {
            tls.alpn_protocols.clone_from(&current.load().alpn_protocols);
            current.store(Arc::new(tls));
        }
        if forced || *current != part {
            P::reload(own, &self.process)?;
            *current = part;
        }
        Ok(())
    }
}

impl<P: Program> Reload for Reloader<P> {
    fn take(&self, table: Table, forced: bool) -> Result<u64, Error> {
        let (result, noted) = noting(|| self.try_take(table.clone(), forced));
        self.process.record().noted(noted, result.is_ok());
        match result {
            Ok(()) => Ok(taken(&self.process, &table)),
            Err(error) => Err(refused(&self.process, error)),
        }
    }
}

impl Configured {
    /// Reads the configuration again.
    pub(crate) fn reread(&self, forced: bool) -> Result<u64, Error> {
        match self.source.read() {
            Ok(table) => self.reload.take(table, forced),
            Err(error) => Err(refused(&self.process, error)),
        }
    }
}

impl Watched for Configured {
    fn name(&self) -> &'static str {
        NAME
    }

    fn files(&self) -> Noted {
        let mut files = self.process.record().files();
        files.extend(self.source.noted());
        files
    }

    fn take(&self, seen: Noted) -> bool {
        self.process.record().noted(seen, false);
        // What is wrong with it is in the log and on the admin port.
        self.reread(false).is_ok()
    }
}

/// Reads the program's part of a configuration.
pub(crate) fn checked<P: Program>(table: Table) -> Result<(P::Config, Part), Error> {
    let written = digest(&SHA256, table.to_string().as_bytes()).as_ref().into();
    let (own, noted) = noting(|| {
        let own = config::program(table)?;
        P::check(&own)?;
        Ok(own)
    });
    own.map(|own| (own, Part(written, noted)))
}

fn taken(process: &Process, table: &Table) -> u64 {
    let name = process.name();
    let fixed = process.record().changed(&fixed(table));
    let generation = process.record().taken(table, fixed.clone());
    tracing::info!(process = name, generation, "a new configuration was taken");
    if !fixed.is_empty() {
        tracing::warn!(process = name, sections = fixed.join(" "), "these sections change with a restart only");
    }
    count(process, "ok");
    generation
}

fn refused(process: &Process, error: Error) -> Error {
    tracing::warn!(process = process.name(), %error, "the new configuration is not taken; the old one stays");
    process.record().refused(&error);
    count(process, "failed");
    error
}

fn count(process: &Process, result: &'static str) {
    count_reload(process, NAME, result);
}

/// Counts an attempt to take what was read again.
pub(crate) fn count_reload(process: &Process, source: &'static str, result: &'static str) {
    let labels = [KeyValue::new(names::RESULT, result), KeyValue::new(names::SOURCE, source)];
    process.telemetry().instruments.reloads.add(1, &labels);
}

/// The sections that are read at the start only, without what of them is read again.
pub(crate) fn fixed(table: &Table) -> Fixed {
    FIXED.map(|section| {
        let mut value = table.get(section).cloned();
        value.as_mut().and_then(Value::as_table_mut).map(|section| section.remove("tls"));
        (section, value)
    })
}
