//! All proxies in turns, so that the noise of the machine falls on all of them alike.

use std::time::Duration;

use tokio::time::sleep;

use super::harness::{Harness, Kind, Proxy};
use crate::{Failure, measured::quantile};

/// Turns of each proxy.
const TURNS: usize = 5;
/// Calls before the measurement begins: pools fill, pages are touched, tokens are known.
const WARM_UP: usize = 1000;
/// How long a process may tidy up after its last call.
const REST: Duration = Duration::from_millis(20);

/// What was measured of one proxy.
pub(super) struct Measured {
    pub(super) kind: Kind,
    pub(super) resident_mib: f64,
    latencies: Vec<Duration>,
    cpu: Duration,
}

impl Measured {
    /// CPU time of one call in microseconds.
    pub(super) fn per_call(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.calls().max(1) as f64
    }

    /// How many calls were made.
    pub(super) fn calls(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that a share of the calls does not exceed, in milliseconds.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        quantile(&self.latencies, share).as_secs_f64() * 1e3
    }
}

/// Measures every proxy with a number of connections.
pub(super) async fn measure(harness: &Harness, connections: usize, calls: usize) -> Result<Vec<Measured>, Failure> {
    let mut all = Vec::new();
    for proxy in &harness.proxies {
        harness.client.call(proxy.process.address, connections, WARM_UP.max(connections)).await?;
        let empty = Measured { kind: proxy.kind, resident_mib: 0.0, latencies: Vec::new(), cpu: Duration::ZERO };
        all.push((proxy, empty));
    }
    for _ in 0..TURNS {
        for (proxy, measured) in &mut all {
            turn(harness, proxy, measured, connections, (calls / TURNS).max(connections)).await?;
        }
    }
    let mut all: Vec<Measured> = all.into_iter().map(|(_, measured)| measured).collect();
    all.iter_mut().for_each(|measured| measured.latencies.sort_unstable());
    Ok(all)
}

async fn turn(
    harness: &Harness,
    proxy: &Proxy,
    measured: &mut Measured,
    connections: usize,
    calls: usize,
) -> Result<(), Failure> {
    let before = proxy.process.cpu()?;
    measured.latencies.extend(harness.client.call(proxy.process.address, connections, calls).await?);
    sleep(REST).await;
    measured.cpu += proxy.process.cpu()?.saturating_sub(before);
    measured.resident_mib = proxy.process.resident()?;
    Ok(())
}
