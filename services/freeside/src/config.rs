//! What an operator sets for Freeside.

use bridge::{
    http::{BaseUrl, Transport},
    wire::xml_rpc::Parameters,
};
use config::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One account: a reseller, called agent upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The whole address of the API, for example `https://HOST/selfservice/xmlrpc.cgi`.
    pub base_url: BaseUrl,
    /// The reseller's user name.
    pub username: String,
    /// The reseller's password.
    pub password: Secret,
    /// Which of Freeside's doors stands at the address.
    #[serde(default)]
    pub door: Door,
    /// What stands before every method name, if it is not the door's own.
    pub method_prefix: Option<String>,
    /// How arguments are passed, if it is not the door's own way.
    pub parameters: Option<Parameters>,
    /// Whether methods may be called that do not check whose customer, package or service they act on: through
    /// them this account reaches every reseller's customers.
    #[serde(default)]
    pub unscoped_methods: bool,
    /// How the address is reached.
    #[serde(default)]
    pub transport: Transport,
}

/// The doors of Freeside's API that resellers are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// A and B: the self-service server, `FS.SelfService.XMLRPC.`, one struct.
    #[default]
    SelfService,
    /// C: the back end's own server, `FS.ClientAPI_XMLRPC.`, a flat list; texts beyond ASCII go as base64
    /// because it decodes a string twice (inferred from its source and captures).
    BackEnd,
}
