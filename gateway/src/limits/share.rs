//! The calls of one provider, or of all, with a fixed or adaptive limit.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{gate::Gate, gradient::Gradient};
use crate::{
    config::LimitMode,
    limits::{Usage, lag::LimitBounds},
};

/// A gate and the rule for its limit.
#[derive(Debug)]
pub(super) struct Share {
    gate: Gate,
    rule: ArcSwap<Rule>,
}

#[derive(Debug)]
struct Rule {
    mode: LimitMode,
    bounds: LimitBounds,
    /// Adapts to the calls' latency.
    gradient: Option<Gradient>,
}

/// A permit for one call of a share, returned on drop.
#[derive(Debug)]
pub(super) struct SharePermit {
    share: Arc<Share>,
    /// When it was taken, if the limit adapts to latency.
    since: Option<Instant>,
}

impl Share {
    /// A share without a limit.
    pub(super) fn new() -> Self {
        let bounds = LimitBounds { min: 1, max: usize::MAX, lag: std::time::Duration::MAX };
        let rule = Rule { mode: LimitMode::Off, bounds, gradient: None };
        Self { gate: Gate::new(usize::MAX), rule: ArcSwap::from_pointee(rule) }
    }

    /// Sets the mode; the adapted limit stays if nothing changes. `learns` says whether it adapts to latency.
    pub(super) fn set(&self, mode: LimitMode, bounds: LimitBounds, learns: bool) {
        let before = self.rule.load();
        if (before.mode, before.bounds) == (mode, bounds) {
            return;
        }
        let gradient = (learns && mode == LimitMode::Adaptive).then(|| Gradient::new(bounds.min, bounds.max));
        self.rule.store(Arc::new(Rule { mode, bounds, gradient }));
        self.gate.set_limit(if mode == LimitMode::Off { usize::MAX } else { bounds.max });
    }

    /// Takes a permit, or returns the limit.
    pub(super) fn enter(self: &Arc<Self>) -> Result<SharePermit, usize> {
        self.gate.enter()?;
        let since = self.rule.load().gradient.is_some().then(Instant::now);
        Ok(SharePermit { share: Arc::clone(self), since })
    }

    /// The bounds, if the limit adapts to something other than latency.
    pub(super) fn bounds(&self) -> Option<LimitBounds> {
        let rule = self.rule.load();
        (rule.mode == LimitMode::Adaptive && rule.gradient.is_none()).then_some(rule.bounds)
    }

    pub(super) fn usage(&self) -> Usage {
        let limited = self.rule.load().mode != LimitMode::Off;
        Usage { in_flight: self.gate.inside(), limit: limited.then(|| self.gate.limit()) }
    }
}

impl AsRef<Gate> for Share {
    fn as_ref(&self) -> &Gate {
        &self.gate
    }
}

impl Drop for SharePermit {
    fn drop(&mut self) {
        self.share.gate.leave();
        if let Some(since) = self.since
            && let Some(gradient) = &self.share.rule.load().gradient
        {
            gradient.ended(since.elapsed(), &self.share.gate);
        }
    }
}
