//! The part of a configuration that the commands need; no secret is read.

use std::{collections::HashSet, net::SocketAddr, path::Path, time::Duration};

use serde::Deserialize;

use crate::{
    config::{GroupConfig, KeysConfig, NAME, key_entry::KeyEntry},
    identity::file_keys::KnownNames,
};

/// The part of a configuration that keys have to do with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommandConfig {
    pub(super) keys: Option<KeysConfig>,
    groups: Vec<GroupConfig>,
    routes: Vec<RouteName>,
    admin: Admin,
    server: Server,
}

#[derive(Debug, Deserialize)]
struct RouteName {
    provider: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Admin {
    listen: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Server {
    reload_seconds: config::Seconds,
}

impl Default for Server {
    fn default() -> Self {
        Self { reload_seconds: serving::ServerSettings::default().reload_seconds }
    }
}

impl CommandConfig {
    /// Reads what a command needs of the configuration.
    pub(super) fn read(config: Option<&Path>) -> Result<Self, String> {
        let document = chassis::config_source(NAME, config).read().map_err(|error| error.to_string())?;
        document.part().map_err(|error| error.to_string())
    }

    /// The admin address of a gateway with this configuration, if it is known.
    pub(super) fn admin(&self) -> Option<SocketAddr> {
        self.admin.listen.filter(|address| address.port() != 0).map(reachable)
    }

    /// How often the gateway checks its files; zero means never.
    pub(super) fn reloads_every(&self) -> Duration {
        self.server.reload_seconds.0
    }

    /// Whether a gateway with this configuration accepts an entry.
    pub(super) fn believes(&self, key: &KeyEntry) -> Result<(), String> {
        let groups: HashSet<Box<str>> = self.groups.iter().map(|group| group.name.as_str().into()).collect();
        let providers = self.providers();
        let named = KnownNames { groups: &groups, providers: &providers };
        named.check(key).map_err(|(field, problem)| format!("{field}: {problem}"))
    }

    fn providers(&self) -> HashSet<Box<str>> {
        self.routes.iter().map(|route| route.provider.as_str().into()).collect()
    }

    /// Whether everything that a new key names exists.
    pub(super) fn check(&self, key: &KeyEntry) -> Result<(), String> {
        self.believes(key)?;
        let providers = self.providers();
        let methods = key.grants.iter().flat_map(|grant| &grant.methods).filter_map(|method| method.name());
        for method in methods {
            match protocol::provider::of_name(method) {
                Some(name) if name.is_empty() || providers.contains(name.as_str()) => {}
                Some(name) => {
                    return Err(format!(
                        "grants: must name methods of providers that have a route, and {name:?} has none"
                    ));
                }
                None => return Err(format!("grants: must name methods, and none begins with {method:?}")),
            }
        }
        Ok(())
    }
}

/// A wildcard address, as an address to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
