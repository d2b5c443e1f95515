//! The values that in other programs are globals: name, telemetry, settings, the order to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use opentelemetry::metrics::Meter;
use opentelemetry_sdk::trace::SdkTracer;

use crate::{
    Draining, Settings,
    drain::{Places, Switch},
    telemetry::Telemetry,
};

/// One process of the suite as its program sees it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    settings: Settings,
    telemetry: Telemetry,
    switch: Switch,
    places: Places,
    stopping: AtomicBool,
}

impl Process {
    pub(crate) fn new(name: &'static str, settings: Settings, telemetry: Telemetry) -> Self {
        let places = Places::new(settings.server.max_in_flight);
        Self(Arc::new(Inner {
            name,
            settings,
            telemetry,
            switch: Switch::new(),
            places,
            stopping: AtomicBool::new(false),
        }))
    }

    /// Name of the process, e.g. `ispbridge-aex`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Makes the spans of this process.
    #[must_use]
    pub fn tracer(&self) -> &SdkTracer {
        &self.0.telemetry.tracer
    }

    /// Makes the instruments of this process.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.0.telemetry.meter
    }

    /// The chassis' own sections of the configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Says when the process is told to stop.
    #[must_use]
    pub fn draining(&self) -> Draining {
        self.0.switch.handle()
    }

    /// Whether the process has said that it will stop; it may still serve.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.0.switch
    }

    pub(crate) fn places(&self) -> &Places {
        &self.0.places
    }
}
