//! The gateway's own part of the configuration file.

mod calls;
mod client_tls;
pub mod doors;
mod fleet;
mod identity;
pub(crate) mod key_entry;
pub(crate) mod key_file;
mod limits;
pub(crate) mod pattern;
pub(crate) mod policy;

use chassis::Settings;
use config::{Error, Findings, Secret};
use protocol::caller::Root;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{doors::DoorsConfig, pattern::is_label};

pub use self::{
    calls::{HedgeConfig, TimeoutConfig},
    fleet::{ClientTlsConfig, ConsulName, HostPort, InstanceAddress, RouteConfig, ServicesConfig},
    identity::{CertificateName, GuessesConfig, IssuerConfig, JwksConfig, KeysConfig, PrincipalConfig},
    limits::{GatewayLimit, LimitMode, LimitsConfig, ProviderLimit},
    policy::{GrantConfig, GroupConfig},
};

/// The name of the program, in its command line, its configuration file and telemetry.
pub(crate) const NAME: &str = "ispbridge-gateway";

/// The configuration file, without the sections that every process has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether reflection, the OpenAPI document and the health of services need no credential.
    #[serde(default)]
    pub public_reflection: bool,
    /// The root key that signs caller contexts; required.
    pub signing: Option<SigningConfig>,
    /// The gateway's own limits.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Callers that the configuration names.
    #[serde(default)]
    pub principals: Vec<PrincipalConfig>,
    /// The key file, in addition to the principals' keys.
    pub keys: Option<KeysConfig>,
    /// Issuers of tokens.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    /// Limits on wrong credentials.
    #[serde(default)]
    pub guesses: GuessesConfig,
    /// Groups of principals.
    #[serde(default)]
    pub groups: Vec<GroupConfig>,
    /// What principals and groups may do; a call that no grant covers is refused.
    #[serde(default)]
    pub grants: Vec<GrantConfig>,
    /// Routes to the providers' services.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// How the gateway connects to services.
    #[serde(default)]
    pub services: ServicesConfig,
    /// Timeouts by method.
    #[serde(default)]
    pub timeouts: Vec<TimeoutConfig>,
    /// Reads that are sent to a second instance when the first is slow.
    #[serde(default)]
    pub hedging: Vec<HedgeConfig>,
    /// Protocols other than gRPC.
    #[serde(default)]
    #[schemars(extend("x-restart" = true))]
    pub doors: DoorsConfig,
}

/// `[signing]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningConfig {
    /// Id of the root key; each service has a key with the same id that is derived from it.
    pub id: String,
    /// The root key, at least 32 bytes.
    pub secret: Secret,
}

impl Config {
    /// Checks what one entry alone cannot show, and warns of entries without effect. Reads no file.
    pub fn check(&self, settings: &Settings, findings: &mut Findings) {
        findings.take(self.root());
        self.doors.check(findings);
        fleet::check(self, settings, findings);
        calls::check(self, findings);
        self.limits.check(self, findings);
        identity::check(self, settings, findings);
        policy::check(self, findings);
    }

    /// The root key that signs caller contexts.
    ///
    /// # Errors
    /// The key that is wrong.
    pub(crate) fn root(&self) -> Result<Root, Error> {
        let signing = self.signing.as_ref().ok_or_else(|| Error::config("signing", "must be given"))?;
        Root::new(&signing.id, signing.secret.expose())
            .map_err(|error| Error::config(format!("signing.{}", error.field()), error))
    }

    /// Whether there is a route to a provider.
    pub(crate) fn routes_to(&self, provider: &str) -> bool {
        self.routes.iter().any(|route| route.provider == provider)
    }
}

fn check_name(key: &str, name: &str, findings: &mut Findings) {
    if !is_label(name) {
        let form = "must be 1 to 63 lower-case letters, digits, -, _ or ., and begin with a letter or digit";
        findings.mistake(key, form);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<(), String> {
        let path = std::env::temp_dir().join(format!("ispbridge-gateway-root-{}", std::process::id()));
        std::fs::write(&path, "0123456789abcdef0123456789abcdef").unwrap();
        let text = format!("{body}\n[signing]\nid = \"k1\"\nsecret = {{ file = {path:?} }}");
        let table: toml::Table = text.parse().unwrap();
        let config: Config = table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        let mut findings = Findings::default();
        config.check(&Settings::default(), &mut findings);
        findings.into_result().map_err(|error| error.to_string())
    }

    const ROUTE: &str = "[[routes]]\nprovider = \"aex\"\ninstances = [\"http://127.0.0.1:5001\"]\n";

    #[test]
    fn a_wrong_entry_is_named() {
        let grant = "[[grants]]\nprincipals = [\"billing\"]\nmethods = [\"*\"]\naccounts = [\"aex/main\"]\n";
        let cases = [
            (ROUTE.repeat(2), "routes[1].provider"),
            (ROUTE.replace("aex", "Aex"), "routes[0].provider"),
            (ROUTE.replace("\"http://127.0.0.1:5001\"", ""), "routes[0].instances"),
            (format!("{ROUTE}{grant}"), "grants[0].principals"),
            ("[[principals]]\nname = \"billing\"\napi_keys = []\n".repeat(2), "principals[1].name"),
        ];
        for (body, key) in cases {
            let error = check(&body).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        assert_eq!(check(ROUTE), Ok(()));
    }
}
