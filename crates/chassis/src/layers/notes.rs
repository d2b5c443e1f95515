//! What inner layers learn about a call and outer layers write down.

use std::sync::{Arc, OnceLock};

/// Facts about one call for span, metrics and log; lies in the extensions of every request.
#[derive(Clone, Debug, Default)]
pub struct CallNotes(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    principal: OnceLock<Box<str>>,
    account: OnceLock<Box<str>>,
    known: OnceLock<()>,
    writes: OnceLock<()>,
}

impl CallNotes {
    /// Notes who called; the first word counts.
    pub fn set_principal(&self, principal: &str) {
        let _ = self.0.principal.set(principal.into());
    }

    /// Notes the alias of the upstream account; the first word counts.
    pub fn set_account(&self, account: &str) {
        let _ = self.0.account.set(account.into());
    }

    /// Notes that the method exists, though no descriptor of this process names it (a proxy knows that); only then is it
    /// a label of metrics.
    pub fn set_known_method(&self) {
        let _ = self.0.known.set(());
    }

    /// Notes that the call may change something, though no descriptor of this process says so (a proxy knows that); an
    /// answer of the chassis' own in place of the program's then says that the outcome is unknown.
    pub fn set_writes(&self) {
        let _ = self.0.writes.set(());
    }

    pub(crate) fn writes(&self) -> bool {
        self.0.writes.get().is_some()
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        self.0.principal.get().map(AsRef::as_ref)
    }

    pub(crate) fn account(&self) -> Option<&str> {
        self.0.account.get().map(AsRef::as_ref)
    }

    pub(crate) fn known_method(&self) -> bool {
        self.0.known.get().is_some()
    }
}
