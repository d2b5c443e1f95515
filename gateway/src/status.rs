//! The state of the gateway: `/status.json`, and the page `/` that displays it.
//!
//! [`CallStats`] counts every completed call by provider and second; a request adds the state of limits, fleet and catalog.
//! Counting is a few atomic additions; only a failed call takes a lock, for the list of recent failures.

mod history;
pub(crate) mod key_list;
pub(crate) mod method_list;
mod open_breakers;
mod page;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Instant, SystemTime},
};

use arc_swap::ArcSwap;
use axum::{Json, Router, extract::State, http::header, routing::get};
use chassis::Process;
use jiff::Timestamp;
use protocol::dependency::{Dependency, DependencyState};
use serde::Serialize;
use serving::{CallObserver, CompletedCall, RefusalSummary};

use self::history::{CallResult, History, Summary};
use crate::{
    catalog::Catalog,
    fleet::{ready::InstanceState, route::Route, routes::Routes},
    identity::Identity,
    limits::{Limits, Usage},
    status::{
        key_list::KeyList,
        open_breakers::{BreakerStatus, OpenBreakers},
    },
};

/// Failures that are remembered.
const FAILURES: usize = 25;
/// One failure per so many answers is not significant.
const FEW: u32 = 100;
/// Principals that are shown, the busiest first.
const PRINCIPALS: usize = 50;

/// Counts calls as they end.
#[derive(Debug)]
pub(crate) struct CallStats {
    begun: Instant,
    all: History,
    providers: ArcSwap<HashMap<Arc<str>, Arc<ProviderStats>>>,
    failures: Mutex<VecDeque<FailedCall>>,
}

/// The statistics of one provider.
#[derive(Debug, Default)]
struct ProviderStats {
    history: History,
    resting: OpenBreakers,
}

/// One instance as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InstanceStatus {
    /// `host:port`.
    pub(crate) address: String,
    /// `up`, `connecting`, `down` or `resting`.
    pub(crate) state: &'static str,
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// How long its calls take, if that is known.
    pub(crate) latency_ms: Option<f64>,
}

impl InstanceStatus {
    /// The status of an instance.
    pub(crate) fn of(instance: &InstanceState) -> Self {
        Self {
            address: instance.instance.endpoint.to_string(),
            state: instance.state(),
            in_flight: instance.instance.pending(),
            latency_ms: instance.instance.latency().map(|latency| latency.as_secs_f64() * 1e3),
        }
    }
}

/// Everything that the page shows.
#[derive(Clone)]
pub(crate) struct View {
    /// The process.
    pub(crate) process: Process,
    /// Counts.
    pub(crate) stats: Arc<CallStats>,
    /// Limits.
    pub(crate) limits: Arc<Limits>,
    /// Instances; they end with the edge, and a page must not keep them.
    pub(crate) routes: Weak<Routes>,
    /// Methods.
    pub(crate) catalog: Arc<Catalog>,
    /// Keys.
    pub(crate) identity: Arc<Identity>,
}

#[derive(Debug, Clone, Serialize)]
struct FailedCall {
    time: String,
    method: String,
    code: &'static str,
    reason: Option<String>,
    principal: Option<String>,
    account: Option<String>,
    client_address: Option<IpAddr>,
    instance: Option<String>,
    request_id: String,
    duration_ms: f64,
}

#[derive(Serialize)]
struct GatewayStatus {
    name: &'static str,
    version: &'static str,
    state: &'static str,
    uptime_seconds: u64,
    config: chassis::ConfigState,
    gateway: GroupStatus,
    providers: Vec<ProviderStatus>,
    principals: Vec<PrincipalStatus>,
    keys: KeyList,
    failures: Vec<FailedCall>,
    /// Who was refused.
    refused: RefusalSummary,
}

#[derive(Serialize)]
struct GroupStatus {
    #[serde(flatten)]
    usage: Usage,
    #[serde(flatten)]
    history: Summary,
}

#[derive(Serialize)]
struct ProviderStatus {
    name: String,
    /// `up`, `degraded` or `down`.
    health: &'static str,
    /// Methods that its service has described.
    methods: usize,
    #[serde(flatten)]
    group: GroupStatus,
    instances: Vec<InstanceStatus>,
    /// Accounts whose upstream is left alone.
    resting: Vec<BreakerStatus>,
}

#[derive(Serialize)]
struct PrincipalStatus {
    name: String,
    #[serde(flatten)]
    usage: Usage,
}

