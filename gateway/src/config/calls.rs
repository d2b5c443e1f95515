//! `[[timeouts]]` and `[[hedging]]`: how long calls may take, and which reads are asked twice.

use std::{num::NonZeroU32, time::Duration};

use chassis::{Error, Seconds};
use serde::Deserialize;

use crate::policy::pattern::MethodPattern;

/// One of `[[timeouts]]`; the first that covers a method counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// Longest time that a call may take; a shorter deadline of the caller's stays.
    pub seconds: Seconds,
}

/// One of `[[hedging]]`; the first that covers a method counts, and of writes none does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HedgeConfig {
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// Milliseconds without an answer after which the call is made at a second instance as well.
    pub after_ms: NonZeroU32,
}

impl HedgeConfig {
    /// How long the first instance is waited for alone.
    #[must_use]
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms.get().into())
    }
}

pub(super) fn check(timeouts: &[TimeoutConfig]) -> Result<(), Error> {
    match timeouts.iter().position(|entry| entry.seconds.0.is_zero()) {
        Some(index) => Err(Error::config(format!("timeouts[{index}].seconds"), "is more than 0")),
        None => Ok(()),
    }
}
