//! What one provider has shown, and what was made of it since.

use std::sync::{Arc, OnceLock};

use chassis::Redactor;
use prost_reflect::{DescriptorError, DescriptorPool};
use rustc_hash::FxHashMap;

use super::{Nature, learn::Description, reflection::file_descriptor_set};

/// The contract of one provider.
#[derive(Debug)]
pub(super) struct Contract {
    description: Description,
    /// Its messages, once somebody has called one of its methods with JSON or looked at a call.
    pool: OnceLock<DescriptorPool>,
    /// Reads messages for people, out of the same pool.
    redactor: OnceLock<Arc<Redactor>>,
}

impl Contract {
    /// Keeps a description.
    pub(super) fn new(description: Description) -> Self {
        Self { description, pool: OnceLock::new(), redactor: OnceLock::new() }
    }

    /// Whether it is what this description says.
    pub(super) fn is(&self, description: &Description) -> bool {
        self.description == *description
    }

    /// What the provider has shown.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// The provider's methods.
    pub(super) fn methods(&self) -> &FxHashMap<Arc<str>, Nature> {
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

    /// The same for one who needs them once: they are not kept for that.
    pub(super) fn pool_for_now(&self, provider: &str) -> DescriptorPool {
        self.pool.get().cloned().unwrap_or_else(|| self.read(provider))
    }

    /// What shows the provider's messages to people.
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
