//! What the gateway has learnt of all providers: which methods only read, and their descriptors.
//!
//! To learn a provider costs what its own description costs, however many others there are: what is made of descriptors
//! (indices for reflection, messages for JSON, documents) is made when somebody asks for it first.

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
use chassis::{Redactor, Reflection};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use protocol::method::Idempotency;
use protocol::method::MethodName;
use protocol::provider;
use rustc_hash::FxHashMap;
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

/// Pause before a provider is asked again that could not be asked.
const AGAIN: Duration = Duration::from_secs(2);

/// Time after which a provider is asked again in any case.
const REFRESH: Duration = Duration::from_secs(60);

/// The messages of the gateway's own health.
static HEALTH: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let set = tonic_health::pb::FILE_DESCRIPTOR_SET;
    DescriptorPool::decode(set).unwrap_or_default()
});

/// What a provider has shown of one method.
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
    /// Whether it reads or writes: one that its provider has not shown writes; `None` if the provider has shown nothing yet.
    pub(crate) idempotency: Option<Idempotency>,
    /// Its full name, if its provider has it.
    pub(crate) name: Option<Arc<str>>,
    /// Whether it takes one message, as far as is known.
    pub(crate) takes_one: bool,
}

/// The methods that a document shows (all of them without a set), and the providers that are awaited.
type DocumentKey = (Option<BTreeSet<Arc<str>>>, BTreeSet<String>);

/// One state of knowledge.
#[derive(Default)]
struct Snapshot {
    contracts: FxHashMap<Arc<str>, Arc<Contract>>,
    /// Reflection by the services that are shown; all of them without a set.
    reflections: Memo<Option<BTreeSet<String>>, Option<Reflection>>,
    /// OpenAPI documents.
    documents: Memo<DocumentKey, Bytes>,
}

/// The knowledge, replaced as a whole when something is learnt.
#[derive(Default)]
pub(crate) struct Catalog {
    current: ArcSwap<Snapshot>,
    /// Held by who replaces the knowledge.
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

    /// What a provider has shown of a method.
    ///
    /// # Errors
    /// That there is no such method, or that nothing is known yet.
    pub(crate) fn described(&self, method: &MethodName<'_>) -> Result<MethodDescriptor, Box<Answer>> {
        self.is_ready(method)?;
        self.current.load().described(method).ok_or_else(|| {
            let text = "no service behind this gateway has this method";
            Answer::new(Code::Unimplemented, "METHOD_UNKNOWN", text).outcome(Outcome::NotSent)
        })
    }

    /// Whether the provider of a method has shown its methods; a service of the gateway itself has no provider.
    ///
    /// # Errors
    /// That it has not, and when to ask again.
    pub(crate) fn is_ready(&self, method: &MethodName<'_>) -> Result<(), Box<Answer>> {
        match provider::of_service(method.service) {
            Some(provider) if !self.has_described(&provider) => Err(answer::not_described(&provider)),
            _ => Ok(()),
        }
    }

    /// Whether a provider has shown its methods.
    pub(crate) fn has_described(&self, provider: &str) -> bool {
        self.current.load().contracts.contains_key(provider)
    }

    /// Whether no provider has described itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.current.load().contracts.is_empty()
    }

    /// The OpenAPI document of what these grants reach, of everything without any; it names the providers that are awaited.
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

    /// Reflection over what these grants reach; over everything without any. Nothing (after a log line) if a file cannot be read.
    pub(crate) fn reflection(&self, grants: Option<&Grants>) -> Option<Reflection> {
        let snapshot = self.current.load_full();
        let visible = grants.map(|grants| snapshot.services_for(grants));
        snapshot.reflections.get(&visible, || {
            let indexed = Reflection::new(snapshot.files(visible.as_ref()).into_values());
            indexed.inspect_err(|error| tracing::warn!(%error, "the union of the descriptors cannot be served")).ok()
        })
    }

    /// Whether these grants reach any method of a service; of one that is not described yet they may.
    pub(crate) fn shows(&self, service: &str, grants: &Grants) -> bool {
        match (self.current.load().of(service), provider::of_service(service)) {
            (Some(contract), _) => contract.services_for(grants).contains(service),
            (None, Some(provider)) => grants.may_reach(service, &provider),
            (None, None) => false,
        }
    }

    /// Whether a provider has shown a service, or may have it because it has shown nothing yet.
    pub(crate) fn may_have(&self, provider: &str, service: &str) -> bool {
        let snapshot = self.current.load();
        snapshot.contracts.get(provider).is_none_or(|contract| contract.has_service(service))
    }

    /// How many methods a provider has shown.
    pub(crate) fn methods(&self, provider: &str) -> usize {
        self.current.load().contracts.get(provider).map_or(0, |contract| contract.methods().len())
    }

    /// Every method that a provider has shown.
    pub(crate) fn idempotencies(&self) -> BTreeMap<String, Idempotency> {
        let snapshot = self.current.load();
        let all = snapshot.contracts.values().flat_map(|contract| contract.methods());
        all.map(|(name, signature)| (name.to_string(), signature.idempotency)).collect()
    }

    /// Asks a provider again and again: at once after each change of its connections, else now and then.
    pub(crate) async fn follow(self: Arc<Self>, route: Arc<Route>) {
        let mut is_told = false;
        loop {
            let changed = route.changed.notified();
            // Boxed, because a follower lives as long as its route and learns for a moment only.
            let pause = match Box::pin(self.refresh(&route)).await {
                Ok(()) => {
                    is_told = false;
                    REFRESH
                }
                Err(error) => {
                    // Who is away is told of by its roster.
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

    /// Forgets a provider that has no route any more.
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

    /// Takes what a provider has shown. The contracts of the others are not touched but for a pointer to each.
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

impl chassis::Describe for Catalog {
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
