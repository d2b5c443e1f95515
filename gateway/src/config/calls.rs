//! `[[timeouts]]` and `[[hedging]]`: how long calls may take, and which reads are asked twice.

use std::{num::NonZeroU32, time::Duration};

use config::{Findings, Seconds};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, policy};
use crate::config::pattern::MethodPattern;

/// One of `[[timeouts]]`; the first that covers a method counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// Longest time that a call may take; a shorter deadline of the caller's stays.
    pub seconds: Seconds,
}

/// One of `[[hedging]]`; the first that covers a method counts, and of writes none does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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

/// Checks timeouts and hedging, and names the entries that never count.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    for (index, entry) in config.timeouts.iter().enumerate() {
        if entry.seconds.0.is_zero() {
            findings.mistake(format!("timeouts[{index}].seconds"), "must be more than 0");
        }
    }
    let timeouts: Vec<&[MethodPattern]> = config.timeouts.iter().map(|entry| entry.methods.as_slice()).collect();
    let hedging: Vec<&[MethodPattern]> = config.hedging.iter().map(|entry| entry.methods.as_slice()).collect();
    for (list, entries) in [("timeouts", timeouts), ("hedging", hedging)] {
        for (index, methods) in entries.iter().enumerate() {
            policy::check_methods(config, &format!("{list}[{index}].methods"), methods, findings);
            let covers = |pattern: &MethodPattern| entries[..index].iter().any(|earlier| pattern.lies_in(earlier));
            if !methods.is_empty() && methods.iter().all(covers) {
                let text = "has no effect: earlier entries cover all of it, and the first that covers a method counts";
                findings.warning(format!("{list}[{index}].methods"), text);
            }
        }
    }
}
