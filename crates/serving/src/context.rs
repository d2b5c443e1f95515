//! What serving needs of a process, and nothing else of it.

use std::sync::{Arc, OnceLock};

use opentelemetry_sdk::trace::SdkTracer;
use telemetry::Telemetry;

use crate::{
    drain::{Draining, InFlight, Switch},
    observers::Observers,
    refusals::Refusals,
    send_buffer::Budget,
    settings::ServerSettings,
    workers::Workers,
};

/// What listeners, connections and layers share with the process that they serve; cheap to clone.
#[derive(Clone, Debug)]
pub struct ServingContext(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    settings: ServerSettings,
    telemetry: Telemetry,
    switch: Switch,
    in_flight: InFlight,
    budget: Arc<Budget>,
    refusals: Refusals,
    observers: OnceLock<Observers>,
    workers: Workers,
}

impl ServingContext {
    /// Begins with a process that serves nothing yet.
    #[must_use]
    pub fn new(name: &'static str, settings: ServerSettings, telemetry: Telemetry, workers: Workers) -> Self {
        let in_flight = InFlight::new(settings.max_in_flight);
        let budget = Arc::new(Budget::new(settings.reply_memory_bytes));
        let seen = budget.clone();
        telemetry.watch_memory(move || seen.taken());
        let refusals = Refusals::new(name, &telemetry.meter);
        Self(Arc::new(Inner {
            name,
            settings,
            telemetry,
            switch: Switch::new(),
            in_flight,
            budget,
            refusals,
            observers: OnceLock::new(),
            workers,
        }))
    }

    /// Name of the process, e.g. `ispbridge-aex`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// `[server]` of its configuration.
    #[must_use]
    pub fn settings(&self) -> &ServerSettings {
        &self.0.settings
    }

    /// What it records.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Who was refused.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The threads that serve connections.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// Says when the process is told to stop.
    #[must_use]
    pub fn draining(&self) -> Draining {
        self.0.switch.handle()
    }

    /// Tells everything that serves to end: no new connections, and open calls have their time.
    pub fn drain(&self) {
        self.0.switch.drain();
    }

    /// How many calls are being worked on.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.in_flight.taken()
    }

    /// Sets who hears of calls, before there are any.
    pub fn set_observers(&self, observers: Observers) {
        let _ = self.0.observers.set(observers);
    }

    /// Who hears of calls.
    pub(crate) fn observers(&self) -> Option<&Observers> {
        self.0.observers.get()
    }

    pub(crate) fn tracer(&self) -> &SdkTracer {
        &self.0.telemetry.tracer
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.0.switch
    }

    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.0.in_flight
    }

    /// What the replies of all connections hold.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }
}
