//! What an operator sets for Demo.

use bridge::http::{BaseUrl, Transport};
use config::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// One account at Demo.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The address of the API, for example `https://api.example.comWIRE_PATH`.
    pub base_url: BaseUrl,
    /// The token that every call carries.
    pub token: Secret,
    /// How the address is reached.
    #[serde(default)]
    pub transport: Transport,
}
