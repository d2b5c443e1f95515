//! The stand-in upstreams: one HTTP server per provider that speaks its wire, keeps state and misbehaves on request.
//!
//! Written from the providers' documents and from recorded traffic of the libraries behind them; it shares no codec
//! with the bridge, or both would make the same mistake. Everything it knows about a provider is in that provider's
//! module, which has one row in [`ALL`].
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
mod stand_in;
mod xml;
mod xml_simple;
mod xmlrpc;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use freeside::{DECLINED_CARD, DECLINED_PACKAGE, PREPAID_CARD, SESSION_LIFETIME};
pub use ledger::{Fault, Kind};
pub use stand_in::{AccountKey, Config, Credentials, StandIn};

use host::{Host, Upstream};
use ledger::Ledger;

/// Every upstream of the sandbox, one a line, in the order of their usual ports.
#[rustfmt::skip]
pub const ALL: &[StandIn] = &[
    aex::STAND_IN,
    freeside::STAND_IN,
    azotel::STAND_IN,
];

/// The running upstreams; dropping it closes them.
pub struct Sandbox {
    doors: Vec<Door>,
    tasks: JoinSet<()>,
}

struct Door {
    provider: &'static str,
    address: SocketAddr,
    host: Arc<Host>,
}

impl Sandbox {
    /// Binds a port for each upstream and serves until stopped or dropped.
    pub async fn start(config: Config) -> io::Result<Self> {
        let (mut doors, mut tasks) = (Vec::new(), JoinSet::new());
        for stand_in in ALL {
            doors.push(open(stand_in, &config, &mut tasks).await?);
        }
        Ok(Self { doors, tasks })
    }

    /// Address of a provider's upstream.
    pub fn address(&self, provider: &str) -> SocketAddr {
        self.door(provider).address
    }

    /// Orders a misbehaviour; orders for the same operation are served in turn.
    pub fn fault(&self, provider: &str, fault: Fault) {
        self.door(provider).host.ledger.order(fault);
    }

    /// Cancels every misbehaviour that was ordered and not yet served.
    pub fn clear_faults(&self, provider: &str) {
        self.door(provider).host.ledger.clear_faults();
    }

    /// Puts an upstream back to its seed and its counters to zero; ordered faults are cancelled, sessions forgotten.
    pub fn reset(&self, provider: &str) {
        self.door(provider).host.reset();
    }

    /// How often an upstream did an operation's work; refused calls do not count.
    pub fn executed(&self, provider: &str, operation: &str) -> u64 {
        self.door(provider).host.ledger.executed(operation)
    }

    /// How often an operation was asked for, whatever became of it.
    pub fn received(&self, provider: &str, operation: &str) -> u64 {
        self.door(provider).host.ledger.received(operation)
    }

    /// Closes the ports and every connection.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    fn door(&self, provider: &str) -> &Door {
        let door = self.doors.iter().find(|door| door.provider == provider);
        door.unwrap_or_else(|| panic!("the sandbox has no {provider}"))
    }
}

async fn open(stand_in: &StandIn, config: &Config, tasks: &mut JoinSet<()>) -> io::Result<Door> {
    let upstream: Box<dyn Upstream> = (stand_in.new)(config);
    let listener = TcpListener::bind(config.address(stand_in.provider)).await?;
    let address = listener.local_addr()?;
    let host = Arc::new(Host { upstream, ledger: Ledger::default() });
    tasks.spawn(server::serve(listener, Arc::clone(&host)));
    Ok(Door { provider: stand_in.provider, address, host })
}
