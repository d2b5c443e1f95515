//! The stand-in upstreams: one HTTP server per provider that speaks its wire, keeps state and misbehaves on request.
//!
//! Written from the providers' documents and from recorded traffic of the libraries behind them; it shares no codec
//! with the bridge, or both would make the same mistake. Everything it knows about a provider is in that provider's
//! module: `aex` (REST), `freeside` (XML-RPC), `azotel` (SOAP and REST).
//!
//! Under `/_sandbox/` each port also takes orders: `POST /_sandbox/faults`, `DELETE /_sandbox/faults`,
//! `POST /_sandbox/reset`, `GET /_sandbox/requests`. [`Sandbox`] offers the same to a test in the same process.

mod aex;
mod azotel;
mod call;
mod clock;
mod control;
mod freeside;
mod host;
mod ledger;
mod perl;
mod server;
mod soap;
mod xml;
mod xml_simple;
mod xmlrpc;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use freeside::{DECLINED_CARD, DECLINED_PACKAGE, PREPAID_CARD, SESSION_LIFETIME};
pub use ledger::{Fault, Kind};

use host::{Host, Upstream};
use ledger::Ledger;

/// Bearer token of the AEx sandbox.
pub const AEX_TOKEN: &str = "sandbox-aex-token";
/// Reseller's user name of the Freeside sandbox.
pub const FREESIDE_USERNAME: &str = "reseller";
/// Reseller's password of the Freeside sandbox.
pub const FREESIDE_PASSWORD: &str = "s33kret";
/// `api_username` of the Azotel sandbox.
pub const AZOTEL_USERNAME: &str = "apiuser";
/// `api_password` of the Azotel sandbox.
pub const AZOTEL_PASSWORD: &str = "apipass";

/// One upstream of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// AEx, REST.
    Aex,
    /// Freeside, XML-RPC.
    Freeside,
    /// Azotel SIMPLer, SOAP and REST.
    Azotel,
}

/// What the upstreams accept as their callers' credentials.
#[derive(Clone)]
pub struct Credentials {
    /// Bearer token of AEx.
    pub aex_token: String,
    /// `username` of Freeside's `agent_login`.
    pub freeside_username: String,
    /// `password` of Freeside's `agent_login`.
    pub freeside_password: String,
    /// `api_username` of Azotel.
    pub azotel_username: String,
    /// `api_password` of Azotel.
    pub azotel_password: String,
}

/// Where the sandbox listens and what it starts from.
#[derive(Clone)]
pub struct Config {
    /// Address of AEx; port 0 picks a free one.
    pub aex: SocketAddr,
    /// Address of Freeside; port 0 picks a free one.
    pub freeside: SocketAddr,
    /// Address of Azotel; port 0 picks a free one.
    pub azotel: SocketAddr,
    /// Credentials the upstreams accept.
    pub credentials: Credentials,
    /// How long a Freeside session lives, whether it is used or not; Freeside itself says one hour.
    pub freeside_session: Duration,
    /// Seed of the generator of GUIDs and session keys: the same seed gives the same ids.
    pub seed: u64,
}

/// The running upstreams; dropping it closes them.
pub struct Sandbox {
    doors: [Door; 3],
    tasks: JoinSet<()>,
}

struct Door {
    address: SocketAddr,
    host: Arc<Host>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            aex_token: AEX_TOKEN.to_owned(),
            freeside_username: FREESIDE_USERNAME.to_owned(),
            freeside_password: FREESIDE_PASSWORD.to_owned(),
            azotel_username: AZOTEL_USERNAME.to_owned(),
            azotel_password: AZOTEL_PASSWORD.to_owned(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            aex: any,
            freeside: any,
            azotel: any,
            credentials: Credentials::default(),
            freeside_session: SESSION_LIFETIME,
            seed: 1,
        }
    }
}

impl Sandbox {
    /// Binds the three ports and serves until stopped or dropped.
    pub async fn start(config: Config) -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        let aex = open(config.aex, Box::new(aex::Aex::new(&config)), &mut tasks).await?;
        let freeside = open(config.freeside, Box::new(freeside::Freeside::new(&config)), &mut tasks).await?;
        let azotel = open(config.azotel, Box::new(azotel::Azotel::new(&config)), &mut tasks).await?;
        Ok(Self { doors: [aex, freeside, azotel], tasks })
    }

    /// Address of the AEx upstream.
    pub fn aex(&self) -> SocketAddr {
        self.door(Provider::Aex).address
    }

    /// Address of the Freeside upstream.
    pub fn freeside(&self) -> SocketAddr {
        self.door(Provider::Freeside).address
    }

    /// Address of the Azotel upstream.
    pub fn azotel(&self) -> SocketAddr {
        self.door(Provider::Azotel).address
    }

    /// Orders a misbehaviour; orders for the same operation are served in turn.
    pub fn fault(&self, provider: Provider, fault: Fault) {
        self.door(provider).host.ledger.order(fault);
    }

    /// Cancels every misbehaviour that was ordered and not yet served.
    pub fn clear_faults(&self, provider: Provider) {
        self.door(provider).host.ledger.clear_faults();
    }

    /// Puts an upstream back to its seed and its counters to zero; ordered faults are cancelled, sessions forgotten.
    pub fn reset(&self, provider: Provider) {
        self.door(provider).host.reset();
    }

    /// How often an upstream did an operation's work; refused calls do not count.
    pub fn executed(&self, provider: Provider, operation: &str) -> u64 {
        self.door(provider).host.ledger.executed(operation)
    }

    /// How often an operation was asked for, whatever became of it.
    pub fn received(&self, provider: Provider, operation: &str) -> u64 {
        self.door(provider).host.ledger.received(operation)
    }

    /// Closes the ports and every connection.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    fn door(&self, provider: Provider) -> &Door {
        &self.doors[provider as usize]
    }
}

async fn open(address: SocketAddr, upstream: Box<dyn Upstream>, tasks: &mut JoinSet<()>) -> io::Result<Door> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let host = Arc::new(Host { upstream, ledger: Ledger::default() });
    tasks.spawn(server::serve(listener, Arc::clone(&host)));
    Ok(Door { address, host })
}
