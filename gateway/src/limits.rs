//! Limits per caller, per provider and in all; a call over a limit is refused at once, none is queued.
//!
//! A call passes four limits, each one atomic number: the principal's calls in flight (`gate`), its rate (`bucket`), the
//! provider's share and the gateway's total (`gate` again, whose limits may adapt: `gradient` and `lag`). The first two
//! are the caller's own and answer RESOURCE_EXHAUSTED; the others are ours and answer UNAVAILABLE. Every refusal says when to
//! retry, and that nothing was sent. Counters are kept by name and survive a reload.

mod bucket;
mod gate;
mod gradient;
mod lag;
mod quota;
mod share;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use rustc_hash::FxHashMap;
use tonic::Code;

use self::share::{Share, SharePermit};
pub(crate) use self::{
    bucket::Bucket,
    quota::{Quota, QuotaLimits, QuotaPermit, Quotas},
};
use crate::{
    answer::{Answer, Outcome},
    config::{LimitsConfig, PrincipalConfig},
    limits::lag::LimitBounds,
};

/// When to retry after the gateway or a provider was full.
const COME_AGAIN: Duration = Duration::from_millis(500);

/// Counter: calls that were refused, by [`protocol::names::REASON`].
const SHED: &str = "ispbridge.gateway.shed";
/// Gauge: calls in flight, of a provider or (without one) of the gateway.
const IN_FLIGHT: &str = "ispbridge.gateway.in_flight";
/// Gauge: how many may be.
const LIMIT: &str = "ispbridge.gateway.limit";

/// All limits of a gateway.
#[derive(Debug)]
pub(crate) struct Limits {
    gateway: Arc<Share>,
    providers: ArcSwap<FxHashMap<Arc<str>, Arc<Share>>>,
    /// Those of principals.
    quotas: Arc<Quotas>,
    /// The most that the process accepts, whatever the configuration says.
    most: usize,
    shed: Counter<u64>,
}

/// A call's permits, returned on drop.
#[derive(Debug)]
pub(crate) struct CallPermit {
    _principal: QuotaPermit,
    _provider: Option<SharePermit>,
    _gateway: SharePermit,
}

/// A limit and its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Usage {
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// How many may be; absent if there is no limit.
    pub(crate) limit: Option<usize>,
}

impl Limits {
    /// Builds the limits of a process that accepts `most` calls, and starts to adapt the gateway's own.
    pub(crate) fn new(config: &LimitsConfig, providers: &[&str], most: usize, meter: &Meter) -> Arc<Self> {
        let limits = Arc::new(Self {
            gateway: Arc::new(Share::new()),
            providers: ArcSwap::default(),
            quotas: Arc::default(),
            most,
            shed: meter.u64_counter(SHED).with_description("Calls that were refused for want of room").build(),
        });
        limits.apply(config, providers);
        tokio::spawn(lag::watch(Arc::downgrade(&limits.gateway), Share::bounds));
        limits.show(meter);
        limits
    }

    /// Applies new limits; calls in flight stay and are counted.
    pub(crate) fn apply(&self, config: &LimitsConfig, providers: &[&str]) {
        let most = config.gateway.max.map_or(self.most - self.most / 16, NonZeroUsize::get).max(1);
        let lag = Duration::from_millis(config.gateway.lag_ms);
        let bounds = LimitBounds { min: least(config.gateway.min, most), max: most, lag };
        self.gateway.set(config.gateway.mode, bounds, false);
        let share = config.provider.max.map_or(most.div_ceil(2), NonZeroUsize::get);
        let before = self.providers.load();
        let shares = providers.iter().map(|name| {
            let provider = before.get(*name).cloned().unwrap_or_else(|| Arc::new(Share::new()));
            let own = config.providers.get(*name).map_or(share, |own| own.get());
            let bounds = LimitBounds { min: least(config.provider.min, own), max: own, lag };
            provider.set(config.provider.mode, bounds, true);
            (Arc::from(*name), provider)
        });
        self.providers.store(Arc::new(shares.collect()));
    }

    /// The principals' quotas.
    pub(crate) fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// Admits a call under its principal's limits, or refuses it.
    pub(crate) fn enter(&self, quota: &Arc<Quota>) -> Result<QuotaPermit, Box<Answer>> {
        let principal = quota.enter().map_err(|limit| self.refused("principal_in_flight", too_many(quota, limit)))?;
        quota.take().map_err(|wait| self.refused("principal_rate", too_fast(quota, wait)))?;
        Ok(principal)
    }

