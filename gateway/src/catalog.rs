//! What the gateway has learnt of all providers: which methods only read, and the union of their descriptors.

mod filter;
mod learn;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use prost::encoding::{WireType, encode_key, encode_varint};
use tokio::time::sleep;
use tonic::body::Body;
use tonic_reflection::server::Builder;
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{catalog::learn::Description, fleet::route::Route};

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

    /// The services that the provider has shown.
    pub(crate) fn services(&self, provider: &str) -> Vec<String> {
        let snapshot = self.current.load();
        snapshot.services.get(provider).cloned().unwrap_or_default()
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
        let files: BTreeMap<&str, &Bytes> = descriptions
            .values()
            .flat_map(|description| &description.files)
            .map(|(name, file)| (name.as_str(), file))
            .collect();
        let mut snapshot = Snapshot { reflection: reflection(files.into_values()), ..Snapshot::default() };
        for (provider, description) in descriptions {
            let methods = description.methods.iter();
            snapshot.methods.extend(methods.map(|(name, nature)| (name.clone(), *nature)));
            snapshot.services.insert(Arc::clone(provider), description.services.clone());
        }
        self.current.store(Arc::new(snapshot));
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

/// Serves the union with tonic's own reflection; `None` (after a log line) if a description cannot be indexed.
fn reflection<'a>(files: impl Iterator<Item = &'a Bytes>) -> Option<(Reflection, Reflection)> {
    let set = file_descriptor_set(files);
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(&set)
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
