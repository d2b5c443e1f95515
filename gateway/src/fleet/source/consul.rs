//! Instances that are registered in Consul.

use std::{sync::Arc, time::Duration};

use chassis::{Consul, ConsulInstance};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Endpoints, jittered, ordered, tell};
use crate::fleet::endpoint::Endpoint;

/// Least time from one question to the next: an index that runs wild makes no busy loop.
const PAUSE: Duration = Duration::from_millis(600);

/// Longest time to the next question while Consul gives no answer; the shortest is half of it.
const LAST_PAUSE: Duration = Duration::from_secs(8);

/// A service in Consul's catalogue.
#[derive(Debug, Clone)]
pub(crate) struct ConsulSource {
    /// The agent.
    pub(crate) consul: Consul,
    /// The name it is registered under.
    pub(crate) service: Arc<str>,
    /// Whether its instances speak TLS.
    pub(crate) tls: bool,
    /// What is used until Consul has answered.
    pub(crate) fallback: Endpoints,
}

impl PartialEq for ConsulSource {
    fn eq(&self, other: &Self) -> bool {
        // The agent is that of the process, which changes with a restart only.
        (&self.service, self.tls, &self.fallback) == (&other.service, other.tls, &other.fallback)
    }
}

impl ConsulSource {
    /// Follows the healthy instances by blocking queries; what was known stays while there is nothing better.
    pub(crate) async fn follow(self, told: &watch::Sender<Endpoints>) {
        tell(told, Arc::clone(&self.fallback));
        let mut index = 0;
        let mut pause = PAUSE;
        loop {
            let asked = Instant::now();
            match self.consul.healthy(&self.service, index).await {
                Ok(answer) => {
                    // An index that goes backwards is that of another server, or of one that lost its state.
                    index = if answer.index < index { 0 } else { answer.index };
                    pause = PAUSE;
                    self.take(told, &answer.instances);
                    sleep_until(asked + PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(service = %self.service, %error, "Consul gave no answer; the known instances stay");
                    index = 0;
                    sleep_until((Instant::now() + jittered(pause)).max(asked + PAUSE)).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    fn take(&self, told: &watch::Sender<Endpoints>, instances: &[ConsulInstance]) {
        let endpoint = |instance: &ConsulInstance| Endpoint::new(&instance.host, instance.port, self.tls);
        let endpoints = ordered(instances.iter().map(endpoint));
        if endpoints.is_empty() && !told.borrow().is_empty() {
            // None passes its check: to try those that were there is better than to try none.
            tracing::warn!(service = %self.service, "Consul knows no healthy instance; the known ones stay");
            return;
        }
        tell(told, endpoints);
    }
}
