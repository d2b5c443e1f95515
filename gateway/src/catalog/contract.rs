//! One provider's description, and what has been derived from it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DescriptorError, DescriptorPool};
use protocol::redact::Redactor;
use rustc_hash::FxHashMap;

use super::Signature;
use crate::catalog::discover::Description;

/// The contract of one provider.
#[derive(Debug)]
pub(super) struct Contract {
    description: Description,
    /// Its messages, built on the first JSON call or the first call shown in `/tap`.
    pool: OnceLock<DescriptorPool>,
    /// Reads messages for people, out of the same pool.
    redactor: OnceLock<Arc<Redactor>>,
}

impl Contract {
    /// Wraps a description.
    pub(super) fn new(description: Description) -> Self {
        Self { description, pool: OnceLock::new(), redactor: OnceLock::new() }
    }

    /// Whether it has this description.
    pub(super) fn is(&self, description: &Description) -> bool {
        self.description == *description
    }

    /// The description.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// The provider's methods.
    pub(super) fn methods(&self) -> &FxHashMap<Arc<str>, Signature> {
        &self.description.methods
    }

    /// Whether the provider has a service.
    pub(super) fn has_service(&self, service: &str) -> bool {
        self.description.services.iter().any(|name| name == service)
    }

    /// The provider's messages; none (after a log line) if its descriptors are not consistent.
    pub(super) fn pool(&self, provider: &str) -> &DescriptorPool {
        self.pool.get_or_init(|| self.read(provider))
    }

    /// The same for a single use, without caching them.
    pub(super) fn pool_for_now(&self, provider: &str) -> DescriptorPool {
        self.pool.get().cloned().unwrap_or_else(|| self.read(provider))
    }

    /// Redacts the provider's messages for display.
    pub(super) fn redactor(&self, provider: &str) -> Arc<Redactor> {
        Arc::clone(self.redactor.get_or_init(|| Arc::new(Redactor::new(self.pool(provider).clone()))))
    }

    fn read(&self, provider: &str) -> DescriptorPool {
        let set = file_descriptor_set(self.description.files.values());
        let warn =
            |error: &DescriptorError| tracing::warn!(%provider, %error, "the descriptors cannot be used for JSON");
        DescriptorPool::decode(&*set).inspect_err(warn).unwrap_or_default()
    }

    /// Whether its messages were needed yet.
    #[cfg(test)]
    pub(super) fn is_read(&self) -> bool {
        self.pool.get().is_some()
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
}
