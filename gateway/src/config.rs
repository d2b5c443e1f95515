//! The gateway's own part of the configuration file.

mod calls;
pub mod doors;
mod fleet;
mod identity;
mod limits;
pub(crate) mod policy;

use chassis::{Error, Secret};
use serde::Deserialize;

pub use self::{
    calls::{HedgeConfig, TimeoutConfig},
    fleet::{ClientTlsConfig, ConsulName, HostPort, InstanceAddress, RouteConfig, ServicesConfig},
    identity::{CertificateName, GuessesConfig, IssuerConfig, JwksConfig, KeysConfig, PrincipalConfig},
    limits::{GatewayLimit, LimitMode, LimitsConfig, ProviderLimit},
    policy::{GrantConfig, GroupConfig},
};
use crate::{config::doors::DoorsConfig, policy::pattern::is_label};

/// Everything of the file but the sections that each process has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether reflection answers without an API key.
    #[serde(default)]
    pub public_reflection: bool,
    /// The root of the caller context.
    pub signing: SigningConfig,
    /// Limits of the gateway's own.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Who may call.
    #[serde(default)]
    pub principals: Vec<PrincipalConfig>,
    /// Keys beside those of the principals.
    pub keys: Option<KeysConfig>,
    /// Who issues tokens.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    /// Wrong keys.
    #[serde(default)]
    pub guesses: GuessesConfig,
    /// Who belongs together.
    #[serde(default)]
    pub groups: Vec<GroupConfig>,
    /// What they may do; what no grant covers is refused.
    #[serde(default)]
    pub grants: Vec<GrantConfig>,
    /// Where the services are.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// How they are spoken to.
    #[serde(default)]
    pub services: ServicesConfig,
    /// How long calls may take.
    #[serde(default)]
    pub timeouts: Vec<TimeoutConfig>,
    /// Which reads are asked of a second instance when the first is slow.
    #[serde(default)]
    pub hedging: Vec<HedgeConfig>,
    /// How callers that do not speak gRPC come in.
    #[serde(default)]
    pub doors: DoorsConfig,
}

/// `[signing]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningConfig {
    /// Name of the root; the services hold a key of the same id that is derived from it.
    pub id: String,
    /// The root itself, at least 32 bytes.
    pub secret: Secret,
}

impl Config {
    /// Checks what one entry alone cannot know.
    ///
    /// # Errors
    /// The key that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        chassis::caller::Root::new(&self.signing.id, self.signing.secret.expose())
            .map_err(|error| Error::config("signing", error))?;
        self.doors.check()?;
        fleet::check(&self.routes, &self.services)?;
        calls::check(&self.timeouts)?;
        self.limits.check(&self.routes.iter().map(|route| route.provider.as_str()).collect())?;
        identity::check(self)?;
        policy::check(self)?;
        crate::identity::check(self)
    }
}

fn check_name(key: &str, name: &str) -> Result<(), Error> {
    let problem = "is 1 to 63 lower-case letters, digits, -, _ or ., and begins with a letter or digit";
    if is_label(name) { Ok(()) } else { Err(Error::config(key, problem)) }
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
        config.check().map_err(|error| error.to_string())
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
            (format!("{}{grant}", "[[principals]]\nname = \"billing\"\napi_keys = []\n"), "grants[0].accounts"),
        ];
        for (body, key) in cases {
            let error = check(&body).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        assert_eq!(check(ROUTE), Ok(()));
    }
}
