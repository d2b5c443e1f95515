//! The option `(ispbridge.type.v1.probe)` of a contract's writes.

use std::{borrow::Cow, sync::Arc};

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use prost_types::method_options::IdempotencyLevel;
use rustc_hash::FxHashMap;

use super::TableError;

const PROBE: &str = "ispbridge.type.v1.probe";

/// The probes of all writes that name one, by the names of their requests; each is a read of the same package, or it could
/// not be asked without harm.
pub(super) fn all(pool: &DescriptorPool, package: &str) -> Result<FxHashMap<String, Arc<str>>, TableError> {
    let Some(option) = pool.get_extension_by_name(PROBE) else { return Ok(FxHashMap::default()) };
    let services = pool.services().filter(|service| service.package_name() == package);
    let methods: Vec<_> = services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let mut probes = FxHashMap::default();
    for method in &methods {
        let options = method.options();
        let Cow::Borrowed(Value::String(probe)) = options.get_extension(&option) else { continue };
        if probe.is_empty() {
            continue;
        }
        if !methods.iter().any(|other| path(other) == *probe && is_read(other)) {
            return Err(TableError(format!("{}: its probe {probe} must be a read of {package}", path(method))));
        }
        probes.insert(method.input().name().to_owned(), probe.as_str().into());
    }
    Ok(probes)
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

fn is_read(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}
