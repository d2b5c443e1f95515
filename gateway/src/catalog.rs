//! What the gateway has learnt of all providers: which methods only read, and the union of their descriptors.

mod filter;
pub(crate) mod followers;
mod learn;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use chassis::{RedactError, Redactor};
use http::{Request, Response};
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tokio::time::sleep;
use tonic::{Code, body::Body};
use tonic_reflection::server::Builder;
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    answer::{Answer, Outcome},
    catalog::learn::Description,
    doors::openapi,
    fleet::route::Route,
    method::MethodName,
};

/// Pause before a provider is asked again that could not be asked.
const AGAIN: Duration = Duration::from_secs(2);

/// Time after which a provider is asked again in any case.
const REFRESH: Duration = Duration::from_secs(60);

/// Whether a call can be repeated without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// `idempotency_level = NO_SIDE_EFFECTS`.
    Read,
    /// Everything else.
    Write,
}

/// The reflection service over the union.
pub(crate) type Reflection = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// One state of knowledge.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// Method by `package.Service/Method`.
    methods: HashMap<String, Nature>,
    /// Services of ours by provider.
    services: HashMap<Arc<str>, Vec<String>>,
    /// `grpc.reflection.v1` and `v1alpha`.
    reflection: Option<(Reflection, Reflection)>,
    /// The same by the services that a caller may see.
    filtered: Mutex<HashMap<BTreeSet<String>, (Reflection, Reflection)>>,
    /// The messages of all providers, and of health.
    pool: DescriptorPool,
    /// The OpenAPI document of all that, once somebody has asked for it.
    openapi: OnceLock<Bytes>,
    /// The encoded `FileDescriptorSet` of all.
    descriptors: Vec<u8>,
    /// Reads messages for people, once somebody looks at some.
    redactor: OnceLock<Option<Arc<Redactor>>>,
}

/// The knowledge, replaced as a whole when something is learnt.
#[derive(Default)]
pub(crate) struct Catalog {
    current: ArcSwap<Snapshot>,
    descriptions: Mutex<BTreeMap<Arc<str>, Description>>,
}

impl Catalog {
    /// Whether a method reads or writes: unknown methods write; `None` if nothing of the provider is known yet.
    pub(crate) fn nature(&self, provider: &str, method: &str) -> Option<Nature> {
        let snapshot = self.current.load();
        snapshot.services.contains_key(provider).then(|| {
            let known = snapshot.methods.get(method);
            known.copied().unwrap_or(Nature::Write)
        })
    }

    /// Whether a provider has this method.
    pub(crate) fn has(&self, method: &str) -> bool {
        self.current.load().methods.contains_key(method)
    }

    /// Whether a method reads or writes, if a provider has it.
    pub(crate) fn of_method(&self, method: &str) -> Option<Nature> {
        self.current.load().methods.get(method).copied()
    }

    /// What a provider has shown of a method.
    ///
    /// # Errors
    /// That there is no such method, or that nothing is known yet.
    pub(crate) fn described(&self, method: &MethodName<'_>) -> Result<MethodDescriptor, Box<Answer>> {
        let snapshot = self.current.load();
        let name = method.full.rsplit_once('/').map_or(method.full, |(_, name)| name);
        let service = snapshot.pool.get_service_by_name(method.service);
        let found = service.and_then(|service| service.methods().find(|one| one.name() == name));
        found
            .ok_or_else(|| match snapshot.methods.is_empty() {
                true => Answer::new(Code::Unavailable, "CATALOG_NOT_READY", "no service has shown its methods yet"),
                false => {
                    Answer::new(Code::Unimplemented, "METHOD_UNKNOWN", "no service behind this gateway has this method")
                }
            })
            .map_err(|answer| answer.outcome(Outcome::NotSent))
    }

    /// The OpenAPI document of all methods.
    pub(crate) fn openapi(&self) -> Bytes {
        let snapshot = self.current.load_full();
        let written = snapshot.openapi.get_or_init(|| openapi::document(&snapshot.pool).to_string().into());
        written.clone()
    }

    /// The services that the provider has shown.
    pub(crate) fn services(&self, provider: &str) -> Vec<String> {
        let snapshot = self.current.load();
        snapshot.services.get(provider).cloned().unwrap_or_default()
    }

    /// How many methods a provider has shown.
    pub(crate) fn methods(&self, provider: &str) -> usize {
        self.lock().get(provider).map_or(0, |description| description.methods.len())
    }

    /// The reflection service for a path, once there is one.
    pub(crate) fn reflection(&self, path: &str) -> Option<Reflection> {
        let snapshot = self.current.load();
        snapshot.reflection.as_ref().map(|both| version(both, path))
    }

    /// Offers reflection of the gateway's own services before any provider is known.
    pub(crate) fn begin(&self) {
        self.replace(&self.lock());
    }

