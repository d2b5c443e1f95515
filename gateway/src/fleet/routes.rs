//! The routes to all providers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use chassis::Consul;
use config::Error;
use protocol::{caller::Root, provider};
use rustc_hash::FxHashMap;
use rustls::pki_types::ServerName;
use serving::Workers;
use tokio::{sync::watch, task::JoinSet};
use tower::retry::budget::TpsBudget;

use crate::{
    config::{HedgeConfig, RouteConfig, ServicesConfig, TimeoutConfig},
    fleet::{
        endpoint::Endpoint,
        pool::{Plan, Pool, PoolState},
        ready::ReadySet,
        route::Route,
        rules::Rules,
        source::{DnsSource, InstanceSource},
        tls::ServiceTls,
    },
};

/// Bounds of the default number of connections to an instance, which is that of the threads.
const FEWEST: usize = 2;
const MOST: usize = 16;

/// Routes by the provider's segment of a package, e.g. `internet_solutions`.
type RouteTable = FxHashMap<String, Arc<Route>>;

/// The part of the configuration about services.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoutesConfig<'a> {
    /// The providers.
    pub(crate) routes: &'a [RouteConfig],
    /// What is the same for all of them.
    pub(crate) services: &'a ServicesConfig,
    /// What signs the caller contexts.
    pub(crate) root: &'a Root,
    /// The agent of Consul, if there is one.
    pub(crate) consul: Option<&'a Consul>,
    /// The threads that serve calls.
    pub(crate) workers: &'a Workers,
    /// How long calls may take.
    pub(crate) timeouts: &'a [TimeoutConfig],
    /// Which reads are asked twice.
    pub(crate) hedging: &'a [HedgeConfig],
}

/// The routes, replaced as a whole when the configuration changes.
#[derive(Debug)]
pub(crate) struct Routes {
    table: ArcSwap<RouteTable>,
    /// Senders of the pools' plans, by the same keys as the table; a pool ends when its sender is dropped.
    senders: Mutex<HashMap<String, watch::Sender<Plan>>>,
    /// Stops the pools when the routes are dropped.
    pools: Mutex<JoinSet<()>>,
}

impl Routes {
    /// Builds the table and starts to connect.
    ///
    /// # Errors
    /// The key of the configuration that is wrong.
    pub(crate) fn open(wanted: RoutesConfig<'_>) -> Result<Self, Error> {
        let routes = Self { table: ArcSwap::default(), senders: Mutex::default(), pools: Mutex::default() };
        routes.update(wanted)?;
        Ok(routes)
    }

    /// Applies a configuration: new routes are connected, removed ones get no more calls, the others keep their connections.
    ///
    /// # Errors
    /// The key that is wrong; everything then stays as it was.
    pub(crate) fn update(&self, wanted: RoutesConfig<'_>) -> Result<(), Error> {
        let plans = wanted.plans()?;
        let rules = Arc::new(Rules::new(wanted.timeouts, wanted.hedging));
        let before = self.table.load_full();
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = RouteTable::default();
        for (config, plan) in wanted.routes.iter().zip(plans) {
            let segment = provider::segment(&config.provider);
            let shared = match (before.get(&segment), senders.get(&segment)) {
                (Some(route), Some(plan_sender)) => {
                    replace(plan_sender, plan);
                    (Arc::clone(&route.pool), Arc::clone(&route.budget))
                }
                _ => {
                    let (plan_sender, pool) = self.begin(config.provider.as_str().into(), plan, wanted.workers);
                    senders.insert(segment.clone(), plan_sender);
                    (pool, Arc::new(TpsBudget::new(Duration::from_secs(10), 10, 0.2)))
                }
            };
            let (pool, budget) = shared;
            let route = Route {
                provider: config.provider.as_str().into(),
                signer: wanted.root.signer(&provider::program(&config.provider)),
                changed: Arc::clone(&pool.changed),
                rules: Arc::clone(&rules),
                budget,
                pool,
            };
            table.insert(segment, Arc::new(route));
        }
        senders.retain(|segment, _| table.contains_key(segment));
        self.table.store(Arc::new(table));
        Ok(())
    }

