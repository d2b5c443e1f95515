//! What a provider is called. Its name, `internet-solutions`, stands in configurations and telemetry; all else follows from it.

use std::borrow::Cow;

use crate::method::is_identifier;

/// What the names of everything in a contract begin with.
const PACKAGES: &str = "ispbridge.";
/// What the names of programs and of services in Consul begin with.
const PROGRAMS: &str = "ispbridge-";

/// A provider in the names of its contract: `internet_solutions`.
#[must_use]
pub fn segment(provider: &str) -> String {
    provider.replace('-', "_")
}

/// The package of a provider's contract, given its segment: `ispbridge.internet_solutions.v1`.
#[must_use]
pub fn package(segment: &str) -> String {
    format!("{PACKAGES}{segment}.v1")
}

/// A provider's program, which caller contexts are signed for and Consul knows: `ispbridge-internet-solutions`.
#[must_use]
pub fn program(provider: &str) -> String {
    format!("{PROGRAMS}{provider}")
}

/// The provider of a program; another program is its own.
#[must_use]
pub fn of_program(program: &str) -> &str {
    program.strip_prefix(PROGRAMS).unwrap_or(program)
}

/// The provider, given its segment.
#[must_use]
pub fn of_segment(segment: &str) -> Cow<'_, str> {
    if segment.contains('_') { segment.replace('_', "-").into() } else { segment.into() }
}

/// The segment in the name of a service, `ispbridge.<segment>.v1.<Service>`; nothing if it is no service of a provider.
#[must_use]
pub fn segment_of_service(service: &str) -> Option<&str> {
    let (segment, rest) = split(service)?;
    is_identifier(rest?.strip_prefix("v1.")?).then_some(segment)
}

/// The provider of a service; nothing if it is no service of a provider.
#[must_use]
pub fn of_service(service: &str) -> Option<Cow<'_, str>> {
    segment_of_service(service).map(of_segment)
}

/// The provider of anything that a contract names: a service, a message, a package, whatever its version.
#[must_use]
pub fn of_name(name: &str) -> Option<String> {
    split(name).map(|(segment, _)| of_segment(segment).into_owned())
}

/// A name of a contract behind `PACKAGES`: the segment and what follows its dot.
#[must_use]
pub fn split(name: &str) -> Option<(&str, Option<&str>)> {
    let name = name.strip_prefix(PACKAGES)?;
    Some(name.split_once('.').map_or((name, None), |(segment, rest)| (segment, Some(rest))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_a_provider_follow_from_one() {
        let segment = segment("internet-solutions");
        assert_eq!(package(&segment), "ispbridge.internet_solutions.v1");
        assert_eq!(program("internet-solutions"), "ispbridge-internet-solutions");
        assert_eq!(of_program("ispbridge-internet-solutions"), "internet-solutions");
        for name in ["OrderService", "Order.Item", "x"].map(|name| format!("{}.{name}", package(&segment))) {
            assert_eq!(of_name(&name).as_deref(), Some("internet-solutions"), "{name}");
        }
        assert_eq!(of_service("ispbridge.aex.v1.S").as_deref(), Some("aex"));
        assert_eq!(of_service("ispbridge.aex.v1.S.T"), None);
    }

    #[test]
    fn only_version_one_packages_have_a_provider() {
        for service in ["ispbridge.aex.v2.S", "ispbridge.v1.S", "ispbridge.aex.v1", "other.aex.v1.S"] {
            assert_eq!(segment_of_service(service), None, "{service}");
        }
    }
}
