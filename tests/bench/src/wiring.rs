//! The configuration files of the measured processes.

use std::{
    borrow::Cow,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ispbridge::wiring::account;
use ispbridge_gateway::KeyHash;
use ispbridge_sandbox::{AccountKey, StandIn};
use protocol::caller::Root;
use toml::{Table, Value, toml};

use crate::Failure;

/// Share of the traces that are kept, the same everywhere.
pub(crate) const SAMPLING: f64 = 0.1;
/// The account of the callers.
pub(crate) const ACCOUNT: &str = "main";
/// Their key at the gateway.
pub(crate) const API_KEY: &str = "ispb_bench";

const KEY_ID: &str = "bench";
const ROOT: &str = "a root that only this benchmark uses";
/// Calls in flight that no limit stops.
const PLENTY: i64 = 1000;

/// Whom a service believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callers {
    /// Everybody: it is called without a gateway.
    Open,
    /// The gateway's signature.
    Gateway,
}

/// Writes configuration files into a folder.
pub(crate) struct Wiring<'a> {
    pub(crate) folder: Cow<'a, Path>,
    pub(crate) upstream: SocketAddr,
    pub(crate) collector: SocketAddr,
    /// Keys and sections that each file has besides, in the place of its own.
    pub(crate) more: Table,
}

impl Wiring<'_> {
    /// The service of a provider.
    pub(crate) fn provider(&self, provider: &str, listen: SocketAddr, callers: Callers) -> Result<PathBuf, Failure> {
        let keep = |key: &AccountKey| self.secret(&format!("{provider}-{}", key.name), key.value);
        let value = |key: &AccountKey| if key.is_secret { keep(key) } else { Ok(key.value.into()) };
        let account = account(StandIn::of(provider), &format!("http://{}", self.upstream), value)?;
        self.service(provider, listen, callers, account)
    }

    /// The gateway in front of the services.
    pub(crate) fn gateway(&self, listen: SocketAddr, services: &[(&str, SocketAddr)]) -> Result<PathBuf, Failure> {
        let routes: Vec<Table> = services.iter().map(route).collect();
        let (listen, root, hash) = (listen.to_string(), self.secret("root", ROOT)?, KeyHash::of(API_KEY).to_string());
        let table = toml! {
            // Whoever starts it asks for the health of services without a key.
            public_reflection = true
            routes = routes

            [server]
            listen = listen

            [signing]
            id = KEY_ID
            secret = root

            [[principals]]
            name = "bench"
            api_keys = [hash]
            in_flight = PLENTY

            [[grants]]
            principals = ["bench"]
            methods = ["*"]
            accounts = ["*"]
        };
        self.file("gateway", table)
    }

    fn service(
        &self,
        provider: &str,
        listen: SocketAddr,
        callers: Callers,
        mut account: Table,
    ) -> Result<PathBuf, Failure> {
        let transport = toml! {
            allow_private = true
            in_flight = PLENTY
        };
        account.insert("transport".to_owned(), transport.into());
        let (name, listen) = (format!("{provider}-{}", listen.port()), listen.to_string());
        let mut table = toml! {
            [server]
            listen = listen
        };
        table.insert("accounts".to_owned(), Table::from_iter([(ACCOUNT.to_owned(), Value::from(account))]).into());
        table.insert("callers".to_owned(), self.callers(provider, callers)?.into());
        self.file(&name, table)
    }

    fn callers(&self, provider: &str, callers: Callers) -> Result<Table, Failure> {
        if callers == Callers::Open {
            return Ok(toml! { mode = "open" });
        }
        let key = Root::new(KEY_ID, ROOT)?.derive(&format!("ispbridge-{provider}")).to_text();
        let key = self.secret(&format!("key-{provider}"), &key)?;
        Ok(toml! {
            [[keys]]
            id = KEY_ID
            secret = key
        })
    }

    fn secret(&self, name: &str, secret: &str) -> io::Result<Value> {
        let path = self.folder.join(name);
        fs::write(&path, secret)?;
        let path = path.display().to_string();
        Ok(toml! { file = path }.into())
    }

    fn file(&self, name: &str, mut table: Table) -> Result<PathBuf, Failure> {
        let collector = format!("http://{}", self.collector);
        let telemetry = toml! {
            otlp_endpoint = collector
            sampling_ratio = SAMPLING
        };
        table.insert("telemetry".to_owned(), telemetry.into());
        table.extend(self.more.clone());
        let path = self.folder.join(format!("{name}.toml"));
        fs::write(&path, toml::to_string(&table)?)?;
        Ok(path)
    }
}

fn route(&(provider, address): &(&str, SocketAddr)) -> Table {
    let instance = format!("http://{address}");
    toml! {
        provider = provider
        instances = [instance]
    }
}
