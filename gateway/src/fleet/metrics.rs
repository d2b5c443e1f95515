//! A gauge of instances by provider and state.

use std::{collections::BTreeMap, sync::Arc};

use chassis::Process;
use opentelemetry::KeyValue;

use crate::fleet::routes::Routes;

/// Gauge: instances of a provider's service in a state.
const INSTANCES: &str = "ispbridge.instances";

/// Attribute of ours: `up`, `connecting`, `down` or `resting`.
const STATE: &str = "ispbridge.state";

/// Observes the instances on every collection, as long as there are routes.
pub(crate) fn observe(process: &Process, routes: &Arc<Routes>) {
    let routes = Arc::downgrade(routes);
    process
        .meter()
        .u64_observable_gauge(INSTANCES)
        .with_description("Instances of services, by provider and state.")
        .with_callback(move |observer| {
            let Some(routes) = routes.upgrade() else { return };
            for route in routes.all() {
                let provider = KeyValue::new(protocol::names::PROVIDER, Arc::clone(&route.provider));
                // States without an instance are reported too, because a series that stops looks like one that does not change.
                let mut counts = BTreeMap::from(["up", "connecting", "down", "resting"].map(|state| (state, 0)));
                for instance in &route.pool.ready.load().states {
                    *counts.entry(instance.state()).or_default() += 1;
                }
                for (state, count) in counts {
                    observer.observe(count, &[provider.clone(), KeyValue::new(STATE, state)]);
                }
            }
        })
        .build();
}
