//! What an operator sets for AEx.

use bridge::http::{BaseUrl, Transport};
use config::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// One account: a token is valid for one FNO or operator environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The FNO's address, for example `https://preprod.fno.dev.aex.systems`.
    pub base_url: BaseUrl,
    /// The bearer token that AEx's service delivery manager hands out.
    pub token: Secret,
    /// How the address is reached.
    #[serde(default)]
    pub transport: Transport,
}
