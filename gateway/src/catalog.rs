//! What the gateway has discovered about all providers: their descriptors, and which methods only read.
//!
//! The cost of a refresh depends on that provider's description alone. Everything derived from descriptors (reflection indices,
//! JSON messages, OpenAPI documents) is built on first use.

mod contract;
mod discover;
mod filter;
mod memo;
pub(crate) mod method_list;
pub(crate) mod refresher;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use protocol::{
    method::{Idempotency, MethodName},
    provider,
    redact::Redactor,
};
use rustc_hash::FxHashMap;
use serving::Reflection;
use tokio::time::sleep;
use tonic::Code;

use self::contract::Contract;
use crate::{
    answer::{self, Answer, Outcome},
    catalog::{discover::SharedFiles, memo::Memo},
    fleet::route::Route,
    openapi,
    policy::Grants,
};

/// Pause before the next attempt after a failed one.
const AGAIN: Duration = Duration::from_secs(2);

/// Time after which a description is refreshed in any case.
const REFRESH: Duration = Duration::from_secs(60);

/// The messages of the gateway's own health.
static HEALTH: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let set = tonic_health::pb::FILE_DESCRIPTOR_SET;
    DescriptorPool::decode(set).unwrap_or_default()
});

/// What a provider has described of one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Whether it reads or writes.
    pub(crate) idempotency: Idempotency,
    /// Whether its request is a stream of messages.
    pub(crate) is_client_streaming: bool,
}

/// What is known of one method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MethodInfo {
    /// Whether it reads or writes: a method that its provider has not described counts as a write; `None` if the provider has
    /// not described itself yet.
    pub(crate) idempotency: Option<Idempotency>,
    /// Its full name, if its provider has it.
    pub(crate) name: Option<Arc<str>>,
    /// Whether its request is known to be a single message.
    pub(crate) takes_one: bool,
}

/// Key of a document: the methods it shows (`None`: all), and the providers that have not described themselves yet.
type DocumentKey = (Option<BTreeSet<Arc<str>>>, BTreeSet<String>);

/// An immutable snapshot.
#[derive(Default)]
struct Snapshot {
    contracts: FxHashMap<Arc<str>, Arc<Contract>>,
    /// Reflection by the set of visible services (`None`: all).
    reflections: Memo<Option<BTreeSet<String>>, Option<Reflection>>,
    /// OpenAPI documents.
    documents: Memo<DocumentKey, Bytes>,
}

/// The catalog; each refresh replaces the snapshot.
#[derive(Default)]
pub(crate) struct Catalog {
    current: ArcSwap<Snapshot>,
    /// Held while the snapshot is replaced.
    shared: Mutex<SharedFiles>,
}

impl Catalog {
    /// What is known of a method of a provider.
    pub(crate) fn know(&self, provider: &str, method: &str) -> MethodInfo {
        let snapshot = self.current.load();
        let Some(contract) = snapshot.contracts.get(provider) else {
            return MethodInfo::default();
        };
        match contract.methods().get_key_value(method) {
            Some((name, signature)) => MethodInfo {
                idempotency: Some(signature.idempotency),
                name: Some(Arc::clone(name)),
                takes_one: !signature.is_client_streaming,
            },
            None => MethodInfo { idempotency: Some(Idempotency::Write), ..MethodInfo::default() },
        }
    }

    /// Whether a method reads or writes, if a provider has it.
    pub(crate) fn of_method(&self, method: &str) -> Option<Idempotency> {
        let (service, _) = method.split_once('/')?;
        self.current.load().of(service)?.methods().get(method).map(|signature| signature.idempotency)
    }

    /// The descriptor of a method.
    ///
    /// # Errors
    /// There is no such method, or its provider has not described itself yet.
    pub(crate) fn described(&self, method: &MethodName<'_>) -> Result<MethodDescriptor, Box<Answer>> {
        self.is_ready(method)?;
        self.current.load().described(method).ok_or_else(|| {
            let text = "no service behind this gateway has this method";
            Answer::new(Code::Unimplemented, "METHOD_UNKNOWN", text).outcome(Outcome::NotSent)
        })
    }

    /// Whether the provider of a method has described itself; the gateway's own services have no provider.
    ///
    /// # Errors
    /// It has not; the error says when to retry.
    pub(crate) fn is_ready(&self, method: &MethodName<'_>) -> Result<(), Box<Answer>> {
        match provider::of_service(method.service) {
            Some(provider) if !self.has_described(&provider) => Err(answer::not_described(&provider)),
            _ => Ok(()),
        }
    }

    /// Whether a provider has described itself.
    pub(crate) fn has_described(&self, provider: &str) -> bool {
        self.current.load().contracts.contains_key(provider)
    }

