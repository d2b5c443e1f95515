//! From a provider to an instance of its service.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use chassis::caller::{Root, Signer};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tower::retry::budget::TpsBudget;

use crate::{
    config::RouteConfig,
    fleet::link::{Link, Seat},
    method::provider_segment,
    status::InstanceStatus,
};

/// How long a call waits for a connection that is just being opened.
const OPENING: Duration = Duration::from_secs(1);

/// Why no instance takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vacancy {
    /// None is connected.
    Unreachable,
    /// All connections carry as many calls as they may.
    Full,
}

/// The instances of one provider's service.
pub(crate) struct Route {
    /// The provider, e.g. `internet-solutions`.
    pub(crate) provider: Arc<str>,
    /// Signs caller contexts for the service, e.g. `ispbridge-internet-solutions`, and no other.
    pub(crate) signer: Signer,
    /// Hears of every connection that opens or closes.
    pub(crate) changed: Arc<Notify>,
    /// Limits how many reads are sent again: a fifth of the calls and ten a second.
    pub(crate) budget: TpsBudget,
    links: Vec<Arc<Link>>,
}

impl Route {
    fn new(config: &RouteConfig, root: &Root) -> Self {
        let origins = config.instances.iter().map(|instance| instance.uri());
        let links =
            origins.flat_map(|uri| (0..config.connections.get()).map(move |_| Link::new(uri.clone()))).collect();
        Self {
            signer: root.signer(&format!("ispbridge-{}", config.provider)),
            provider: config.provider.as_str().into(),
            changed: Arc::default(),
            budget: TpsBudget::new(Duration::from_secs(10), 10, 0.2),
            links,
        }
    }

    /// The provider as it stands in package names, e.g. `internet_solutions`.
    pub(crate) fn segment(&self) -> String {
        self.provider.replace('-', "_")
    }

    /// The instances as the status page shows them.
    pub(crate) fn instances(&self) -> Vec<InstanceStatus> {
        let mut instances: Vec<InstanceStatus> = Vec::new();
        for link in &self.links {
            let address = link.origin().authority().map_or("", |authority| authority.as_str());
            let state = if link.is_up() {
                "up"
            } else if link.is_connecting() {
                "connecting"
            } else {
                "down"
            };
            // All connections to an instance stand next to each other; one that is up is enough.
            match instances.last_mut().filter(|last| last.address == address) {
                Some(last) => {
                    last.in_flight += link.load();
                    last.state = if last.state == "up" { "up" } else { state };
                }
                None => instances.push(InstanceStatus {
                    address: address.to_owned(),
                    state,
                    in_flight: link.load(),
                    latency_ms: None,
                }),
            }
        }
        instances
    }

    /// Whether an instance is connected.
    pub(crate) fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.is_up())
    }

    /// Finds a place for a call, not on `avoid` if there is another; waits shortly for a connection that is being opened.
    pub(crate) async fn seat(&self, avoid: Option<&Arc<Link>>, deadline: Instant) -> Result<Seat, Vacancy> {
        let patience = deadline.min(Instant::now() + OPENING);
        loop {
            let changed = self.changed.notified();
            let vacancy = match self.pick(avoid) {
                Ok(seat) => return Ok(seat),
                Err(vacancy) => vacancy,
            };
            let opening = self.links.iter().any(|link| link.is_connecting());
            if vacancy == Vacancy::Full || !opening || timeout_at(patience, changed).await.is_err() {
                return Err(vacancy);
            }
        }
    }

    /// The less loaded of two connections taken by chance; if both are full, any other one.
    fn pick(&self, avoid: Option<&Arc<Link>>) -> Result<Seat, Vacancy> {
        let usable = |link: &&Arc<Link>| link.is_up();
        let mut up: Vec<_> = self.links.iter().filter(usable).collect();
        if let Some(avoid) = avoid
            && up.len() > 1
        {
            up.retain(|link| !Arc::ptr_eq(link, avoid));
        }
        if up.is_empty() {
            return Err(Vacancy::Unreachable);
        }
        let chance = || up[fastrand::usize(..up.len())];
        let (one, other) = (chance(), chance());
        let lighter = if one.load() <= other.load() { one } else { other };
        let mut rest = up.iter();
        lighter.seat().or_else(|| rest.find_map(|link| link.seat())).ok_or(Vacancy::Full)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut route = f.debug_struct("Route");
        route.field("provider", &self.provider).field("links", &self.links);
        route.finish_non_exhaustive()
    }
}

/// Every provider the gateway knows, and the tasks that keep their connections open.
#[derive(Debug)]
pub(crate) struct Routes {
    by_segment: HashMap<String, Arc<Route>>,
    /// Ends the tasks with the routes.
    _keepers: JoinSet<()>,
}

impl Routes {
    /// Builds the table and begins to connect.
    pub(crate) fn open(configs: &[RouteConfig], root: &Root) -> Self {
        let mut keepers = JoinSet::new();
        let mut by_segment = HashMap::new();
        for config in configs {
            let route = Arc::new(Route::new(config, root));
            for link in &route.links {
                keepers.spawn(Arc::clone(link).keep(Arc::clone(&route.changed)));
            }
            by_segment.insert(route.segment(), route);
        }
        Self { by_segment, _keepers: keepers }
    }

    /// The route to a gRPC service by the provider in its package.
    pub(crate) fn find(&self, service: &str) -> Option<&Arc<Route>> {
        self.by_segment.get(provider_segment(service)?)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_segment.values()
    }
}
