//! What an operator sets for Azotel's SIMPLer.

use std::collections::BTreeMap;

use bridge::{
    Secret,
    http::{BaseUrl, Transport},
    wire::soap::Style,
};
use serde::Deserialize;

/// The service's own part of its configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The upstream accounts by alias; callers choose one by `x-ispbridge-account`.
    pub accounts: BTreeMap<String, Account>,
}

/// One account: an operator's SIMPLer server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The whole address of the SOAP door, `http://SERVER/API/operatorapi.pl` (seed, "General").
    pub base_url: BaseUrl,
    /// The URI that selects the class, `http://SERVER/OperatorAPI`; the server looks at its path only
    /// (dossier 2.3). Made from the address if absent.
    pub uri: Option<String>,
    /// How the attributes are passed (dossier 2.2).
    #[serde(default)]
    pub style: Style,
    /// The API's user name.
    pub username: String,
    /// The API's password.
    pub password: Secret,
    /// The database, for an operator that has several.
    pub operator: Option<String>,
    /// How the address is reached.
    #[serde(default)]
    pub transport: Transport,
}
