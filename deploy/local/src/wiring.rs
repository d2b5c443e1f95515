//! The configuration of every process of the suite, as it would stand in its file.

use std::{io, net::SocketAddr};

use ispbridge_gateway::KeyHash;
use ispbridge_sandbox::{AccountKey, StandIn};
use protocol::caller::Root;
use toml::{Table, Value, toml};

use crate::secrets::Secrets;

/// API key of the suite that may do everything. It is printed and published: the suite listens on loopback only.
pub const DEMO_KEY: &str = "ispb_demo_everything";
/// API key of the suite that may only read.
pub const READER_KEY: &str = "ispb_demo_reads_only";
/// Alias of the one account that every service of the suite has.
pub const ACCOUNT: &str = "sandbox";

/// What the processes of one run share.
pub(crate) struct Wiring<'a> {
    secrets: &'a Secrets,
    root: Root,
    root_reference: Value,
}

impl<'a> Wiring<'a> {
    /// Takes the root of the caller context.
    pub(crate) fn new(secrets: &'a Secrets, root: &str) -> io::Result<Self> {
        Ok(Self {
            secrets,
            root: Root::new(KEY_ID, root).map_err(io::Error::other)?,
            root_reference: secrets.keep("caller-root", root)?,
        })
    }

    /// The gateway's configuration, given the address of the service of each provider.
    pub(crate) fn gateway(&self, (grpc, admin): (SocketAddr, SocketAddr), services: &[(&str, SocketAddr)]) -> Table {
        let routes: Vec<Table> = services.iter().map(route).collect();
        let accounts: Vec<String> = services.iter().map(|(provider, _)| format!("{provider}/{ACCOUNT}")).collect();
        let (grpc, admin) = (grpc.to_string(), admin.to_string());
        let (demo, reader) = (hash(DEMO_KEY), hash(READER_KEY));
        let (root, all) = (self.root_reference.clone(), accounts.clone());
        toml! {
            routes = routes

            [server]
            listen = grpc
            drain_seconds = 5

            [admin]
            listen = admin

            [signing]
            id = KEY_ID
            secret = root

            // All callers of one machine have one address; who tries wrong keys shall not lock out the others.
            [guesses]
            per_minute = 0

            [[principals]]
            name = "demo"
            api_keys = [demo]

            [[principals]]
            name = "reader"
            api_keys = [reader]

            [[grants]]
            principals = ["demo"]
            methods = ["*"]
            accounts = all

            [[grants]]
            principals = ["reader"]
            methods = ["reads"]
            accounts = accounts
        }
    }

    /// The configuration of a provider's service with its one account.
    pub(crate) fn service(&self, provider: &str, upstream: SocketAddr) -> io::Result<Table> {
        let keep = |key: &AccountKey| self.secrets.keep(&format!("{provider}-{}", key.name), key.value);
        let value = |key: &AccountKey| if key.is_secret { keep(key) } else { Ok(key.value.into()) };
        let account = account(StandIn::of(provider), &format!("http://{upstream}"), value)?;
        let accounts = Table::from_iter([(ACCOUNT.to_owned(), Value::from(account))]);
        let key = self.root.derive(&format!("ispbridge-{provider}")).to_text();
        let key = self.secrets.keep(&format!("caller-{provider}"), &key)?;
        Ok(toml! {
            accounts = accounts

            [server]
            listen = "127.0.0.1:0"
            drain_seconds = 5

            [[callers.keys]]
            id = KEY_ID
            secret = key
        })
    }
}

/// The account of a service at a stand-in, whose `origin` is `http://host:port`; `value` gives each key its value or the
/// reference to its secret.
///
/// # Errors
/// What `value` says.
pub fn account(
    stand_in: &StandIn,
    origin: &str,
    value: impl Fn(&AccountKey) -> io::Result<Value>,
) -> io::Result<Table> {
    let base_url = format!("{origin}{}", stand_in.path);
    let mut account = toml! {
        base_url = base_url
        transport = { allow_private = true }
    };
    for key in stand_in.account {
        account.insert(key.name.to_owned(), value(key)?);
    }
    Ok(account)
}

const KEY_ID: &str = "local";

fn hash(key: &str) -> String {
    KeyHash::of(key).to_string()
}

fn route(&(provider, address): &(&str, SocketAddr)) -> Table {
    let instance = format!("http://{address}");
    toml! {
        provider = provider
        instances = [instance]
    }
}
