//! `[consul]`: which agent, and what a process says of itself there.

use std::net::{IpAddr, SocketAddr};

use config::{Findings, Seconds, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::consul::Consul;

/// The agent of Consul's own convention.
const DEFAULT: &str = "http://127.0.0.1:8500";

/// `[consul]`; without the section nothing is asked of Consul and nothing told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsulSettings {
    /// The agent: `http://host:port`, `https://host:port` or `host:port`; else the variable `CONSUL_HTTP_ADDR`, else
    /// `http://127.0.0.1:8500`.
    pub address: Option<String>,
    /// The token to show, by reference.
    pub token: Option<Secret>,
    /// Certificates (PEM, by reference) that the agent's is signed by; else the system's.
    pub ca: Option<Secret>,
    /// The datacenter to ask; else the agent's own.
    pub datacenter: Option<String>,
    /// Whether an instance whose check warns counts as not there.
    pub passing_only: bool,
    /// Whether the process registers itself.
    pub register: bool,
    /// `host:port` that others reach it at; else `server.listen` or, if that is no address of one host, the agent's address.
    pub advertise: Option<String>,
    /// Tags beside `grpc`.
    pub tags: Vec<String>,
    /// How the agent knows that the process is well: `grpc`, it asks; `ttl`, the process tells. Both, unless the listener
    /// speaks TLS: then `ttl` alone, and with `check_tls_name` both. An agent that asks over TLS must believe the
    /// certificate, by the system's roots or its own (`enable_agent_tls_for_checks`), and has a certificate to show only so.
    pub checks: Option<Vec<CheckKind>>,
    /// Name that the agent expects in the listener's certificate when it asks (`TLSServerName`, Consul 1.10 and later);
    /// without it that is the host of `advertise`.
    pub check_tls_name: Option<String>,
    /// How often the agent asks (`checks = ["grpc"]`).
    pub check_seconds: Seconds,
    /// How long the process may say nothing (`checks = ["ttl"]`); it speaks three times as often.
    pub ttl_seconds: Seconds,
}

/// How an agent knows that a process is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// The agent calls `grpc.health.v1.Health/Check`.
    Grpc,
    /// The process tells the agent.
    Ttl,
}

impl Default for ConsulSettings {
    fn default() -> Self {
        Self {
            address: None,
            token: None,
            ca: None,
            datacenter: None,
            passing_only: true,
            register: true,
            advertise: None,
            tags: Vec::new(),
            checks: None,
            check_tls_name: None,
            check_seconds: Seconds::whole(10),
            ttl_seconds: Seconds::whole(15),
        }
    }
}

impl ConsulSettings {
    /// The beginning of every URL; `None` if the address is none.
    pub(crate) fn base(&self) -> Option<String> {
        let given = self.address.as_deref().unwrap_or(DEFAULT).trim_end_matches('/');
        let full = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
        let uri: http::Uri = full.parse().ok()?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority()?;
        (plain && !authority.as_str().contains('@') && !authority.host().is_empty()).then_some(full)
    }

    /// Host and port that others reach the process at; no host means that of the agent.
    pub(crate) fn advertised(&self, listening: SocketAddr) -> Option<(Option<String>, u16)> {
        let Some(given) = &self.advertise else {
            let ip = listening.ip();
            return Some(((!ip.is_unspecified()).then(|| ip.to_string()), listening.port()));
        };
        let authority: http::uri::Authority = given.parse().ok()?;
        let port = authority.port_u16().filter(|port| *port != 0)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty() && !given.contains('@')).then(|| (Some(host.to_owned()), port))
    }

    /// How the agent knows, by whether the listener speaks TLS: nobody can tell whether the agent believes its certificate.
    pub(crate) fn kinds(&self, tls: bool) -> &[CheckKind] {
        match &self.checks {
            Some(kinds) => kinds,
            None if tls && self.check_tls_name.is_none() => &[CheckKind::Ttl],
            None => &[CheckKind::Grpc, CheckKind::Ttl],
        }
    }

    /// Says what is wrong with it.
    pub(crate) fn check(&self, findings: &mut Findings) {
        let anywhere = SocketAddr::from((IpAddr::from([0, 0, 0, 0]), 1));
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if self.advertised(anywhere).is_none() {
            findings.mistake("consul.advertise", "must be host:port");
        }
        if self.datacenter.as_deref().is_some_and(|name| name.is_empty() || !is_plain(name)) {
            findings.mistake("consul.datacenter", "must be letters, digits, -, _ and .");
        }
        if self.check_tls_name.as_deref().is_some_and(|name| name.is_empty() || !is_plain(name)) {
            findings.mistake("consul.check_tls_name", "must be the name of a host");
        }
        if self.register && self.checks.as_ref().is_some_and(Vec::is_empty) {
            findings.mistake("consul.checks", "must name a check: an instance that fails would be called for ever");
        }
        for (key, seconds) in [("check_seconds", self.check_seconds), ("ttl_seconds", self.ttl_seconds)] {
            if seconds < Seconds::whole(1) {
                findings.mistake(format!("consul.{key}"), "must be at least 1");
            }
        }
        findings.take(Consul::new(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Error;

    fn settings(text: &str) -> ConsulSettings {
        toml::from_str(text).unwrap()
    }

    fn checked(text: &str) -> Result<(), Error> {
        let mut findings = Findings::default();
        settings(text).check(&mut findings);
        findings.into_result()
    }

    #[test]
    fn a_wrong_key_is_named() {
        for (text, key) in [
            ("address = \"http://a/b\"", "address"),
            ("address = \"http://u:p@a:1\"", "address"),
            ("address = \"unix:///a\"", "address"),
            ("advertise = \"10.0.0.1\"", "advertise"),
            ("datacenter = \"a&b\"", "datacenter"),
            ("checks = []", "checks"),
            ("ttl_seconds = 0.5", "ttl_seconds"),
        ] {
            let error = checked(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("configuration: consul.{key}: must ")), "{error}");
        }
        for text in ["", "address = \"agent:8500\"", "advertise = \"[::1]:5001\"", "address = \"https://a:8501/\""] {
            checked(text).unwrap();
        }
    }

    #[test]
    fn who_speaks_tls_tells_by_itself_unless_the_agent_can_ask() {
        use CheckKind::{Grpc, Ttl};
        for (text, tls, kinds) in [
            ("", false, &[Grpc, Ttl][..]),
            ("", true, &[Ttl]),
            ("check_tls_name = \"aex.internal\"", true, &[Grpc, Ttl]),
            ("checks = [\"grpc\"]", true, &[Grpc]),
        ] {
            assert_eq!(settings(text).kinds(tls), kinds, "{text}");
        }
    }

    #[test]
    fn the_advertised_address_is_one_of_one_host() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let host = |host: &str| Some(host.to_owned());
        assert_eq!(settings("").advertised(at("10.1.2.3:5001")), Some((host("10.1.2.3"), 5001)));
        assert_eq!(settings("").advertised(at("[::]:5001")), Some((None, 5001)));
        let named = settings("advertise = \"[fd00::1]:6001\"");
        assert_eq!(named.advertised(at("0.0.0.0:5001")), Some((host("fd00::1"), 6001)));
    }
}
