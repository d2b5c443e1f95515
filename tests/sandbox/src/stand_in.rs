//! What there is to know of each upstream from outside: its place, the account that it takes, and what it starts from.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::ALL;
use crate::host::Upstream;

/// A stand-in for one provider's upstream.
pub struct StandIn {
    /// The provider, for example `aex`.
    pub provider: &'static str,
    /// How people call it.
    pub title: &'static str,
    /// What stands behind the origin in an account's address.
    pub path: &'static str,
    /// The keys of an account besides address and transport.
    pub account: &'static [AccountKey],
    pub(crate) new: fn(&Config) -> Box<dyn Upstream>,
}

/// A key of an account, and the value that the upstream takes.
pub struct AccountKey {
    /// The key, as the service's configuration has it.
    pub name: &'static str,
    /// The value, unless [`crate::Credentials`] says another.
    pub value: &'static str,
    /// Whether the configuration holds a reference in place of the value.
    pub is_secret: bool,
}

impl StandIn {
    /// The stand-in of a provider.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(provider: &str) -> &'static Self {
        let found = ALL.iter().find(|stand_in| stand_in.provider == provider);
        found.unwrap_or_else(|| panic!("the sandbox has no {provider}"))
    }

    /// What the upstream takes as the value of a key.
    ///
    /// # Panics
    /// If an account has no such key.
    pub fn value(&self, key: &str) -> &'static str {
        let found = self.account.iter().find(|own| own.name == key);
        found.unwrap_or_else(|| panic!("an account of {} has no {key}", self.provider)).value
    }
}

impl AccountKey {
    pub(crate) const fn plain(name: &'static str, value: &'static str) -> Self {
        Self { name, value, is_secret: false }
    }

    pub(crate) const fn secret(name: &'static str, value: &'static str) -> Self {
        Self { name, value, is_secret: true }
    }
}

/// Where the sandbox listens and what it starts from.
#[derive(Clone)]
pub struct Config {
    /// Address of each provider's upstream; one that is not here takes a free port of this machine.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Credentials the upstreams accept.
    pub credentials: Credentials,
    /// How long sessions live, whether they are used or not, in place of what each upstream says.
    pub session_lifetime: Option<Duration>,
    /// Seed of the generator of GUIDs and session keys: the same seed gives the same ids.
    pub seed: u64,
}

/// What the upstreams accept as their callers' credentials: what [`StandIn::account`] says, and what differs from that.
#[derive(Clone, Default)]
pub struct Credentials(BTreeMap<(&'static str, &'static str), String>);

impl Default for Config {
    fn default() -> Self {
        Self { addresses: BTreeMap::new(), credentials: Credentials::default(), session_lifetime: None, seed: 1 }
    }
}

impl Config {
    pub(crate) fn address(&self, provider: &str) -> SocketAddr {
        self.addresses.get(provider).copied().unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }
}

impl Credentials {
    /// The same with another value of a key of a provider's account.
    #[must_use]
    pub fn with(mut self, provider: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        self.0.insert((provider, key), value.into());
        self
    }

    /// The value of a key of a provider's account.
    ///
    /// # Panics
    /// If an account has no such key.
    pub fn get(&self, provider: &'static str, key: &'static str) -> &str {
        let own = self.0.get(&(provider, key)).map(String::as_str);
        own.unwrap_or_else(|| StandIn::of(provider).value(key))
    }
}
