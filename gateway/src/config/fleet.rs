//! `[[routes]]` and `[services]`: where the services are and how they are spoken to.

use std::{collections::HashSet, num::NonZeroU8};

use chassis::{Error, Secret};
use http::{Uri, uri::Authority};
use serde::{Deserialize, Deserializer, de};

use super::check_name;

/// One of `[[routes]]`: a provider, and one way to find its instances.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The provider, e.g. `internet-solutions`.
    pub provider: String,
    /// Addresses of its instances; beside `consul`, those that are used until Consul has answered.
    #[serde(default)]
    pub instances: Vec<InstanceAddress>,
    /// A name whose addresses are the instances (`host:port`), asked again every 15 to 30 seconds.
    pub dns: Option<HostPort>,
    /// A service in Consul: its name, or `true` for `ispbridge-<provider>`.
    pub consul: Option<ConsulName>,
    /// Connections to each instance; each carries 100 calls at a time. If absent, one for each thread that serves calls, but
    /// no fewer than 2 and no more than 16.
    pub connections: Option<NonZeroU8>,
    /// Whether instances found by `dns` or `consul` are spoken to over TLS; a listed address says it itself.
    #[serde(default)]
    pub tls: bool,
    /// The name in the certificates of its instances, if it is not the host of their address.
    pub server_name: Option<String>,
}

/// `[services]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServicesConfig {
    /// How services that speak TLS are checked, and who the gateway shows itself to be.
    pub tls: Option<ClientTlsConfig>,
}

/// `[services.tls]`; every part is PEM, by reference: `{ file = "..." }` or `{ env = "..." }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsConfig {
    /// Certificates that the services' certificates are signed by.
    pub ca: Secret,
    /// The gateway's own certificate (and chain), for services that ask for one.
    pub certificate: Option<Secret>,
    /// Its private key.
    pub key: Option<Secret>,
}

/// Address of an instance: `http://host:port` (HTTP/2 with prior knowledge) or `https://host:port`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct InstanceAddress(Uri);

impl InstanceAddress {
    /// The address.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl TryFrom<String> for InstanceAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const FORM: &str =
            "the address of an instance is \"http://host:port\" or \"https://host:port\" and nothing more";
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https")) && matches!(uri.path(), "" | "/");
        let authority = uri.authority().ok_or(FORM)?;
        let bare = uri.query().is_none() && !authority.as_str().contains('@');
        (plain && bare && authority.port_u16().is_some()).then_some(Self(uri)).ok_or(FORM)
    }
}

/// `host:port`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl TryFrom<String> for HostPort {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const FORM: &str = "is a name and a port: \"host:port\"";
        let authority: Authority = text.parse().map_err(|_| FORM)?;
        let port = authority.port_u16().filter(|port| *port != 0).ok_or(FORM)?;
        let host = authority.host().to_owned();
        (!host.is_empty() && !text.contains('@')).then_some(Self { host, port }).ok_or(FORM)
    }
}

/// `true`, or the name of a service in Consul.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulName(Option<String>);

impl ConsulName {
    /// The name, if it is not the usual one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de> Deserialize<'de> for ConsulName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Usual(bool),
            Named(String),
        }
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        match Form::deserialize(deserializer) {
            Ok(Form::Usual(true)) => Ok(Self(None)),
            Ok(Form::Named(name)) if !name.is_empty() && is_name(&name) => Ok(Self(Some(name))),
            _ => Err(de::Error::custom("is true, or the name of a service: letters, digits, - and _")),
        }
    }
}

/// Checks what one route alone cannot know, and that each has one way to its instances.
pub(super) fn check(routes: &[RouteConfig], services: &ServicesConfig) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (index, route) in routes.iter().enumerate() {
        let key = |field: &str| format!("routes[{index}].{field}");
        check_name(&key("provider"), &route.provider)?;
        if !seen.insert(&route.provider) {
            return Err(Error::config(key("provider"), "has a route already"));
        }
        check_sources(route).map_err(|(field, problem)| Error::config(key(field), problem))?;
        let speaks_tls = route.tls || route.instances.iter().any(InstanceAddress::is_tls);
        if speaks_tls && services.tls.is_none() {
            let field = if route.tls { "tls" } else { "instances" };
            return Err(Error::config(key(field), "TLS to services needs the section [services.tls]"));
        }
    }
    Ok(())
}

fn check_sources(route: &RouteConfig) -> Result<(), (&'static str, &'static str)> {
    match (route.instances.as_slice(), &route.dns, &route.consul) {
        ([], None, None) => Err(("instances", "names no instance: give instances, dns or consul")),
        (_, Some(_), Some(_)) => Err(("consul", "stands beside dns: one of them is enough")),
        ([_, ..], Some(_), None) => Err(("instances", "stand beside dns: one of them is enough")),
        (listed, _, _) if route.tls && !listed.iter().all(InstanceAddress::is_tls) => {
            Err(("instances", "has an http:// address although tls = true"))
        }
        ([_, ..], None, Some(_)) if !route.tls && route.instances.iter().any(InstanceAddress::is_tls) => {
            Err(("tls", "is false although an address of instances is https://"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> Result<(), String> {
        let table: toml::Table = format!("[[routes]]\nprovider = \"aex\"\n{body}").parse().unwrap();
        let routes: Vec<RouteConfig> =
            table["routes"].clone().try_into().map_err(|e: toml::de::Error| e.to_string())?;
        check(&routes, &ServicesConfig::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_route_has_one_way_to_its_instances() {
        for good in [
            "dns = \"aex.internal:5001\"",
            "consul = true",
            "consul = \"aex-blue\"",
            "consul = true\ninstances = [\"http://127.0.0.1:5001\"]",
        ] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for (bad, key) in [
            ("", "instances"),
            ("dns = \"a:1\"\nconsul = true", "consul"),
            ("dns = \"a:1\"\ninstances = [\"http://a:1\"]", "instances"),
            ("consul = false", "consul"),
            ("consul = \"a/b\"", "consul"),
            ("dns = \"a\"", "dns"),
            ("dns = \"a:1\"\ntls = true", "tls"),
            ("instances = [\"https://a:1\"]", "instances"),
            ("tls = true\ninstances = [\"http://a:1\"]", "instances"),
        ] {
            let error = checked(bad).unwrap_err();
            assert!(error.contains(key), "{bad}: {error}");
        }
    }

    #[test]
    fn only_addresses_with_a_port_are_instances() {
        let good = ["http://127.0.0.1:5001", "http://aex.internal:80/", "http://[::1]:5001", "https://a:1"];
        let bad = ["ftp://a:1", "http://a", "a:1", "http://a:1/x", "http://u@a:1", "http://a:1?x", ""];
        let read = |text: &str| InstanceAddress::try_from(text.to_owned()).is_ok();
        assert!(good.into_iter().all(read));
        assert!(!bad.into_iter().any(read));
    }
}
