//! What one section of the chassis alone cannot know, and what its types do not say.

use std::net::SocketAddr;

use config::Findings;

use super::{CallersMode, Settings};
use crate::{ConsulSettings, admin};

/// Largest window of HTTP/2 (RFC 9113, 6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;
/// Memory that a connection may take before a call is known.
const MOST_HEADERS: u64 = 16 << 20;

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
    let server = &settings.server;
    figures(settings, findings);
    for (key, seconds) in [
        ("preface_seconds", server.preface_seconds),
        ("http1_idle_seconds", server.http1_idle_seconds),
        ("keep_alive_seconds", server.keep_alive_seconds),
        ("keep_alive_timeout_seconds", server.keep_alive_timeout_seconds),
        ("max_connection_age_seconds", server.max_connection_age_seconds),
        ("write_stall_seconds", server.write_stall_seconds),
        ("default_deadline_seconds", server.default_deadline_seconds),
        ("max_deadline_seconds", server.max_deadline_seconds),
    ] {
        if seconds.0.is_zero() {
            findings.mistake(format!("server.{key}"), "must be more than 0");
        }
    }
    findings.take(telemetry::log::check(&settings.log));
    findings.take(admin::check(&settings.admin));
    telemetry::check(&settings.telemetry, findings);
    if settings.admin.listen.is_some_and(|admin| collide(admin, server.listen)) {
        findings.mistake("admin.listen", "must be another address or port than server.listen");
    }
    if let Some(consul) = &settings.consul {
        ConsulSettings::check(consul, findings);
    }
}

fn figures(settings: &Settings, findings: &mut Findings) {
    let server = &settings.server;
    for (key, value, range) in [
        ("server.max_in_flight", server.max_in_flight.into(), 1..=u64::MAX),
        ("server.max_request_bytes", server.max_request_bytes, 1..=u64::MAX),
        ("server.max_reply_bytes", server.max_reply_bytes, 1..=u64::MAX),
        ("server.max_header_bytes", server.max_header_bytes.into(), 1024..=MOST_HEADERS),
        ("server.max_streams_per_connection", server.max_streams_per_connection.into(), 1..=u64::MAX),
        ("server.stream_window_bytes", server.stream_window_bytes.into(), 1..=LARGEST_WINDOW),
        ("server.connection_window_bytes", server.connection_window_bytes.into(), 1..=LARGEST_WINDOW),
        ("server.max_connections", server.max_connections as u64, 1..=u64::MAX),
        ("server.max_control_frames", server.max_control_frames.into(), 1..=u64::MAX),
        ("server.reply_memory_bytes", server.reply_memory_bytes as u64, 1..=u64::MAX),
        ("audit.max_bytes", settings.audit.max_bytes, 1024..=u64::MAX),
    ] {
        let (least, most) = (range.start(), range.end());
        match (range.contains(&value), *most) {
            (true, _) => {}
            (false, u64::MAX) => findings.mistake(key, format!("must be at least {least}")),
            (false, most) => findings.mistake(key, format!("must be between {least} and {most}")),
        }
    }
}

/// Whether two listeners would want the same port of the same address.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, port) = (one.ip(), one.port());
    port != 0 && port == other.port() && (ip == other.ip() || ip.is_unspecified() || other.ip().is_unspecified())
}