    fn begin(&self, provider: Arc<str>, plan: Plan, workers: &Workers) -> (watch::Sender<Plan>, Arc<PoolState>) {
        let pool = Arc::new(PoolState { ready: ArcSwap::from_pointee(ReadySet::nobody()), changed: Arc::default() });
        let (sender, plans) = watch::channel(plan);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // Removes those that have ended.
        while pools.try_join_next().is_some() {}
        pools.spawn(Pool::new(provider, Arc::clone(&pool), workers.clone()).run(plans));
        (sender, pool)
    }

    /// The route to a gRPC service by the provider in its package.
    pub(crate) fn find(&self, service: &str) -> Option<Arc<Route>> {
        self.table.load().get(provider::segment_of_service(service)?).cloned()
    }

    /// The route of a provider by its name, e.g. `internet-solutions`.
    pub(crate) fn of_provider(&self, provider: &str) -> Option<Arc<Route>> {
        self.table.load().get(&provider::segment(provider)).filter(|route| &*route.provider == provider).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Route>> {
        self.table.load().values().cloned().collect()
    }
}

impl RoutesConfig<'_> {
    fn plans(self) -> Result<Vec<Plan>, Error> {
        let tls = self.services.tls.as_ref().map(ServiceTls::new).transpose();
        let tls = tls.map_err(|(key, problem)| Error::config(format!("services.tls.{key}"), problem))?;
        let routes = self.routes.iter().enumerate();
        routes.map(|(index, route)| self.plan(index, route, tls.as_ref())).collect()
    }

    fn plan(self, index: usize, route: &RouteConfig, tls: Option<&ServiceTls>) -> Result<Plan, Error> {
        let key = |field: &str| format!("routes[{index}].{field}");
        let listed = || route.instances.iter().map(|instance| Endpoint::of_uri(instance.uri()));
        let source = match (&route.dns, &route.consul) {
            (Some(dns), _) => {
                InstanceSource::DnsSource(DnsSource { host: dns.host().into(), port: dns.port(), tls: route.tls })
            }
            (None, Some(name)) => {
                let none = || Error::config(key("consul"), "must not be given without the section [consul]");
                let consul = self.consul.ok_or_else(none)?.clone();
                let service = name.name().map_or_else(|| provider::program(&route.provider), str::to_owned);
                InstanceSource::of_consul(consul, &service, route.tls, listed())
            }
            (None, None) => InstanceSource::of_list(listed()),
        };
        let name = match (&route.server_name, &route.dns) {
            (Some(name), _) => Some(name.as_str()),
            (None, Some(dns)) => Some(dns.host()),
            (None, None) => None,
        };
        let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
        let name = name.map_err(|_| Error::config(key("server_name"), "must be a name in DNS, or an IP address"))?;
        let tls = tls.map(|tls| tls.named(name));
        Ok(Plan { source, connections: self.connections(route), tls })
    }

    /// The configured number, otherwise one per thread.
    fn connections(self, route: &RouteConfig) -> usize {
        let usual = || self.workers.count().clamp(FEWEST, MOST);
        route.connections.map_or_else(usual, |connections| usize::from(connections.get()))
    }
}

/// Replaces a plan and notifies only if it differs.
fn replace(plan_sender: &watch::Sender<Plan>, plan: Plan) {
    plan_sender.send_if_modified(|current| {
        let is_new = *current != plan;
        *current = plan;
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_of_nine_hundred_routes_is_found_and_no_other() {
        let root = Root::new("k1", "0123456789abcdef0123456789abcdef").unwrap();
        let entry = |number| format!("[[routes]]\nprovider = \"isp-{number}\"\ninstances = [\"http://127.0.0.1:1\"]\n");
        let table: toml::Table = (0..900).map(entry).collect::<String>().parse().unwrap();
        let routes: Vec<RouteConfig> = table["routes"].clone().try_into().unwrap();
        let opened = Routes::open(RoutesConfig {
            routes: &routes,
            services: &ServicesConfig::default(),
            root: &root,
            consul: None,
            workers: &Workers::default(),
            timeouts: &[],
            hedging: &[],
        });
        let opened = opened.unwrap();
        assert_eq!(opened.all().len(), 900);
        assert!((0..900).all(|number| opened.find(&format!("ispbridge.isp_{number}.v1.S")).is_some()));
        assert!(opened.find("ispbridge.isp_900.v1.S").is_none() && opened.find("ispbridge.none.v1.S").is_none());
    }
}
