//! A method: its name as it stands in the path of a call, and whether it may be called again.

use prost_types::{MethodDescriptorProto, method_options::IdempotencyLevel};
use serde::{Deserialize, Serialize};

/// `ispbridge.<provider>.v1.<Service>/<Method>` taken apart, borrowing from the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodName<'a> {
    /// `package.Service/Method`, without the leading slash.
    pub full: &'a str,
    /// `package.Service`.
    pub service: &'a str,
}

/// Whether a call can be repeated without harm, as the option `idempotency_level` of its method says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idempotency {
    /// `NO_SIDE_EFFECTS`.
    Read,
    /// Everything else.
    Write,
}

impl Idempotency {
    /// Reads the option from a method's descriptor.
    #[must_use]
    pub fn of(method: &MethodDescriptorProto) -> Self {
        let level = method.options.as_ref().map(|options| options.idempotency_level());
        if level == Some(IdempotencyLevel::NoSideEffects) { Self::Read } else { Self::Write }
    }
}

impl<'a> MethodName<'a> {
    /// Reads a name without the leading slash, as descriptors and people write it.
    #[must_use]
    pub fn of(full: &'a str) -> Option<Self> {
        let (service, method) = full.split_once('/')?;
        let well_formed = is_dotted(service) && is_identifier(method);
        well_formed.then_some(Self { full, service })
    }

    /// Reads a request path; `None` if it is not of the form `/package.Service/Method`.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        Self::of(path.strip_prefix('/')?)
    }
}

/// Whether the text is identifiers joined by dots.
#[must_use]
pub fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// Whether the text is one protobuf identifier.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::segment_of_service;

    #[test]
    fn a_path_is_taken_apart() {
        let name = MethodName::parse("/ispbridge.internet_solutions.v1.OrderService/GetOrder");
        let name = name.unwrap();
        assert_eq!(name.service, "ispbridge.internet_solutions.v1.OrderService");
        assert_eq!(segment_of_service(name.service), Some("internet_solutions"));
    }

    #[test]
    fn what_is_not_a_method_is_refused() {
        for path in ["", "/", "/a", "//b", "/a/", "/a/b/c", "/a..b/c", "/a/b%2f", "a/b"] {
            assert_eq!(MethodName::parse(path), None, "{path}");
        }
    }
}
