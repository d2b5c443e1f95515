//! The option `(ispbridge.type.v1.probe)` of a contract's writes.

use std::{borrow::Cow, sync::Arc};

use prost::Name;
use prost_reflect::{ExtensionDescriptor, MethodDescriptor, Value};
use protocol::method::Idempotency;
use rustc_hash::FxHashMap;

use super::{error::TableError, field::Tables};

/// The option's name.
pub(super) const OPTION: &str = "ispbridge.type.v1.probe";

impl Tables {
    /// The RPC that tells whether the write with this request took effect, where the contract names one.
    #[must_use]
    pub fn probe<Q: Name>(&self) -> Option<Arc<str>> {
        self.probes.get(Q::NAME).cloned()
    }

    /// The same for the full name of a request.
    pub(crate) fn probe_of(&self, request: &str) -> Option<Arc<str>> {
        self.probes.get(self.short(request)).cloned()
    }
}

/// The probes of all writes among a package's methods that name one, by the names of their requests; each is a read of the same
/// package, or it could not be asked without harm.
pub(super) fn all(
    methods: &[MethodDescriptor],
    option: &ExtensionDescriptor,
) -> Result<FxHashMap<String, Arc<str>>, TableError> {
    let mut probes = FxHashMap::default();
    for method in methods {
        let options = method.options();
        let Cow::Borrowed(Value::String(probe)) = options.get_extension(option) else { continue };
        if probe.is_empty() {
            continue;
        }
        if !methods
            .iter()
            .any(|other| path(other) == *probe && Idempotency::of(other.method_descriptor_proto()) == Idempotency::Read)
        {
            return Err(TableError(format!(
                "{}: its probe {probe} must be a read of {}",
                path(method),
                method.parent_service().package_name()
            )));
        }
        probes.insert(method.input().name().to_owned(), probe.as_str().into());
    }
    Ok(probes)
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}
