//! The gateway's own part of the configuration file.

mod calls;
pub mod doors;
mod fleet;
mod limits;

use std::{collections::HashSet, num::NonZeroUsize};

use chassis::{Error, Secret};
use serde::Deserialize;

pub use self::{
    calls::{HedgeConfig, TimeoutConfig},
    fleet::{ClientTlsConfig, ConsulName, HostPort, InstanceAddress, RouteConfig, ServicesConfig},
    limits::{GatewayLimit, LimitMode, LimitsConfig, ProviderLimit},
};
use crate::{
    config::doors::DoorsConfig,
    policy::pattern::{AccountPattern, MethodPattern, is_label},
    principal::KeyHash,
};

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

/// One of `[[principals]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalConfig {
    /// Its name, as grants, logs and services know it.
    pub name: String,
    /// Hashes of its API keys: two while a key is changed.
    pub api_keys: Vec<KeyHash>,
    /// Calls that it may have in flight.
    pub in_flight: Option<NonZeroUsize>,
    /// Calls a second that it may make.
    pub rate: Option<f64>,
    /// Calls that it may make at once before the rate counts.
    pub burst: Option<f64>,
}

/// One of `[[grants]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConfig {
    /// Who is granted it.
    pub principals: Vec<String>,
    /// Which methods.
    pub methods: Vec<MethodPattern>,
    /// With which accounts.
    pub accounts: Vec<AccountPattern>,
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
        self.check_principals()?;
        self.limits.check(&self.routes.iter().map(|route| route.provider.as_str()).collect())?;
        self.check_grants()
    }

    fn check_principals(&self) -> Result<(), Error> {
        let (mut names, mut keys) = (HashSet::new(), HashSet::new());
        for (index, principal) in self.principals.iter().enumerate() {
            let key = |field: &str| format!("principals[{index}].{field}");
            check_name(&key("name"), &principal.name)?;
            if !names.insert(&principal.name) {
                return Err(Error::config(key("name"), "is the name of another principal"));
            }
            if !principal.api_keys.iter().all(|hash| keys.insert(hash)) {
                return Err(Error::config(key("api_keys"), "holds a key that is there already"));
            }
            limits::check_rate(&key("rate"), principal.rate)?;
            limits::check_burst(&key("burst"), principal.burst)?;
        }
        Ok(())
    }

    fn check_grants(&self) -> Result<(), Error> {
        let names: HashSet<_> = self.principals.iter().map(|p| p.name.as_str()).collect();
        let providers: HashSet<_> = self.routes.iter().map(|r| r.provider.as_str()).collect();
        for (index, grant) in self.grants.iter().enumerate() {
            let stranger = grant.principals.iter().find(|name| !names.contains(name.as_str()));
            if let Some(name) = stranger {
                let key = format!("grants[{index}].principals");
                return Err(Error::config(key, format!("there is no principal {name:?}")));
            }
            let mut named = grant.accounts.iter().filter_map(AccountPattern::provider);
            if let Some(name) = named.find(|name| !providers.contains(name)) {
                let key = format!("grants[{index}].accounts");
                return Err(Error::config(key, format!("there is no route to a provider {name:?}")));
            }
        }
        Ok(())
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