    /// Admits a call to a provider, or refuses it. Its request is complete: a caller that sends slowly takes no capacity from
    /// others.
    pub(crate) fn admit(&self, principal: QuotaPermit, provider: &str) -> Result<CallPermit, Box<Answer>> {
        let provider = match self.providers.load().get(provider) {
            Some(share) => Some(share.enter().map_err(|_| self.refused("provider", busy(provider)))?),
            None => None,
        };
        let gateway = self.gateway.enter().map_err(|_| self.refused("gateway", overloaded()))?;
        Ok(CallPermit { _principal: principal, _provider: provider, _gateway: gateway })
    }

    /// The gateway's own usage.
    pub(crate) fn gateway(&self) -> Usage {
        self.gateway.usage()
    }

    /// The usage of a provider.
    pub(crate) fn provider(&self, name: &str) -> Option<Usage> {
        self.providers.load().get(name).map(|share| share.usage())
    }

    /// The usage of all known principals, by name.
    pub(crate) fn principals(&self) -> Vec<(Arc<str>, Usage)> {
        self.quotas.usages()
    }

    fn refused(&self, why: &'static str, answer: Box<Answer>) -> Box<Answer> {
        self.shed.add(1, &[KeyValue::new(protocol::names::REASON, why)]);
        answer
    }

    /// Registers the gauges.
    fn show(self: &Arc<Self>, meter: &Meter) {
        let gauge = |name, description, read: fn(Usage) -> Option<usize>| {
            let limits = Arc::downgrade(self);
            let gauge = meter.u64_observable_gauge(name).with_description(description);
            gauge
                .with_callback(move |gauge| {
                    let Some(limits) = limits.upgrade() else { return };
                    if let Some(value) = read(limits.gateway()) {
                        gauge.observe(value as u64, &[]);
                    }
                    for (name, share) in limits.providers.load().iter() {
                        if let Some(value) = read(share.usage()) {
                            let provider = KeyValue::new(protocol::names::PROVIDER, Arc::clone(name));
                            gauge.observe(value as u64, &[provider]);
                        }
                    }
                })
                .build()
        };
        gauge(IN_FLIGHT, "Calls in flight, by provider and in all", |usage| Some(usage.in_flight));
        gauge(LIMIT, "How many calls may be in flight, by provider and in all", |usage| usage.limit);
    }
}

impl QuotaLimits {
    /// The limits of a principal without its own.
    pub(crate) fn usual(all: &LimitsConfig) -> Self {
        Self::between((None, None, None), all)
    }

    /// The limits of a principal: its own, or those of `[limits]`.
    pub(crate) fn of(principal: &PrincipalConfig, all: &LimitsConfig) -> Self {
        Self::between((principal.in_flight, principal.rate, principal.burst), all)
    }

    fn between(own: (Option<NonZeroUsize>, Option<f64>, Option<f64>), all: &LimitsConfig) -> Self {
        let (in_flight, rate, burst) = own;
        let rate = rate.or(all.rate_per_principal);
        let burst = burst.or(all.burst_per_principal).or(rate).unwrap_or(1.0);
        Self { in_flight: in_flight.unwrap_or(all.in_flight_per_principal).get(), rate, burst }
    }
}

/// Where an adaptive limit ends below.
fn least(min: Option<NonZeroUsize>, max: usize) -> usize {
    min.map_or(max / 16, NonZeroUsize::get).clamp(1, max)
}

fn too_many(quota: &Quota, limit: usize) -> Box<Answer> {
    let text = format!("{limit} calls of this principal are in flight, which is the limit");
    Answer::new(Code::ResourceExhausted, "TOO_MANY_CALLS", text.clone())
        .quota(&format!("principal:{}", quota.name()), &text)
        .outcome(Outcome::NotSent)
        .retry_after(COME_AGAIN)
}

fn too_fast(quota: &Quota, wait: Duration) -> Box<Answer> {
    let text = "this principal makes more calls a second than it may";
    Answer::new(Code::ResourceExhausted, "RATE_LIMITED", text)
        .quota(&format!("principal:{}", quota.name()), text)
        .outcome(Outcome::NotSent)
        .retry_after(wait)
}

/// As many calls to a provider are in flight as its share, or its instances, take.
pub(crate) fn busy(provider: &str) -> Box<Answer> {
    let text = format!("as many calls to provider {provider} are in flight as may be");
    Answer::new(Code::Unavailable, "PROVIDER_BUSY", text)
        .with("provider", provider)
        .outcome(Outcome::NotSent)
        .retry_after(COME_AGAIN)
}

fn overloaded() -> Box<Answer> {
    Answer::new(Code::Unavailable, "GATEWAY_BUSY", "the gateway carries as many calls as it can")
        .outcome(Outcome::NotSent)
        .retry_after(COME_AGAIN)
}

#[cfg(test)]
mod tests;
