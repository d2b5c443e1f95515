//! What every provider's service is: upstream accounts, their mapping tables, reload, health and the account check.
//!
//! A provider's crate states its facts as a [`Definition`]; [`Service`] makes the program of them. This is the only place where
//! the bridge, which knows wires, meets the chassis, which knows processes.

mod accounts;
mod contract;
mod service;

use bridge::{
    Provider, Upstream,
    http::{BaseUrl, Transport},
    problem::Problems,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use accounts::Config;
pub use contract::{Contract, Dialect, Dialects};
pub use service::{Service, main};
pub use serving::ServiceSet;

/// The facts of one provider.
pub trait Definition: Send + Sync + 'static {
    /// The contract that the service serves, as `bridge-build` compiled it.
    const CONTRACT: Contract;

    /// How the upstream writes the contract's words: the text of `vocabulary.toml`.
    const VOCABULARY: &'static str;

    /// The upstream's APIs; each account speaks one of them or several.
    const DIALECTS: &'static [Dialect];

    /// The settings of one account.
    type Account: AccountSettings;

    /// Adds the contract's gRPC services to what the process serves.
    fn services(upstream: Upstream, surface: ServiceSet) -> ServiceSet;
}

/// What an operator sets for one account: one table `[accounts.ALIAS]` of the configuration.
pub trait AccountSettings: DeserializeOwned + JsonSchema + Send + 'static {
    /// Where the upstream is.
    fn base_url(&self) -> &BaseUrl;

    /// How that is reached.
    fn transport(&self) -> &Transport;

    /// The names of the dialects that the account speaks, each one of [`Definition::DIALECTS`], in the order of their
    /// [`bridge::DialectId`]s.
    fn dialects(&self) -> &'static [Option<&'static str>] {
        &[None]
    }

    /// Makes what speaks to the upstream with the account's credentials, without touching the network.
    ///
    /// # Errors
    /// Every key that is wrong, but those of address and transport.
    fn provider(&self) -> Result<Box<dyn Provider>, Problems>;
}
