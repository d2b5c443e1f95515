//! Who speaks in an `ErrorInfo`: its `domain`.

/// The gateway.
pub const GATEWAY: &str = "gateway.ispbridge";
/// The process around a provider.
pub const SERVICE: &str = "service.ispbridge";
/// Nobody but the caller can mend it: the request is malformed.
pub const CALLER: &str = "caller.ispbridge";

/// What every domain of ours ends with; `aex.ispbridge` is the word of the provider `aex`.
const SUFFIX: &str = ".ispbridge";

/// Whether somebody of ours speaks.
#[must_use]
pub fn is_ours(domain: &str) -> bool {
    domain.ends_with(SUFFIX)
}

/// Whether a provider speaks.
#[must_use]
pub fn is_of(domain: &str, provider: &str) -> bool {
    domain.strip_suffix(SUFFIX) == Some(provider)
}