    /// Whether no provider has described itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.current.load().contracts.is_empty()
    }

    /// The OpenAPI document of what these grants reach (`None`: everything); it lists the providers in `awaited`.
    pub(crate) fn openapi(&self, grants: Option<&Grants>, awaited: BTreeSet<String>) -> Bytes {
        let snapshot = self.current.load_full();
        let key = (grants.map(|grants| snapshot.methods_for(grants)), awaited);
        snapshot.documents.get(&key, || {
            let (visible, awaited) = &key;
            let shown = |method: &str| visible.as_ref().is_none_or(|visible| visible.contains(method));
            let mut document = openapi::document(snapshot.pools(shown), shown);
            openapi::name_missing(&mut document, awaited);
            document.to_string().into()
        })
    }

    /// Reflection over what these grants reach (`None`: everything). `None`, with a log line, if a file cannot be read.
    pub(crate) fn reflection(&self, grants: Option<&Grants>) -> Option<Reflection> {
        let snapshot = self.current.load_full();
        let visible = grants.map(|grants| snapshot.services_for(grants));
        snapshot.reflections.get(&visible, || {
            let indexed = Reflection::new(snapshot.files(visible.as_ref()).into_values());
            indexed.inspect_err(|error| tracing::warn!(%error, "the union of the descriptors cannot be served")).ok()
        })
    }

    /// Whether these grants reach a method of a service, or may reach one that is not described yet.
    pub(crate) fn shows(&self, service: &str, grants: &Grants) -> bool {
        match (self.current.load().of(service), provider::of_service(service)) {
            (Some(contract), _) => contract.services_for(grants).contains(service),
            (None, Some(provider)) => grants.may_reach(service, &provider),
            (None, None) => false,
        }
    }

    /// Whether a provider has a service, or may have it because it has not described itself yet.
    pub(crate) fn may_have(&self, provider: &str, service: &str) -> bool {
        let snapshot = self.current.load();
        snapshot.contracts.get(provider).is_none_or(|contract| contract.has_service(service))
    }

    /// The number of methods of a provider.
    pub(crate) fn methods(&self, provider: &str) -> usize {
        self.current.load().contracts.get(provider).map_or(0, |contract| contract.methods().len())
    }

    /// The methods of all providers.
    pub(crate) fn idempotencies(&self) -> BTreeMap<String, Idempotency> {
        let snapshot = self.current.load();
        let all = snapshot.contracts.values().flat_map(|contract| contract.methods());
        all.map(|(name, signature)| (name.to_string(), signature.idempotency)).collect()
    }

    /// Refreshes a provider's description: at once when its connections change, otherwise periodically.
    pub(crate) async fn follow(self: Arc<Self>, route: Arc<Route>) {
        let mut is_told = false;
        loop {
            let changed = route.changed.notified();
            // Boxed: the task lives as long as its route, and a refresh only for a moment.
            let pause = match Box::pin(self.refresh(&route)).await {
                Ok(()) => {
                    is_told = false;
                    REFRESH
                }
                Err(error) => {
                    // The pool logs a provider that is away.
                    if route.is_up() && !std::mem::replace(&mut is_told, true) {
                        let known = self.has_described(&route.provider);
                        tracing::warn!(provider = %route.provider, %error, known, "the provider does not describe itself");
                    }
                    AGAIN
                }
            };
            tokio::select! {
                () = changed => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Removes a provider that no longer has a route.
    pub(crate) fn forget(&self, provider: &str) {
        let _held = self.lock();
        let mut contracts = self.current.load().contracts.clone();
        if contracts.remove(provider).is_some() {
            self.replace(contracts);
        }
    }

    async fn refresh(&self, route: &Arc<Route>) -> Result<(), discover::DiscoveryError> {
        if !route.is_up() {
            return Err(discover::DiscoveryError::Call(tonic::Code::Unavailable));
        }
        let description = discover::discover(route, &route.segment()).await?;
        self.take(&route.provider, description);
        Ok(())
    }

    /// Stores a provider's description. The other contracts are shared with the previous snapshot.
    fn take(&self, provider: &Arc<str>, mut description: discover::Description) {
        let mut shared = self.lock();
        let before = self.current.load();
        if before.contracts.get(provider).is_some_and(|contract| contract.is(&description)) {
            return;
        }
        let (services, methods) = (description.services.len(), description.methods.len());
        tracing::info!(%provider, services, methods, "provider described");
        shared.join(&mut description);
        let mut contracts = before.contracts.clone();
        contracts.insert(Arc::clone(provider), Arc::new(Contract::new(description)));
        self.replace(contracts);
    }

    fn lock(&self) -> MutexGuard<'_, SharedFiles> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, contracts: FxHashMap<Arc<str>, Arc<Contract>>) {
        self.current.store(Arc::new(Snapshot { contracts, ..Snapshot::default() }));
    }
}

impl Snapshot {
    /// The contract that a service is part of.
    fn of(&self, service: &str) -> Option<&Arc<Contract>> {
        self.contracts.get(&*provider::of_service(service)?)
    }

    fn described(&self, method: &MethodName<'_>) -> Option<MethodDescriptor> {
        let (_, name) = method.full.rsplit_once('/')?;
        let pool = match provider::of_service(method.service) {
            Some(provider) => self.contracts.get(&*provider)?.pool(&provider),
            None => &HEALTH,
        };
        pool.get_service_by_name(method.service)?.methods().find(|one| one.name() == name)
    }
}

impl protocol::redact::Describe for Catalog {
    fn redactor(&self, method: &str) -> Option<Arc<Redactor>> {
        let (service, _) = method.split_once('/')?;
        let provider = provider::of_service(service)?;
        Some(self.current.load().contracts.get(&*provider)?.redactor(&provider))
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.current.load();
        let providers: BTreeSet<_> = snapshot.contracts.keys().collect();
        f.debug_struct("Catalog").field("providers", &providers).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "catalog/tests.rs"]
mod tests;
