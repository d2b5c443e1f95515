//! Orders to misbehave, and the count of what was asked and what was done.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

/// One ordered misbehaviour.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Operation (`new_customer`, `addCustomer`, `POST /services/full`), path (`/services/full`) or `*` for any.
    pub path_or_method: String,
    /// How many calls it spoils.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: Kind,
}

/// The ways an upstream misbehaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The answer takes longer; the work is done even when the caller does not wait for it.
    Latency {
        /// How much longer, in milliseconds.
        ms: u64,
        /// Whether the work is done before the delay instead of after it.
        #[serde(default)]
        after_commit: bool,
    },
    /// The connection is reset and nothing was done.
    ResetBeforeCommit,
    /// The connection is reset after the work was done.
    ResetAfterCommit,
    /// Half of the reply's body comes, then the connection closes; the work was done.
    TruncateAfterCommit,
    /// The reply says `text/plain`; the work was done.
    WrongContentType,
    /// A login page comes instead, with status 200; nothing was done.
    HtmlLoginPage,
    /// Status 429; nothing was done.
    RateLimit {
        /// Seconds in the `Retry-After` header.
        retry_after: u64,
    },
    /// The upstream's own form of an HTTP 500.
    #[serde(rename = "http_500")]
    Http500 {
        /// Whether the work was done before the crash.
        #[serde(default)]
        after_commit: bool,
    },
    /// Every session (AEx: the token, for this one call) is dead when the call is handled.
    ExpireSessions,
    /// The reply lacks its `Location` header; the work was done.
    WithoutLocation,
    /// The reply follows the document's sample where the real behaviour differs (AEx: one bare customer for a search,
    /// the product's id as `service_id`, the premise for any service).
    AsPrinted,
}

/// Orders and counts of one upstream.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
}

#[derive(Default)]
pub(crate) struct Entries {
    faults: Vec<Fault>,
    pub(crate) received: BTreeMap<String, u64>,
    pub(crate) executed: BTreeMap<String, u64>,
}

impl Ledger {
    pub(crate) fn order(&self, fault: Fault) {
        self.entries().faults.push(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.entries().faults.clear();
    }

    pub(crate) fn clear(&self) {
        *self.entries() = Entries::default();
    }

    pub(crate) fn executed(&self, operation: &str) -> u64 {
        self.entries().executed.get(operation).copied().unwrap_or_default()
    }

    pub(crate) fn received(&self, operation: &str) -> u64 {
        self.entries().received.get(operation).copied().unwrap_or_default()
    }

    pub(crate) fn count_executed(&self, operation: &str) {
        *self.entries().executed.entry(operation.to_owned()).or_default() += 1;
    }

    /// Counts an arrival and takes the misbehaviour that is due for it.
    pub(crate) fn arrive(&self, operation: &str, path: &str) -> Option<Kind> {
        let mut entries = self.entries();
        *entries.received.entry(operation.to_owned()).or_default() += 1;
        let due = entries.faults.iter_mut().find(|fault| fault.times > 0 && fault.concerns(operation, path))?;
        due.times -= 1;
        let kind = due.kind.clone();
        entries.faults.retain(|fault| fault.times > 0);
        Some(kind)
    }

    pub(crate) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// A misbehaviour that spoils one call.
    pub fn once(path_or_method: &str, kind: Kind) -> Self {
        Self { path_or_method: path_or_method.to_owned(), times: 1, kind }
    }

    fn concerns(&self, operation: &str, path: &str) -> bool {
        let wanted = self.path_or_method.as_str();
        wanted == "*" || wanted == operation || wanted == path
    }
}

fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_from_json_and_served_as_often_as_asked() {
        let order = r#"{"path_or_method":"new_customer","times":2,"kind":"latency","ms":5}"#;
        let ledger = Ledger::default();
        ledger.order(serde_json::from_str(order).unwrap());
        assert!(ledger.arrive("agent_info", "/").is_none());
        assert!(matches!(ledger.arrive("new_customer", "/"), Some(Kind::Latency { ms: 5, after_commit: false })));
        assert!(ledger.arrive("new_customer", "/").is_some());
        assert!(ledger.arrive("new_customer", "/").is_none());
        assert_eq!(ledger.received("new_customer"), 3);
    }

    #[test]
    fn every_kind_has_its_name() {
        for kind in ["reset_before_commit", "truncate_after_commit", "http_500", "expire_sessions", "as_printed"] {
            let order = format!(r#"{{"path_or_method":"*","kind":"{kind}"}}"#);
            assert!(serde_json::from_str::<Fault>(&order).is_ok(), "{kind}");
        }
    }
}
