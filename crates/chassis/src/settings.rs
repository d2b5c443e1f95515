//! The chassis' own sections of the configuration file; the defaults are those of the suite.

mod check;

use std::{net::SocketAddr, path::PathBuf};

use config::{Findings, Secret, read_section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serving::ServerSettings;
use telemetry::{LogSettings, TelemetrySettings};
use toml::Table;

use crate::consul::ConsulSettings;

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

impl Default for AuditSettings {
    fn default() -> Self {
        Self { file: None, max_bytes: 64 << 20, keep: 10, on_loss: OnLoss::Count }
    }
}

#[cfg(test)]
mod tests;