    /// Asks a provider again and again: at once after each change of its connections, else now and then.
    pub(crate) async fn follow(self: Arc<Self>, route: Arc<Route>) {
        loop {
            let changed = route.changed.notified();
            let pause = match self.refresh(&route).await {
                Ok(()) => REFRESH,
                Err(error) => {
                    tracing::debug!(provider = %route.provider, %error, "provider not described");
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
        let mut descriptions = self.lock();
        if descriptions.remove(provider).is_some() {
            self.replace(&descriptions);
        }
    }

    async fn refresh(&self, route: &Arc<Route>) -> Result<(), learn::Error> {
        if !route.is_up() {
            return Err(learn::Error::Call(tonic::Code::Unavailable));
        }
        let description = learn::learn(route, &route.segment()).await?;
        let mut descriptions = self.lock();
        if descriptions.get(&route.provider) == Some(&description) {
            return Ok(());
        }
        let (services, methods) = (description.services.len(), description.methods.len());
        tracing::info!(provider = %route.provider, services, methods, "provider described");
        descriptions.insert(Arc::clone(&route.provider), description);
        self.replace(&descriptions);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Description>> {
        self.descriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, descriptions: &BTreeMap<Arc<str>, Description>) {
        let set = union(descriptions);
        let (pool, reflection) = (pool(descriptions), reflection(&set));
        let mut snapshot = Snapshot { reflection, pool, descriptors: set, ..Snapshot::default() };
        for (provider, description) in descriptions {
            let methods = description.methods.iter();
            snapshot.methods.extend(methods.map(|(name, nature)| (name.clone(), *nature)));
            snapshot.services.insert(Arc::clone(provider), description.services.clone());
        }
        self.current.store(Arc::new(snapshot));
    }
}

impl chassis::Describe for Catalog {
    fn redactor(&self) -> Option<Arc<Redactor>> {
        let snapshot = self.current.load();
        let read = || {
            let redactor = Redactor::new(&snapshot.descriptors);
            let warn = |error: &RedactError| tracing::warn!(%error, "messages cannot be shown");
            redactor.inspect_err(warn).ok().map(Arc::new)
        };
        snapshot.redactor.get_or_init(read).clone()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.current.load();
        f.debug_struct("Catalog").field("services", &snapshot.services).finish_non_exhaustive()
    }
}

/// The service of the version that a path names.
fn version((v1, v1alpha): &(Reflection, Reflection), path: &str) -> Reflection {
    let alpha = path.starts_with("/grpc.reflection.v1alpha.");
    if alpha { v1alpha } else { v1 }.clone()
}

/// The messages of all descriptions; without those (after a log line) of one that is not consistent.
fn pool(descriptions: &BTreeMap<Arc<str>, Description>) -> DescriptorPool {
    let mut pool = DescriptorPool::new();
    let health = (&"health".into(), tonic_health::pb::FILE_DESCRIPTOR_SET.to_vec());
    let providers = descriptions.iter().map(|(provider, one)| (provider, file_descriptor_set(one.files.values())));
    for (provider, set) in providers.chain([health]) {
        if let Err(error) = pool.decode_file_descriptor_set(&*set) {
            tracing::warn!(%provider, %error, "the descriptors cannot be used for JSON");
        }
    }
    pool
}

/// Serves the union with tonic's own reflection; `None` (after a log line) if a description cannot be indexed.
fn reflection(set: &[u8]) -> Option<(Reflection, Reflection)> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(set)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => Some((BoxCloneSyncService::new(v1), BoxCloneSyncService::new(v1alpha))),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "the union of the descriptors cannot be served");
            None
        }
    }
}

/// The files of all providers, each once.
fn union(descriptions: &BTreeMap<Arc<str>, Description>) -> Vec<u8> {
    let files: BTreeMap<&str, &Bytes> = descriptions
        .values()
        .flat_map(|description| &description.files)
        .map(|(name, file)| (name.as_str(), file))
        .collect();
    file_descriptor_set(files.into_values())
}

/// Joins encoded files to an encoded `FileDescriptorSet`, byte for byte: its field 1 is the list of files.
fn file_descriptor_set<'a>(files: impl Iterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut set = Vec::new();
    for file in files {
        encode_key(1, WireType::LengthDelimited, &mut set);
        encode_varint(file.len() as u64, &mut set);
        set.extend_from_slice(file);
    }
    set
}

/// Answers a reflection call from the union.
pub(crate) async fn reflect(service: Reflection, request: Request<Body>) -> Response<Body> {
    let Ok(response) = service.oneshot(request).await;
    response
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::{FileDescriptorProto, FileDescriptorSet};

    use super::*;

    #[test]
    fn files_are_joined_to_a_set() {
        let file = |name: &str| FileDescriptorProto { name: Some(name.to_owned()), ..Default::default() };
        let files = [file("a.proto"), file("b.proto")];
        let encoded = files.clone().map(|file| Bytes::from(file.encode_to_vec()));
        let set = file_descriptor_set(encoded.iter());
        let decoded = FileDescriptorSet::decode(set.as_slice()).unwrap();
        assert_eq!(decoded.file, files);
    }

    #[test]
    fn a_method_of_an_unseen_provider_is_neither_read_nor_write() {
        let catalog = Catalog::default();
        assert_eq!(catalog.nature("aex", "ispbridge.aex.v1.S/Get"), None);
        let methods = HashMap::from([("ispbridge.aex.v1.S/Get".to_owned(), Nature::Read)]);
        let description = Description { methods, ..Description::default() };
        catalog.replace(&BTreeMap::from([("aex".into(), description)]));
        assert_eq!(catalog.nature("aex", "ispbridge.aex.v1.S/Get"), Some(Nature::Read));
        assert_eq!(catalog.nature("aex", "ispbridge.aex.v1.S/Put"), Some(Nature::Write));
        assert_eq!(catalog.nature("azotel", "ispbridge.azotel.v1.S/Get"), None);
    }
}
