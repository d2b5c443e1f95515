//! Where instances come from: the configuration, DNS or Consul.

mod consul;
mod dns;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};

pub(crate) use self::dns::DnsSource;
use crate::fleet::endpoint::Endpoint;

/// The instances of a service, in order and each once.
pub(crate) type Endpoints = Arc<[Endpoint]>;

/// Where the instances of one service are found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InstanceSource {
    /// Listed in the configuration.
    Static(Endpoints),
    /// The addresses of a DNS name.
    DnsSource(DnsSource),
    /// Registered in Consul.
    Consul(consul::ConsulSource),
}

impl InstanceSource {
    /// Instances from a list.
    pub(crate) fn of_list(list: impl IntoIterator<Item = Endpoint>) -> Self {
        Self::Static(ordered(list))
    }

    /// Instances from Consul, and the list to begin with while it has not answered.
    pub(crate) fn of_consul(
        consul: chassis::Consul,
        service: &str,
        tls: bool,
        fallback: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        Self::Consul(consul::ConsulSource { consul, service: service.into(), tls, fallback: ordered(fallback) })
    }

    /// Publishes the instances forever; `trouble` is notified of an instance that cannot be reached.
    pub(crate) async fn follow(self, told: watch::Sender<Endpoints>, trouble: Arc<Notify>) {
        match self {
            Self::Static(endpoints) => tell(&told, endpoints),
            Self::DnsSource(dns) => dns.follow(&told, &trouble).await,
            Self::Consul(watch) => watch.follow(&told).await,
        }
    }
}

/// Replaces the known instances if they have changed.
fn tell(told: &watch::Sender<Endpoints>, endpoints: Endpoints) {
    told.send_if_modified(|known| {
        let is_new = *known != endpoints;
        *known = endpoints;
        is_new
    });
}

fn ordered(list: impl IntoIterator<Item = Endpoint>) -> Endpoints {
    let mut list: Vec<_> = list.into_iter().collect();
    list.sort_unstable();
    list.dedup();
    list.into()
}

/// A time that differs from one gateway to the next: between half of it and all of it.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.5 + 0.5 * fastrand::f64())
}
