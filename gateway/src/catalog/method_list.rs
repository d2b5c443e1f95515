//! The methods of all providers, as the admin page `/methods` shows them.

use std::collections::BTreeMap;

use protocol::method::Idempotency;
use serde::{Deserialize, Serialize};

/// The methods of all providers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct MethodList {
    /// Whether each reads or writes, by its full name.
    pub(crate) methods: BTreeMap<String, Idempotency>,
    /// Providers that have a route, but no service that has shown its methods yet.
    pub(crate) undescribed: Vec<String>,
}
