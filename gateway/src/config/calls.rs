//! `[[timeouts]]` and `[[hedging]]`: timeouts by method, and hedged reads.

use std::{num::NonZeroU32, time::Duration};

use config::{Findings, Seconds};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, policy};
use crate::config::pattern::MethodPattern;

/// One of `[[timeouts]]`; the first entry that covers a method applies.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// Longest duration of a call; the caller's deadline counts if it is shorter.
    pub seconds: Seconds,
}

/// One of `[[hedging]]`; the first entry that covers a method applies, never to writes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeConfig {
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// Milliseconds without an answer after which the call is also sent to a second instance.
    pub after_ms: NonZeroU32,
}

impl HedgeConfig {
    /// How long to wait for the first instance alone.
    #[must_use]
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms.get().into())
    }
}

/// Checks timeouts and hedging, and warns of entries that never apply.
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
