//! Everybody who hears of the calls of a process.

use std::sync::Arc;

use crate::completed_call::{CallObserver, CompletedCall};

/// Those who hear of calls.
#[derive(Debug, Default)]
pub struct Observers {
    observers: Vec<Arc<dyn CallObserver>>,
    /// Whether the process passes calls on to services.
    is_proxy: bool,
}

impl Observers {
    /// Names those who hear of calls, in the order in which they are told.
    #[must_use]
    pub fn new(observers: Vec<Arc<dyn CallObserver>>, is_proxy: bool) -> Self {
        Self { observers, is_proxy }
    }

    /// Whether the messages of a call that begins now must be kept.
    pub(crate) fn keep_messages(&self, writes: bool) -> bool {
        self.observers.iter().any(|watch| watch.wants_messages(writes))
    }

    /// Whether nobody listens.
    pub(crate) fn are_none(&self) -> bool {
        !self.observers.iter().any(|watch| watch.is_listening())
    }

    /// Tells everybody.
    pub(crate) fn ended(&self, call: &CompletedCall<'_>) {
        self.observers.iter().for_each(|watch| watch.ended(call));
    }

    pub(crate) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// The name of the process' own part of the time that a call takes.
    pub(crate) fn own_part(&self) -> &'static str {
        if self.is_proxy { "gateway" } else { "service" }
    }
}
