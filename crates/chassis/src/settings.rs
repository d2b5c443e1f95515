//! The chassis' own sections of the configuration file; the defaults are those of the suite.

mod check;

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
};

use config::{Findings, Networks, Seconds, Secret, read_section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

use telemetry::{LogSettings, TelemetrySettings};

use crate::{ConsulSettings, TlsSettings};

/// The sections that every process of the suite has.
pub(crate) const SECTIONS: [&str; 7] = ["server", "admin", "telemetry", "log", "audit", "callers", "consul"];

/// The sections that every process of the suite has.
#[derive(Clone, Debug, Default, JsonSchema)]
pub struct Settings {
    /// `[server]`: the gRPC listener and its limits.
    #[schemars(extend("x-restart" = true))]
    pub server: ServerSettings,
    /// `[admin]`: health for orchestrators and metrics for scrapers.
    #[schemars(extend("x-restart" = true))]
    pub admin: AdminSettings,
    /// `[telemetry]`: where traces and metrics are pushed to.
    #[schemars(extend("x-restart" = true))]
    pub telemetry: TelemetrySettings,
    /// `[log]`: how the process logs.
    #[schemars(extend("x-restart" = true))]
    pub log: LogSettings,
    /// `[audit]`: where calls that change something are written down.
    #[schemars(extend("x-restart" = true))]
    pub audit: AuditSettings,
    /// `[callers]`: whom the process believes.
    pub callers: CallersSettings,
    /// `[consul]`: the agent that the process registers with and asks for others, if there is one.
    #[schemars(extend("x-restart" = true))]
    pub consul: Option<ConsulSettings>,
}

/// `[server]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Address of the gRPC listener (HTTP/2 with prior knowledge); port 0 takes any free port.
    pub listen: SocketAddr,
    /// Threads that serve calls; one for each core if the key is absent.
    pub threads: Option<NonZeroUsize>,
    /// Largest request, all of its messages together.
    pub max_request_bytes: u64,
    /// Largest reply, all of its messages together.
    pub max_reply_bytes: u64,
    /// Largest header list of a request: what is larger is refused with RESOURCE_EXHAUSTED, and over HTTP/2 what is more
    /// than twice as large with HTTP's own 431.
    pub max_header_bytes: u32,
    /// Open calls per connection; below 100 first bursts of clients are refused (hyper assumes 100).
    pub max_streams_per_connection: u32,
    /// HTTP/2 window of one stream.
    pub stream_window_bytes: u32,
    /// HTTP/2 window of one connection.
    pub connection_window_bytes: u32,
    /// Open connections; who comes beyond is told so and closed. Each takes a file descriptor, and the process keeps some for
    /// other things.
    pub max_connections: usize,
    /// Open connections from one address, or from one network of 64 bits of IPv6; 0 is any number. If the key is absent it
    /// is half of `max_connections`: one address cannot shut out all others, and a balancer that is not named below has
    /// room. Proxies in `proxy_protocol.from` and `forwarded.from` are not counted, only those whose connections come
    /// through with a PROXY header.
    pub max_connections_per_ip: Option<usize>,
    /// Networks whose connections are not counted by address, e.g. of a balancer that rewrites addresses.
    pub max_connections_per_ip_exempt: Networks,
    /// Proxies that pass on connections.
    pub proxy_protocol: ProxyProtocolSettings,
    /// Proxies that pass on requests.
    pub forwarded: ForwardedSettings,
    /// How long a new connection may take for all that stands before its first request (PROXY header, TLS handshake, preface
    /// of HTTP/2), and over HTTP/1.1 the head of any request from its first byte.
    pub preface_seconds: Seconds,
    /// How long a connection over HTTP/1.1 may wait for its client's next request; clients keep theirs for a minute or so
    /// (nginx too has 75 seconds), and should be the ones who close.
    pub http1_idle_seconds: Seconds,
    /// Silence after which a connection is pinged.
    pub keep_alive_seconds: Seconds,
    /// How long the answer to a ping may take.
    pub keep_alive_timeout_seconds: Seconds,
    /// Age (plus or minus a tenth) at which a connection is asked to go away, so that clients find new instances.
    pub max_connection_age_seconds: Seconds,
    /// How long a peer may take nothing of a reply, or of what is written to it at all, before it is given up.
    pub write_stall_seconds: Seconds,
    /// PING, SETTINGS and PRIORITY frames that a peer may send at once; a tenth of it is given back every second.
    pub max_control_frames: u32,
    /// Calls being worked on; what comes beyond is refused at once.
    pub max_in_flight: u32,
    /// What replies that are not sent yet may take together; while it is used up new calls are refused.
    pub reply_memory_bytes: usize,
    /// Deadline of a call that has none.
    pub default_deadline_seconds: Seconds,
    /// Longest deadline that is believed.
    pub max_deadline_seconds: Seconds,
    /// How long the process still serves after it said that it will stop, so that balancers learn of it.
    pub announce_seconds: Seconds,
    /// How long a drain may take before what is left is answered with UNAVAILABLE (a write with ABORTED) and cut; the
    /// process ends at most a second later.
    pub drain_seconds: Seconds,
    /// How often the configuration file and what it refers to (secrets, certificates, keys) are looked at for changes; 0 is
    /// never (SIGHUP remains). A file that is being written is given 0.6 s at most to come to rest.
    pub reload_seconds: Seconds,
    /// Whether the reflection service is offered.
    pub reflection: bool,
    /// The certificate of the listener; plain text without it.
    #[schemars(extend("x-restart" = false))]
    pub tls: Option<TlsSettings>,
    /// Whether another process may listen at the same address (`SO_REUSEPORT`, Linux): a new one starts beside the old
    /// one, which is then told to stop, and no connection is refused in between. It holds for the admin listener too.
    pub reuse_port: bool,
}

