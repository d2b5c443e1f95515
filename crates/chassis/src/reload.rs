//! A configuration that is read again while the process runs: all of it is right and taken, or the old one stays.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use config::{ConfigSource, Document, Error, Noted, noting};
use protocol::caller::Verifier;
use serving::tls;
use toml::Table;

use crate::{
    prepare::{Part, Prepared},
    process::Process,
    program::Program,
    watched::Watched,
};

/// The name of the configuration where other files are sources of their own.
const NAME: &str = "configuration";
/// Takes configurations for a running program of any type.
pub(crate) trait Reload: Send + Sync {
    /// Takes a configuration, or says why not; `forced` asks the program even if its part looks the same.
    fn take(&self, document: Document, forced: bool) -> Result<u64, Error>;
}

/// [`Reload`] for one type of program.
pub(crate) struct Reloader<P> {
    process: Process,
    verifier: Option<Arc<ArcSwap<Verifier>>>,
    tls: Option<tls::Current>,
    current: Mutex<Part>,
    program: PhantomData<fn() -> P>,
}

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

    fn try_take(&self, document: Document, forced: bool) -> Result<Document, Error> {
        // One at a time, or an older configuration could replace a newer one.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = Prepared::<P>::for_reload(document)?;
        if prepared.tls.is_some() != self.tls.is_some() {
            return Err(Error::config("server.tls", "must come or go with a restart"));
        }
        if prepared.verifier.is_some() != self.verifier.is_some() {
            return Err(Error::config("callers.mode", "must change with a restart"));
        }
        prepared.warn();
        let Prepared { document, own, part, verifier, tls, .. } = prepared;
        if let (Some(current), Some(verifier)) = (&self.verifier, verifier) {
            current.store(Arc::new(verifier));
        }
        if let (Some(current), Some(mut tls)) = (&self.tls, tls) {
            tls.alpn_protocols.clone_from(&current.load().alpn_protocols);
            current.store(Arc::new(tls));
        }
        if forced || *current != part {
            P::reload(own, &self.process).map_err(|error| document.locate(error))?;
            *current = part;
        }
        Ok(document)
    }
}

impl<P: Program> Reload for Reloader<P> {
    fn take(&self, document: Document, forced: bool) -> Result<u64, Error> {
        let (result, noted) = noting(|| self.try_take(document, forced));
        self.process.config_status().noted(noted, result.is_ok());
        match result {
            Ok(document) => Ok(taken(&self.process, &document)),
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
        let mut files = self.process.config_status().files();
        files.extend(self.source.noted());
        files
    }

    fn take(&self, seen: Noted) -> bool {
        self.process.config_status().noted(seen, false);
        // What is wrong with it is in the log and on the admin port.
        self.reread(false).is_ok()
    }
}

fn taken(process: &Process, table: &Table) -> u64 {
    let name = process.name();
    let (generation, fixed) = process.config_status().taken(table);
    tracing::info!(process = name, generation, "a new configuration was taken");
    if !fixed.is_empty() {
        tracing::warn!(process = name, sections = fixed.join(" "), "these sections change with a restart only");
    }
    process.telemetry().instruments.count_reload(NAME, "ok");
    generation
}

fn refused(process: &Process, error: Error) -> Error {
    tracing::warn!(process = process.name(), %error, "the new configuration is not taken; the old one stays");
    process.config_status().refused(&error);
    process.telemetry().instruments.count_reload(NAME, "failed");
    error
}
