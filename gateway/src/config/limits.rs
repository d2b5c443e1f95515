//! `[limits]`: limits per caller, per provider and in all.

use std::{collections::BTreeMap, num::NonZeroUsize};

use config::Findings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;

/// `[limits]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Maximum calls in flight per principal, unless its own entry says otherwise.
    pub in_flight_per_principal: NonZeroUsize,
    /// Maximum calls per second per principal, unless its own entry says otherwise. Default: no limit.
    pub rate_per_principal: Option<f64>,
    /// Calls that a principal may make at once before the rate applies. Default: as many as in a second.
    pub burst_per_principal: Option<f64>,
    /// The limit of all calls together.
    pub gateway: GatewayLimit,
    /// The limit per provider, so that a slow one does not take capacity from others.
    pub provider: ProviderLimit,
    /// Another `max` for some providers: `aex = 100`.
    pub providers: BTreeMap<String, NonZeroUsize>,
}

/// `[limits.gateway]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayLimit {
    /// How the limit is determined.
    pub mode: LimitMode,
    /// Maximum calls in flight. Default: `server.max_in_flight` less a sixteenth.
    pub max: Option<NonZeroUsize>,
    /// Lowest value of an adaptive limit. Default: a sixteenth of `max`.
    pub min: Option<NonZeroUsize>,
    /// How long the gateway's work may wait for a processor before an adaptive limit shrinks.
    pub lag_ms: u64,
}

/// `[limits.provider]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderLimit {
    /// How the limit is determined.
    pub mode: LimitMode,
    /// Maximum calls in flight to one provider. Default: half of the gateway's limit.
    pub max: Option<NonZeroUsize>,
    /// Lowest value of an adaptive limit. Default: a sixteenth of `max`.
    pub min: Option<NonZeroUsize>,
}

/// How a limit is determined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// No limit.
    Off,
    /// Fixed at `max`.
    #[default]
    Fixed,
    /// Adapts between `min` and `max`: the gateway's limit to how long its own work waits, a provider's to how much longer than
    /// usual its calls take.
    Adaptive,
}

impl LimitsConfig {
    /// Checks the section, given the providers that there are.
    pub(super) fn check(&self, config: &Config, findings: &mut Findings) {
        check_rate("limits.rate_per_principal", self.rate_per_principal, findings);
        check_burst("limits.burst_per_principal", self.burst_per_principal, findings);
        check_bounds("limits.gateway.min", self.gateway.min, self.gateway.max, findings);
        check_bounds("limits.provider.min", self.provider.min, self.provider.max, findings);
        if self.gateway.lag_ms == 0 {
            findings.mistake("limits.gateway.lag_ms", "must be at least 1");
        }
        let known = |name: &String| config.routes_to(name) || !findings.is_whole("routes");
        let unknown: Vec<_> = self.providers.keys().filter(|name| !known(name)).collect();
        for name in unknown {
            findings.warning(format!("limits.providers.{name}"), "has no effect: there is no route to this provider");
        }
    }
}

/// A rate is a number of calls a second that can be kept.
pub(super) fn check_rate(key: &str, rate: Option<f64>, findings: &mut Findings) {
    if rate.is_some_and(|rate| !(0.001..=1_000_000.0).contains(&rate)) {
        findings.mistake(key, "must be a number of calls a second between 0.001 and 1000000");
    }
}

/// A burst is at least one call.
pub(super) fn check_burst(key: &str, burst: Option<f64>, findings: &mut Findings) {
    if burst.is_some_and(|burst| !(1.0..=1_000_000.0).contains(&burst)) {
        findings.mistake(key, "must be a number of calls between 1 and 1000000");
    }
}

fn check_bounds(key: &str, min: Option<NonZeroUsize>, max: Option<NonZeroUsize>, findings: &mut Findings) {
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        findings.mistake(key, "must not be more than max");
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            in_flight_per_principal: NonZeroUsize::MIN.saturating_add(63),
            rate_per_principal: None,
            burst_per_principal: None,
            gateway: GatewayLimit::default(),
            provider: ProviderLimit::default(),
            providers: BTreeMap::new(),
        }
    }
}

impl Default for GatewayLimit {
    fn default() -> Self {
        Self { mode: LimitMode::default(), max: None, min: None, lag_ms: 25 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let limits: LimitsConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut findings = Findings::default();
        limits.check(&toml::from_str("").unwrap(), &mut findings);
        findings.into_result().map_err(|error| error.to_string())
    }

    #[test]
    fn a_wrong_limit_is_named() {
        let cases = [
            ("rate_per_principal = 0", "limits.rate_per_principal"),
            ("rate_per_principal = -1.5", "limits.rate_per_principal"),
            ("rate_per_principal = nan", "limits.rate_per_principal"),
            ("burst_per_principal = 0.5", "limits.burst_per_principal"),
            ("[gateway]\nmin = 20\nmax = 10", "limits.gateway.min"),
            ("[gateway]\nlag_ms = 0", "limits.gateway.lag_ms"),
            ("[provider]\nmin = 20\nmax = 10", "limits.provider.min"),
            ("[provider]\nmode = \"guess\"", "guess"),
            ("[providers]\naex = 0", "aex"),
        ];
        for (text, key) in cases {
            let error = check(text).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        assert_eq!(check("rate_per_principal = 0.5\n[providers]\naex = 10"), Ok(()));
        assert_eq!(check(""), Ok(()));
    }
}
