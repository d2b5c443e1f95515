//! `[server]`: the listener and its limits; the defaults are those of the suite.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use config::{Findings, Networks, Seconds, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest window of HTTP/2 (RFC 9113, 6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;
/// Budget that a connection may take before a call is known.
const MOST_HEADERS: u64 = 16 << 20;

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
    /// Largest file that a method downloads, all of its pieces together, in place of `max_reply_bytes`; each piece is passed on as
    /// it comes.
    pub max_download_bytes: u64,
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

/// `[server.tls]`: without it the listener speaks plain text. All files may change while the process runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate and what stands between it and its root, in PEM.
    pub certificate: Secret,
    /// The private key of the certificate, in PEM.
    pub key: Secret,
    /// Roots of the clients' certificates, in PEM; without them no client is asked for one.
    pub client_ca: Option<Secret>,
    /// Whether a client must have a certificate.
    pub client_auth: Option<ClientAuth>,
}

/// Whether a client must have a certificate; one that it shows must be right in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// It may have one.
    Optional,
    /// It must have one.
    #[default]
    Required,
}

impl ServerSettings {
    /// Says which of its figures are wrong.
    pub fn check(&self, findings: &mut Findings) {
        for (key, value, range) in [
            ("max_in_flight", self.max_in_flight.into(), 1..=u64::MAX),
            ("max_request_bytes", self.max_request_bytes, 1..=u64::MAX),
            ("max_reply_bytes", self.max_reply_bytes, 1..=u64::MAX),
            ("max_download_bytes", self.max_download_bytes, 1..=u64::MAX),
            ("max_header_bytes", self.max_header_bytes.into(), 1024..=MOST_HEADERS),
            ("max_streams_per_connection", self.max_streams_per_connection.into(), 1..=u64::MAX),
            ("stream_window_bytes", self.stream_window_bytes.into(), 1..=LARGEST_WINDOW),
            ("connection_window_bytes", self.connection_window_bytes.into(), 1..=LARGEST_WINDOW),
            ("max_connections", self.max_connections as u64, 1..=u64::MAX),
            ("max_control_frames", self.max_control_frames.into(), 1..=u64::MAX),
            ("reply_memory_bytes", self.reply_memory_bytes as u64, 1..=u64::MAX),
        ] {
            let (least, most) = (range.start(), range.end());
            match (range.contains(&value), *most) {
                (true, _) => {}
                (false, u64::MAX) => findings.mistake(format!("server.{key}"), format!("must be at least {least}")),
                (false, most) => {
                    findings.mistake(format!("server.{key}"), format!("must be between {least} and {most}"));
                }
            }
        }
        self.check_times(findings);
    }

    fn check_times(&self, findings: &mut Findings) {
        for (key, seconds) in [
            ("preface_seconds", self.preface_seconds),
            ("http1_idle_seconds", self.http1_idle_seconds),
            ("keep_alive_seconds", self.keep_alive_seconds),
            ("keep_alive_timeout_seconds", self.keep_alive_timeout_seconds),
            ("max_connection_age_seconds", self.max_connection_age_seconds),
            ("write_stall_seconds", self.write_stall_seconds),
            ("default_deadline_seconds", self.default_deadline_seconds),
            ("max_deadline_seconds", self.max_deadline_seconds),
        ] {
            if seconds.0.is_zero() {
                findings.mistake(format!("server.{key}"), "must be more than 0");
            }
        }
    }

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
            max_download_bytes: 2 << 30,
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
