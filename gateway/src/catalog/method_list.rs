//! The methods of all providers, as `/methods` on the admin port returns them.

use std::collections::BTreeMap;

use protocol::method::Idempotency;
use serde::{Deserialize, Serialize};

/// The methods of all providers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct MethodList {
    /// Whether each reads or writes, by its full name.
    pub(crate) methods: BTreeMap<String, Idempotency>,
    /// Providers that have a route, but have not described themselves yet.
    pub(crate) undescribed: Vec<String>,
}
