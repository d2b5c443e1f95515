//! A configuration that is read again while the process runs: all of it is right and taken, or the old one stays.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use opentelemetry::KeyValue;
use toml::{Table, Value};

use crate::{
    ConfigSource, Draining, Error, Process, Program,
    caller::Verifier,
    config, names, running,
    source::{self, Stamp},
    tls,
};

/// Sections that are read at the start only.
const FIXED: [&str; 6] = ["server", "admin", "telemetry", "log", "audit", "consul"];
/// Those sections of one configuration, by name.
pub(crate) type Fixed = [(&'static str, Option<Value>); FIXED.len()];

/// A file that is being written is waited for until it looks the same twice.
const SETTLING: Duration = Duration::from_millis(200);

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

/// What tells one program's part of a configuration from another, and the state of the secrets in it: the part itself may
/// have thousands of entries.
#[derive(PartialEq)]
struct Part(Box<[u8]>, Vec<Stamp>);

impl<P: Program> Reloader<P> {
    /// Begins with the program's part of the configuration that the process started with.
    pub(crate) fn new(
        process: &Process,
        verifier: Option<Arc<ArcSwap<Verifier>>>,
        tls: Option<tls::Current>,
        own: &Table,
    ) -> Self {
        let current = Mutex::new(Part::of(own));
        Self { process: process.clone(), verifier, tls, current, program: PhantomData }
    }

    fn try_take(&self, mut table: Table, forced: bool) -> Result<(), Error> {
        let settings = config::take_settings::<P>(&mut table)?;
        let part = Part::of(&table);
        let own: P::Config = config::program(table)?;
        P::check(&own)?;
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
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if forced || *current != part {
            P::reload(own, &self.process)?;
            *current = part;
        }
        Ok(())
    }
}

impl<P: Program> Reload for Reloader<P> {
    fn take(&self, table: Table, forced: bool) -> Result<u64, Error> {
        match self.try_take(table.clone(), forced) {
            Ok(()) => Ok(taken(&self.process, &table)),
            Err(error) => Err(refused(&self.process, error)),
        }
    }
}

impl Part {
    fn of(table: &Table) -> Self {
        let written = digest(&SHA256, table.to_string().as_bytes());
        Self(written.as_ref().into(), source::stamps(&source::files(table)))
    }
}

/// Reads a configuration again whenever its file, or a secret that it names, has changed; until the process drains.
pub(crate) async fn watch(source: ConfigSource, process: Process, reload: Arc<dyn Reload>, every: Duration) {
    let mut draining = process.draining();
    let stamps = || source.stamps(&process.record().files());
    let mut seen = stamps();
    while pause(every, &mut draining).await {
        let mut now = stamps();
        if now == seen {
            continue;
        }
        while pause(SETTLING.min(every), &mut draining).await {
            let settled = stamps();
            if std::mem::replace(&mut now, settled) == now {
                break;
            }
        }
        // What is wrong with it is in the log and on the admin port.
        let _ = reread(&source, &process, &*reload, false);
        seen = stamps();
    }
}

/// Reads a configuration again.
pub(crate) fn reread(
    source: &ConfigSource,
    process: &Process,
    reload: &dyn Reload,
    forced: bool,
) -> Result<u64, Error> {
    match source.read() {
        Ok(table) => reload.take(table, forced),
        Err(error) => Err(refused(process, error)),
    }
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
    process.telemetry().instruments.reloads.add(1, &[KeyValue::new(names::RESULT, result)]);
}

/// False if the process drains.
async fn pause(time: Duration, draining: &mut Draining) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = draining.wait() => false,
    }
}

/// The sections that are read at the start only, without what of them is read again.
pub(crate) fn fixed(table: &Table) -> Fixed {
    FIXED.map(|section| {
        let mut value = table.get(section).cloned();
        value.as_mut().and_then(Value::as_table_mut).map(|section| section.remove("tls"));
        (section, value)
    })
}