impl CallStats {
    /// Starts to count the calls of these providers.
    pub(crate) fn new<'a>(providers: impl IntoIterator<Item = &'a str>) -> Arc<Self> {
        let records = providers.into_iter().map(|name| (Arc::from(name), Arc::default()));
        Arc::new(Self {
            begun: Instant::now(),
            all: History::default(),
            providers: ArcSwap::from_pointee(records.collect()),
            failures: Mutex::default(),
        })
    }

    /// The statistics of a provider; those of a new one start now.
    fn provider(&self, name: &Arc<str>) -> Arc<ProviderStats> {
        if let Some(provider_stats) = self.providers.load().get(name) {
            return Arc::clone(provider_stats);
        }
        let provider_stats = Arc::<ProviderStats>::default();
        self.providers.rcu(|providers| {
            let mut more = HashMap::clone(providers);
            more.insert(Arc::clone(name), Arc::clone(&provider_stats));
            more
        });
        provider_stats
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, VecDeque<FailedCall>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallObserver for CallStats {
    fn ended(&self, call: &CompletedCall<'_>) {
        let end = CallResult::of(call);
        self.all.add(call.took, end);
        if let Some(provider) = call.provider()
            && let Some(provider_stats) = self.providers.load().get(provider.as_str())
        {
            provider_stats.history.add(call.took, end);
            provider_stats.resting.observe(call);
        }
        if end == CallResult::Failed {
            let mut failures = self.failures();
            failures.truncate(FAILURES - 1);
            failures.push_front(FailedCall::of(call));
        }
    }
}

impl FailedCall {
    fn of(call: &CompletedCall<'_>) -> Self {
        Self {
            time: prost_types::Timestamp::from(SystemTime::now()).to_string(),
            method: call.method.to_owned(),
            code: protocol::names::code_name(call.code),
            reason: call.reason.as_ref().map(|reason| reason.reason.clone()),
            principal: call.principal.map(str::to_owned),
            account: call.account.map(str::to_owned),
            client_address: call.client_address,
            instance: call.instance.as_deref().map(str::to_owned),
            request_id: call.request_id.to_owned(),
            duration_ms: call.took.as_micros() as f64 / 1000.0,
        }
    }
}

impl View {
    /// The routes of the admin port.
    pub(crate) fn routes(self) -> Router {
        let page = Arc::new(page::StatusPage::new());
        Router::new()
            .route("/status.json", get(json))
            .route("/methods", get(method_list::answer))
            .with_state(Arc::new(self))
            .route("/", get(move || async move { page.answer() }))
    }

    fn status(&self) -> GatewayStatus {
        GatewayStatus {
            name: self.process.name(),
            version: env!("CARGO_PKG_VERSION"),
            state: if self.process.is_stopping() { "stopping" } else { "serving" },
            uptime_seconds: self.stats.begun.elapsed().as_secs(),
            config: self.process.config_state(),
            gateway: GroupStatus { usage: self.limits.gateway(), history: self.stats.all.summary() },
            providers: self.providers(),
            principals: self.principals(),
            keys: KeyList::of(&self.identity),
            failures: self.stats.failures().iter().cloned().collect(),
            refused: self.process.refusals().summary(),
        }
    }

    fn providers(&self) -> Vec<ProviderStatus> {
        let Some(routes) = self.routes.upgrade() else {
            return Vec::new();
        };
        let mut providers: Vec<_> = routes.all().iter().map(|route| self.provider(route)).collect();
        providers.sort_by(|one, other| one.name.cmp(&other.name));
        providers
    }

    fn provider(&self, route: &Route) -> ProviderStatus {
        let provider_stats = self.stats.provider(&route.provider);
        let usage = self.limits.provider(&route.provider).unwrap_or(Usage { in_flight: 0, limit: None });
        let mut provider = ProviderStatus {
            name: route.provider.as_ref().to_owned(),
            health: "",
            methods: self.catalog.methods(&route.provider),
            group: GroupStatus { usage, history: provider_stats.history.summary() },
            instances: route.pool.ready.load().states.iter().map(InstanceStatus::of).collect(),
            resting: provider_stats.resting.list(),
        };
        provider.health = provider.state().as_str();
        provider
    }

    /// How the providers are, for `/readyz?verbose`.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let describe = |provider: &ProviderStatus| Dependency::new(provider.name.clone(), provider.state(), provider);
        self.providers().iter().map(describe).collect()
    }

    fn principals(&self) -> Vec<PrincipalStatus> {
        let levels = self.limits.principals().into_iter();
        let mut principals: Vec<_> =
            levels.map(|(name, usage)| PrincipalStatus { name: name.as_ref().to_owned(), usage }).collect();
        // Stable: those with the same number stay in the order of their names.
        principals.sort_by_key(|principal| std::cmp::Reverse(principal.usage.in_flight));
        principals.truncate(PRINCIPALS);
        principals
    }
}

impl ProviderStatus {
    /// Down if no instance takes calls or all calls of the last minute failed; degraded if anything is wrong.
    fn state(&self) -> DependencyState {
        let (failures, answers) = self.group.history.last_minute();
        let up = self.up();
        let is_down = up == 0 || (failures > 0 && answers == 0);
        let fails = failures > answers / FEW;
        let is_incomplete = up < self.instances.len() || self.methods == 0 || !self.resting.is_empty();
        DependencyState::of(is_down, fails || is_incomplete)
    }

    fn up(&self) -> usize {
        self.instances.iter().filter(|instance| instance.state == "up").count()
    }
}

impl fmt::Display for ProviderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failures, answers) = self.group.history.last_minute();
        write!(f, "{} of {} instances up, ", self.up(), self.instances.len())?;
        match self.methods {
            0 => f.write_str("not described yet")?,
            methods => write!(f, "{methods} methods")?,
        }
        write!(f, ", {failures} of {} calls failed in the last minute", failures + answers)?;
        let accounts: BTreeSet<_> = self.resting.iter().map(BreakerStatus::account).collect();
        match accounts.is_empty() {
            true => Ok(()),
            false => write!(f, ", upstream rests: {}", accounts.into_iter().collect::<Vec<_>>().join(" ")),
        }
    }
}

/// A time in RFC 3339, UTC, as the page shows it.
pub(crate) fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("stats", &self.stats).finish_non_exhaustive()
    }
}

async fn json(State(view): State<Arc<View>>) -> ([(header::HeaderName, &'static str); 1], Json<GatewayStatus>) {
    ([(header::CACHE_CONTROL, "no-store")], Json(view.status()))
}
