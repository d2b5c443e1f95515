//! The name of the method that is called, as it stands in the path.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// `ispbridge.<provider>.v1.<Service>/<Method>` taken apart, borrowing from the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodName<'a> {
    /// `package.Service/Method`, without the leading slash.
    pub(crate) full: &'a str,
    /// `package.Service`.
    pub(crate) service: &'a str,
}

/// Whether a call can be repeated without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Nature {
    /// `idempotency_level = NO_SIDE_EFFECTS`.
    Read,
    /// Everything else.
    Write,
}

impl<'a> MethodName<'a> {
    /// Reads a name without the leading slash, as descriptors and people write it.
    pub(crate) fn of(full: &'a str) -> Option<Self> {
        let (service, method) = full.split_once('/')?;
        let well_formed = is_dotted(service) && is_identifier(method);
        well_formed.then_some(Self { full, service })
    }

    /// Reads a request path; `None` if it is not of the form `/package.Service/Method`.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        Self::of(path.strip_prefix('/')?)
    }
}

/// The provider's segment of `ispbridge.<segment>.v1.<Service>`.
pub(crate) fn provider_segment(service: &str) -> Option<&str> {
    let rest = service.strip_prefix("ispbridge.")?;
    let (segment, rest) = rest.split_once('.')?;
    let name = rest.strip_prefix("v1.")?;
    is_identifier(name).then_some(segment)
}

/// The provider of a service as the configuration names it: `internet-solutions` of `ispbridge.internet_solutions.v1.S`.
pub(crate) fn provider_of(service: &str) -> Option<Cow<'_, str>> {
    let segment = provider_segment(service)?;
    Some(if segment.contains('_') { segment.replace('_', "-").into() } else { segment.into() })
}

/// Whether the text is identifiers joined by dots.
pub(crate) fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// Whether the text is one protobuf identifier.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        let name = MethodName::parse("/ispbridge.internet_solutions.v1.OrderService/GetOrder");
        let name = name.unwrap();
        assert_eq!(name.service, "ispbridge.internet_solutions.v1.OrderService");
        assert_eq!(provider_segment(name.service), Some("internet_solutions"));
    }

    #[test]
    fn what_is_not_a_method_is_refused() {
        for path in ["", "/", "/a", "//b", "/a/", "/a/b/c", "/a..b/c", "/a/b%2f", "a/b"] {
            assert_eq!(MethodName::parse(path), None, "{path}");
        }
    }

    #[test]
    fn only_version_one_packages_have_a_provider() {
        for service in ["ispbridge.aex.v2.S", "ispbridge.v1.S", "ispbridge.aex.v1", "other.aex.v1.S"] {
            assert_eq!(provider_segment(service), None, "{service}");
        }
    }
}
