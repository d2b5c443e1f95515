//! What was measured on one way.

use std::time::Duration;

use crate::harness::Way;

/// What was measured on one way.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) way: Way,
    pub(crate) latencies: Vec<Duration>,
    pub(crate) hop: Option<Share>,
    pub(crate) service: Share,
}

/// What one process used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    pub(crate) cpu: Duration,
    pub(crate) resident_mib: f64,
}

impl Measured {
    /// CPU time of one call in microseconds.
    pub(crate) fn per_call(&self, share: Share) -> f64 {
        share.cpu.as_secs_f64() * 1e6 / self.latencies.len().max(1) as f64
    }

    /// CPU time of one call in hop and service together, in microseconds.
    pub(crate) fn together(&self) -> f64 {
        self.per_call(self.service) + self.hop.map_or(0.0, |hop| self.per_call(hop))
    }

    /// The latency that a share of the calls does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        quantile(&self.latencies, share)
    }
}

/// The latency that a share of the calls does not exceed, the latencies in order.
pub(crate) fn quantile(latencies: &[Duration], share: f64) -> Duration {
    let place = (latencies.len().saturating_sub(1) as f64 * share).round() as usize;
    latencies.get(place).copied().unwrap_or_default()
}
