//! Everybody who hears of the calls of a process.

use std::{sync::Arc, time::Duration};

use crate::{
    audit::Audit,
    ended::{Ended, Watch},
    tap::Tap,
};

/// The audit log, whoever taps, and what the program brought.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    pub(crate) audit: Option<Audit>,
    pub(crate) tap: Tap,
    pub(crate) program: Vec<Arc<dyn Watch>>,
    /// Whether the process passes calls on to services.
    pub(crate) is_proxy: bool,
}

impl Watches {
    /// Whether the messages of a call that begins now must be kept.
    pub(crate) fn keep_messages(&self, writes: bool) -> bool {
        self.tap.is_used() || (writes && self.audit.is_some())
    }

    /// Whether nobody listens.
    pub(crate) fn are_none(&self) -> bool {
        self.audit.is_none() && self.program.is_empty() && !self.tap.is_used()
    }

    /// Tells everybody.
    pub(crate) fn ended(&self, call: &Ended<'_>) {
        self.audit.iter().for_each(|audit| audit.ended(call));
        self.tap.ended(call);
        self.program.iter().for_each(|watch| watch.ended(call));
    }

    /// The name of the process' own part of the time that a call takes.
    pub(crate) fn own_part(&self) -> &'static str {
        if self.is_proxy { "gateway" } else { "service" }
    }

    /// Waits until what was said is written.
    pub(crate) async fn end(&self, limit: Duration) {
        if let Some(audit) = &self.audit {
            audit.end(limit).await;
        }
    }
}
