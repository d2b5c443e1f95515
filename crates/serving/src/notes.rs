//! What inner layers learn about a call and outer layers write down.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use protocol::{method::Idempotency, methods::Methods, timing::Timing};
use tokio::sync::OwnedSemaphorePermit;

/// The place in the audit log that a call has which was announced there; it is held until its record is written.
pub type RecordPlace = Arc<OwnedSemaphorePermit>;

/// Facts about one call for span, metrics and log; lies in the extensions of every request.
#[derive(Clone, Debug, Default)]
pub struct CallNotes(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    principal: OnceLock<Box<str>>,
    account: OnceLock<Box<str>>,
    known: OnceLock<()>,
    writes: OnceLock<()>,
    authentication: OnceLock<&'static str>,
    instance: Mutex<Option<Arc<str>>>,
    timing: OnceLock<Timing>,
    announced: OnceLock<RecordPlace>,
    request_bytes: AtomicU64,
    awaits_request: AtomicBool,
}

/// Whether a call may change something: its descriptor or its notes say so.
pub(crate) fn writes(methods: &Methods, path: &str, notes: Option<&CallNotes>) -> bool {
    methods.get(path).is_some_and(|method| method.idempotency == Idempotency::Write)
        || notes.is_some_and(CallNotes::writes)
}

impl CallNotes {
    /// Notes who called; the first word counts.
    pub fn set_principal(&self, principal: &str) {
        let _ = self.0.principal.set(principal.into());
    }

    /// Notes how the caller was known, e.g. `api_key`; the first word counts.
    pub fn set_authentication(&self, authentication: &'static str) {
        let _ = self.0.authentication.set(authentication);
    }

    /// Notes where a proxy sent the call; the last word counts.
    pub fn set_instance(&self, instance: &Arc<str>) {
        *self.0.instance.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(instance));
    }

    /// Notes what the service behind a proxy says of its time; the first word counts.
    pub fn set_timing(&self, timing: Timing) {
        let _ = self.0.timing.set(timing);
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

    /// Notes whether the request is still on its way, and nobody works on the call before it is whole.
    pub(crate) fn set_awaits_request(&self, awaits: bool) {
        self.0.awaits_request.store(awaits, Relaxed);
    }

    pub(crate) fn awaits_request(&self) -> bool {
        self.0.awaits_request.load(Relaxed)
    }

    /// Notes that the audit log knows of the call.
    pub fn set_announced(&self, announced: RecordPlace) {
        let _ = self.0.announced.set(announced);
    }

    pub(crate) fn announced(&self) -> Option<&RecordPlace> {
        self.0.announced.get()
    }

    pub(crate) fn writes(&self) -> bool {
        self.0.writes.get().is_some()
    }

    /// Who called.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        self.0.principal.get().map(AsRef::as_ref)
    }

    /// Alias of the upstream account.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.0.account.get().map(AsRef::as_ref)
    }

    pub(crate) fn known_method(&self) -> bool {
        self.0.known.get().is_some()
    }

    /// How the caller was known.
    #[must_use]
    pub fn authentication(&self) -> Option<&'static str> {
        self.0.authentication.get().copied()
    }

    pub(crate) fn instance(&self) -> Option<Arc<str>> {
        self.0.instance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn timing(&self) -> Timing {
        self.0.timing.get().copied().unwrap_or_default()
    }

    pub(crate) fn add_request_bytes(&self, bytes: u64) {
        self.0.request_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn request_bytes(&self) -> u64 {
        self.0.request_bytes.load(Relaxed)
    }
}