/// `[server.proxy_protocol]`: proxies that say with a PROXY header (version 1 or 2) whose connection they pass on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyProtocolSettings {
    /// Their networks. A connection from there without a header is refused, and so is one with a header from anywhere else.
    pub from: Networks,
}

/// `[server.forwarded]`: proxies that say with a header of each request for whom they pass it on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardedSettings {
    /// Their networks. The caller is the rightmost address of the header that is in none of them; from anywhere else the
    /// header means nothing.
    pub from: Networks,
    /// The header that they write. If the key is absent it is the one that is there; of two that do not name the same caller
    /// none is believed, because a stranger may have sent the other.
    pub header: Option<ForwardedHeader>,
}

/// A header in which proxies say for whom they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

/// `[admin]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address of the admin listener (HTTP/1); there is none if the key is absent.
    pub listen: Option<SocketAddr>,
    /// Whether the log level can be changed (`/log`) and calls be watched (`/tap`) here; if absent, only where the
    /// listener is a loopback address.
    pub control: Option<bool>,
    /// Names, without port, by which the listener may be asked for beside addresses and `localhost`. Any other is refused: a
    /// web page could otherwise give its own name to this address and read what a browser of yours sees here.
    pub hosts: Vec<String>,
}

/// `[audit]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// The file; there is no audit log if the key is absent.
    pub file: Option<PathBuf>,
    /// Size at which the file is put away as `FILE.1` and begins anew.
    pub max_bytes: u64,
    /// How many files that were put away are kept.
    pub keep: u32,
    /// What becomes of calls that may change something while the log cannot be written: `"count"` lets them go on and
    /// counts the records that are lost; `"refuse"` refuses them before anything is sent, and announces each in the log
    /// before it goes on.
    pub on_loss: OnLoss,
}

/// What becomes of calls that may change something while the audit log cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnLoss {
    /// They go on, and what is lost is counted.
    #[default]
    Count,
    /// They are refused.
    Refuse,
}

/// `[callers]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallersSettings {
    /// Whom the process believes.
    #[schemars(extend("x-restart" = true))]
    pub mode: CallersMode,
    /// Keys of the caller context, the current one and, while keys are changed, the previous one.
    pub keys: Vec<CallerKey>,
}

/// Whom a process believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallersMode {
    /// Only calls with a caller context that the gateway signed.
    #[default]
    Gateway,
    /// Everybody who can reach the listener, which must then be a loopback address.
    Open,
}

/// One key of the caller context.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerKey {
    /// Name of the key, as the gateway calls it.
    pub id: String,
    /// The key derived for this one service (`ispbridge-gateway callers derive`), not the gateway's root.
    pub secret: Secret,
}

impl Settings {
    /// Takes the sections of every process out of a configuration and checks what one section alone cannot know. A program that
    /// authenticates its callers itself gives its name.
    pub(crate) fn take(authenticates: Option<&str>, table: &mut Table, findings: &mut Findings) -> Self {
        let settings = Self {
            server: read_section(table, "server", findings),
            admin: read_section(table, "admin", findings),
            telemetry: read_section(table, "telemetry", findings),
            log: read_section(table, "log", findings),
            audit: read_section(table, "audit", findings),
            callers: read_section(table, "callers", findings),
            consul: table.contains_key("consul").then(|| read_section(table, "consul", findings)),
        };
        check::callers(authenticates, &settings, findings);
        check::limits(&settings, findings);
        settings
    }
}

impl ServerSettings {
    /// How many connections one address may have, if there is a limit.
    pub(crate) fn connections_per_ip(&self) -> Option<usize> {
        let most = self.max_connections_per_ip.unwrap_or((self.max_connections / 2).max(1));
        (most > 0).then_some(most)
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            threads: None,
            max_request_bytes: 1 << 20,
            max_reply_bytes: 4 << 20,
            max_header_bytes: 16 << 10,
            max_streams_per_connection: 100,
            stream_window_bytes: 64 << 10,
            connection_window_bytes: 1 << 20,
            max_connections: 1024,
            max_connections_per_ip: None,
            max_connections_per_ip_exempt: Networks::default(),
            proxy_protocol: ProxyProtocolSettings::default(),
            forwarded: ForwardedSettings::default(),
            preface_seconds: Seconds::whole(5),
            http1_idle_seconds: Seconds::whole(75),
            keep_alive_seconds: Seconds::whole(30),
            keep_alive_timeout_seconds: Seconds::whole(10),
            max_connection_age_seconds: Seconds::whole(30 * 60),
            write_stall_seconds: Seconds::whole(30),
            max_control_frames: 1000,
            max_in_flight: 512,
            reply_memory_bytes: 64 << 20,
            default_deadline_seconds: Seconds::whole(60),
            max_deadline_seconds: Seconds::whole(300),
            announce_seconds: Seconds::whole(5),
            drain_seconds: Seconds::whole(25),
            reload_seconds: Seconds::whole(5),
            reflection: true,
            tls: None,
            reuse_port: false,
        }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { file: None, max_bytes: 64 << 20, keep: 10, on_loss: OnLoss::Count }
    }
}

#[cfg(test)]
mod tests;
