//! The values that in other programs are globals: name, telemetry, settings, the order to stop.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use config::Error;
use http::{Extensions, HeaderMap};
use opentelemetry::{metrics::Meter, propagation::TextMapCompositePropagator};
use opentelemetry_sdk::trace::SdkTracer;
use protocol::CallContext;
use serving::{CallNotes, CallObserver, Draining, Observers, Refusals, ServiceSet, ServingContext, Workers};
use telemetry::{Durations, Telemetry};

use crate::{
    audit::{Audit, Change, Intent, Unaudited},
    config_status::{ConfigState, ConfigStatus, SourceState},
    file_source::{FileSource, Sourced},
    settings::Settings,
    tap::Tap,
};

/// One process of the suite as its program sees it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    serving: ServingContext,
    stopping: AtomicBool,
    config_status: ConfigStatus,
    file_sources: RwLock<Vec<Arc<Sourced>>>,
    audit: OnceLock<Arc<Audit>>,
    tap: Arc<Tap>,
    kept: RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Process {
    pub(crate) fn new(
        name: &'static str,
        settings: Settings,
        telemetry: Telemetry,
        config_status: ConfigStatus,
        workers: Workers,
    ) -> Self {
        let serving = ServingContext::new(name, settings.server.clone(), telemetry, workers);
        Self(Arc::new(Inner {
            settings,
            serving,
            stopping: AtomicBool::new(false),
            config_status,
            file_sources: RwLock::default(),
            audit: OnceLock::new(),
            tap: Arc::default(),
            kept: RwLock::default(),
        }))
    }

    /// Name of the process, e.g. `ispbridge-aex`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.serving.name()
    }

    /// Makes the spans of this process.
    #[must_use]
    pub fn tracer(&self) -> &SdkTracer {
        &self.telemetry().tracer
    }

    /// Makes the instruments of this process.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.telemetry().meter
    }

    /// Makes a histogram of call durations, whose buckets name traces to scrapers that ask for OpenMetrics.
    #[must_use]
    pub fn durations(&self, name: &'static str, description: &'static str) -> Durations {
        self.telemetry().durations(name, description)
    }

    /// Reads and writes the headers by which a trace travels.
    #[must_use]
    pub fn propagator(&self) -> &Arc<TextMapCompositePropagator> {
        &self.telemetry().propagator
    }

    /// Keeps a value of the program's, one of each type, for [`crate::Program::reload`] to find.
    pub fn keep<T: Any + Send + Sync>(&self, value: Arc<T>) {
        self.0.kept.write().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), value);
    }

    /// The value of this type that [`Self::keep`] was given, until the process ends.
    #[must_use]
    pub fn kept<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let kept = self.0.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }

    /// Takes what a file says, and again whenever it changes.
    ///
    /// # Errors
    /// What is wrong with it now.
    pub fn follow(&self, source: Arc<dyn FileSource>) -> Result<(), Error> {
        let sourced = Sourced::open(source, self.name(), &self.telemetry().instruments)?;
        self.0.file_sources.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(sourced));
        Ok(())
    }

    /// Announces a call that may change something to the audit log, if `audit.on_loss = "refuse"` asks for that: its record
    /// is then certain. The chassis does so for the methods of the process' own descriptors; a proxy does it itself, before
    /// it sends anything.
    ///
    /// # Errors
    /// The log cannot be written, and the call must not go on.
    pub async fn announce(&self, path: &str, headers: &HeaderMap, extensions: &Extensions) -> Result<(), Unaudited> {
        let (Some(audit), Some(notes)) = (self.audit(), extensions.get::<CallNotes>()) else {
            return Ok(());
        };
        let intent = || Intent::of(self.name(), path, headers, extensions, notes);
        let place = audit.announce(CallContext::of(extensions).deadline, intent).await?;
        place.into_iter().for_each(|place| notes.set_announced(place));
        Ok(())
    }

    /// Writes a change of the process itself into its audit log, if there is one.
    pub fn write_down(&self, change: Change) {
        if let Some(audit) = self.audit() {
            audit.changed(change);
        }
    }

    /// The files that are read again by themselves.
    pub(crate) fn file_sources(&self) -> Vec<Arc<Sourced>> {
        self.0.file_sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has become of the files that are read by themselves.
    pub(crate) fn sources(&self) -> Vec<SourceState> {
        self.file_sources().iter().map(|source| source.state()).collect()
    }

    /// The chassis' own sections of the configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Says when the process is told to stop.
    #[must_use]
    pub fn draining(&self) -> Draining {
        self.0.serving.draining()
    }

    /// Whether the process has said that it will stop; it may still serve.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Who was refused: connections by the chassis, and what the program adds.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.0.serving.refusals()
    }

    pub(crate) fn set_stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Lets go of what was kept: it may itself hold the process.
    pub(crate) fn forget(&self) {
        self.0.kept.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.file_sources.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The threads that serve connections.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        self.0.serving.workers()
    }

    /// How far the configuration has come.
    #[must_use]
    pub fn config_state(&self) -> ConfigState {
        self.0.config_status.state(self.sources())
    }

    /// Lets the audit log, whoever taps, and what the program brought hear of calls, before there are any.
    pub(crate) fn observe_calls(&self, audit: Option<Audit>, services: &ServiceSet) {
        let audit = audit.map(|audit| self.0.audit.get_or_init(|| Arc::new(audit)));
        self.0.tap.describe(services.described());
        let own = audit
            .cloned()
            .map(|audit| audit as Arc<dyn CallObserver>)
            .into_iter()
            .chain([self.0.tap.clone() as Arc<dyn CallObserver>]);
        let watches = own.chain(services.observers.iter().cloned()).collect();
        self.0.serving.set_observers(Observers::new(watches, services.has_fallback));
    }

    /// The audit log, if there is one.
    pub(crate) fn audit(&self) -> Option<&Audit> {
        self.0.audit.get().map(AsRef::as_ref)
    }

    /// Shows calls as they end.
    pub(crate) fn tap(&self) -> &Tap {
        &self.0.tap
    }

    /// What is known of the configuration.
    pub(crate) fn config_status(&self) -> &ConfigStatus {
        &self.0.config_status
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        self.0.serving.telemetry()
    }

    /// What listeners, connections and layers get of it.
    pub(crate) fn serving(&self) -> &ServingContext {
        &self.0.serving
    }
}
