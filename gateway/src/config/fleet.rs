//! `[[routes]]` and `[services]`: where the services are, and how to connect to them.

use std::{borrow::Cow, collections::HashSet, num::NonZeroU8};

use chassis::Settings;
use config::{Error, Findings, Secret};
use http::{Uri, uri::Authority};
use protocol::provider;
use rustls::pki_types::ServerName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{Config, check_name};

/// One of `[[routes]]`: a provider, and one way to find its instances.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The provider, e.g. `internet-solutions`.
    pub provider: String,
    /// Addresses of its instances; with `consul`, they are used until Consul has answered.
    #[serde(default)]
    pub instances: Vec<InstanceAddress>,
    /// A DNS name whose addresses are the instances (`host:port`), resolved every 15 to 30 seconds.
    pub dns: Option<HostPort>,
    /// A service in Consul: its name, or `true` for `ispbridge-<provider>`.
    pub consul: Option<ConsulName>,
    /// Connections to each instance, with up to 100 concurrent calls each. Default: one per thread that serves calls, at
    /// least 2 and at most 16.
    pub connections: Option<NonZeroU8>,
    /// Whether to use TLS with instances found by `dns` or `consul`; a listed address says so itself.
    #[serde(default)]
    pub tls: bool,
    /// The name in the instances' certificates, if it is not the host of their address.
    pub server_name: Option<String>,
}

/// `[services]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServicesConfig {
    /// TLS to the services: trusted authorities, and the gateway's client certificate.
    pub tls: Option<ClientTlsConfig>,
}

/// `[services.tls]`; every part is PEM, by reference: `{ file = "..." }` or `{ env = "..." }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsConfig {
    /// Certificates of the authorities that sign the services' certificates.
    pub ca: Secret,
    /// The gateway's client certificate (and chain), for services that require one.
    pub certificate: Option<Secret>,
    /// Its private key.
    pub key: Option<Secret>,
}

/// Address of an instance: `http://host:port` (HTTP/2 with prior knowledge) or `https://host:port`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct InstanceAddress(#[schemars(with = "String")] Uri);

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
        const FORM: &str = "must be \"http://host:port\" or \"https://host:port\" and nothing more";
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https")) && matches!(uri.path(), "" | "/");
        let authority = uri.authority().ok_or(FORM)?;
        let bare = uri.query().is_none() && !authority.as_str().contains('@');
        (plain && bare && authority.port_u16().is_some()).then_some(Self(uri)).ok_or(FORM)
    }
}

/// `host:port`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
        const FORM: &str = "must be a name and a port: \"host:port\"";
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
    /// The name, if it is not the default.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl JsonSchema for ConsulName {
    fn schema_name() -> Cow<'static, str> {
        "ConsulName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"] })
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
            _ => Err(de::Error::custom("must be true, or the name of a service: letters, digits, - and _")),
        }
    }
}

/// Checks what one route alone cannot show, and that each has one source of instances.
pub(super) fn check(config: &Config, settings: &Settings, findings: &mut Findings) {
    let has_tls = config.services.tls.is_some() || !findings.is_whole("services");
    let has_consul = settings.consul.is_some() || !findings.is_whole("consul");
    let mut seen = HashSet::new();
    for (index, route) in config.routes.iter().enumerate() {
        let key = |field: &str| format!("routes[{index}].{field}");
        check_name(&key("provider"), &route.provider, findings);
        if !seen.insert(provider::segment(&route.provider)) {
            findings.mistake(key("provider"), "must not be a provider that has a route already");
        }
        let is_read = ["instances", "dns", "consul", "tls"].into_iter().all(|field| findings.is_whole(&key(field)));
        if is_read && let Err((field, problem)) = check_sources(route) {
            findings.mistake(key(field), problem);
        }
        if route.dns.as_ref().is_some_and(|dns| ServerName::try_from(dns.host()).is_err()) {
            findings.mistake(key("dns"), "must be a name in DNS and a port");
        }
        if route.consul.is_some() && !has_consul {
            findings.mistake(key("consul"), "must not be given without the section [consul]");
        }
        check_tls(route, &key, has_tls, findings);
    }
    if let Some(tls) = &config.services.tls {
        findings.take(tls.client().map_err(|(key, problem)| Error::config(format!("services.tls.{key}"), problem)));
    }
}

fn check_tls(route: &RouteConfig, key: &dyn Fn(&str) -> String, has_tls: bool, findings: &mut Findings) {
    let speaks_tls = route.tls || route.instances.iter().any(InstanceAddress::is_tls);
    if speaks_tls && !has_tls {
        let field = if route.tls { "tls" } else { "instances" };
        findings.mistake(key(field), "must not ask for TLS without the section [services.tls]");
    }
    if route.server_name.as_ref().is_some_and(|name| ServerName::try_from(name.as_str()).is_err()) {
        findings.mistake(key("server_name"), "must be a name in DNS, or an IP address");
    }
    if route.server_name.is_some() && !speaks_tls {
        findings.warning(key("server_name"), "has no effect: the instances are not spoken to over TLS");
    }
}

fn check_sources(route: &RouteConfig) -> Result<(), (&'static str, &'static str)> {
    match (route.instances.as_slice(), &route.dns, &route.consul) {
        ([], None, None) => Err(("instances", "must name an instance, or dns or consul be given")),
        (_, Some(_), Some(_)) => Err(("consul", "must not stand beside dns")),
        ([_, ..], Some(_), None) => Err(("instances", "must not stand beside dns")),
        (listed, _, _) if route.tls && !listed.iter().all(InstanceAddress::is_tls) => {
            Err(("instances", "must have https:// addresses only, because tls = true"))
        }
        ([_, ..], None, Some(_)) if !route.tls && route.instances.iter().any(InstanceAddress::is_tls) => {
            Err(("tls", "must be true, because an address of instances is https://"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chassis::ConsulSettings;

    use super::*;

    fn checked(body: &str) -> Result<(), String> {
        let table: toml::Table = format!("[[routes]]\nprovider = \"aex\"\n{body}").parse().unwrap();
        let config: Config = table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        let mut findings = Findings::default();
        let settings = Settings { consul: Some(ConsulSettings::default()), ..Settings::default() };
        check(&config, &settings, &mut findings);
        findings.into_result().map_err(|error| error.to_string())
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
