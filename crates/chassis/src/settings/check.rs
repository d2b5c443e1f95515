//! What one section of the chassis alone cannot know, and what its types do not say.

use std::net::SocketAddr;

use config::{Error, Findings};
use serving::Host;

use super::{AdminSettings, CallersMode, Settings};
use crate::consul::ConsulSettings;

/// Smallest file of the audit log: a record has room in it.
const LEAST_AUDIT: u64 = 1024;

/// Whom the process believes.
pub(super) fn callers(authenticates: Option<&str>, settings: &Settings, findings: &mut Findings) {
    let callers = &settings.callers;
    if let Some(program) = authenticates {
        if !callers.keys.is_empty() || callers.mode != CallersMode::Gateway {
            findings.mistake("callers", format!("must not be given: {program} authenticates callers itself"));
        }
        return;
    }
    let is_near = settings.server.listen.ip().is_loopback();
    match callers.mode {
        CallersMode::Open if !is_near => findings.mistake(
            "callers.mode",
            "must be \"gateway\" unless server.listen is a loopback address: \"open\" believes everybody",
        ),
        CallersMode::Open if !callers.keys.is_empty() => {
            findings.warning("callers.keys", "has no effect: callers.mode = \"open\" believes everybody");
        }
        CallersMode::Gateway if callers.keys.is_empty() => {
            findings.mistake(
                "callers.keys",
                "must have the key that the gateway signs with, or callers.mode must be \"open\"",
            );
        }
        _ => {}
    }
}

/// Figures, and what must fit together.
pub(super) fn limits(settings: &Settings, findings: &mut Findings) {
    settings.server.check(findings);
    if settings.audit.max_bytes < LEAST_AUDIT {
        findings.mistake("audit.max_bytes", format!("must be at least {LEAST_AUDIT}"));
    }
    findings.take(telemetry::log::check(&settings.log));
    findings.take(hosts(&settings.admin));
    telemetry::check(&settings.telemetry, findings);
    if settings.admin.listen.is_some_and(|admin| collide(admin, settings.server.listen)) {
        findings.mistake("admin.listen", "must be another address or port than server.listen");
    }
    if let Some(consul) = &settings.consul {
        ConsulSettings::check(consul, findings);
    }
}

/// Whether two listeners would want the same port of the same address.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, port) = (one.ip(), one.port());
    port != 0 && port == other.port() && (ip == other.ip() || ip.is_unspecified() || other.ip().is_unspecified())
}

/// Checks the names by which the admin port may be asked for.
fn hosts(settings: &AdminSettings) -> Result<(), Error> {
    match settings.hosts.iter().position(|name| !Host::is_bare(name)) {
        Some(index) => {
            let problem = "must be a host name without port, such as \"gateway.internal\"";
            Err(Error::config(format!("admin.hosts[{index}]"), problem))
        }
        None => Ok(()),
    }
}
