//! The whole suite in one process: stand-in upstreams, services, gateway.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use chassis::{Program, Running, StartOptions};
use ispbridge_gateway::Gateway;
use ispbridge_sandbox::Sandbox;
use provider::Contract;
use tokio::time::{sleep, timeout};

use crate::{
    client::Client,
    programs::PROVIDERS,
    reflection::Reflection,
    secrets::Secrets,
    target::Target,
    wiring::{DEMO_KEY, READER_KEY, Wiring},
};

/// How long the gateway may take to get to know its services.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks at what the gateway knows.
const PAUSE: Duration = Duration::from_millis(20);

/// Where the suite listens; everything but the gateway takes free ports.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Address of the gateway.
    pub grpc: SocketAddr,
    /// Address of the gateway's admin port.
    pub admin: SocketAddr,
}

/// The running suite; [`Suite::stop`] ends it.
pub struct Suite {
    sandbox: Sandbox,
    services: Vec<(&'static str, Running)>,
    gateway: Option<Running>,
    /// Services read their secrets again when they change, so the files stay until the end.
    secrets: Secrets,
}

/// Why the suite could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The keys of the suite are public.
    #[error("{0} is not a loopback address; the keys of the local suite are public")]
    NotLoopback(SocketAddr),
    /// The stand-in upstreams could not start.
    #[error("sandbox: {0}")]
    Sandbox(io::Error),
    /// The secrets of the run could not be kept.
    #[error("secrets of the run: {0}")]
    Secrets(io::Error),
    /// A process could not start.
    #[error("{0}: {1}")]
    Process(&'static str, config::Error),
    /// The gateway did not get to know its services in time.
    #[error("the gateway does not know its services yet: {0}")]
    NotReady(String),
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { grpc: any, admin: any }
    }
}

impl Suite {
    /// Starts everything and returns when every service can be called through the gateway.
    ///
    /// # Errors
    /// An address that is taken or not a loopback one, or a process that cannot start; what had started is stopped.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let stranger = [options.grpc, options.admin].into_iter().find(|address| !address.ip().is_loopback());
        if let Some(address) = stranger {
            return Err(Error::NotLoopback(address));
        }
        let sandbox = Sandbox::start(ispbridge_sandbox::Config::default()).await.map_err(Error::Sandbox)?;
        let mut suite =
            Self { sandbox, services: Vec::new(), gateway: None, secrets: Secrets::open().map_err(Error::Secrets)? };
        match suite.open(options).await {
            Ok(()) => Ok(suite),
            Err(error) => {
                suite.stop().await;
                Err(error)
            }
        }
    }

    async fn open(&mut self, options: Options) -> Result<(), Error> {
        let root = ispbridge_gateway::new_key().map_err(|error| Error::Secrets(io::Error::other(error)))?;
        let wiring = Wiring::new(&self.secrets, &root).map_err(Error::Secrets)?;
        for row in PROVIDERS {
            let Contract { provider, program, .. } = row.contract;
            let table = wiring.service(provider, self.sandbox.address(provider)).map_err(Error::Secrets)?;
            let running = row.start(table, StartOptions::default()).await;
            self.services.push((provider, running.map_err(|error| Error::Process(program, error))?));
        }
        let addresses: Vec<_> =
            self.services.iter().map(|(provider, service)| (*provider, service.grpc_addr())).collect();
        let table = wiring.gateway((options.grpc, options.admin), &addresses);
        self.gateway =
            Some(chassis::start::<Gateway>(table).await.map_err(|error| Error::Process(Gateway::NAME, error))?);
        self.ready().await
    }

    /// Address of the gateway.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gateway().grpc_addr()
    }

    /// Address of the gateway's admin port.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.gateway().admin_addr().expect("the suite configures an admin port")
    }

    fn gateway(&self) -> &Running {
        self.gateway.as_ref().expect("a suite that started has a gateway")
    }

    /// The stand-in upstreams.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// API key that may do everything.
    #[must_use]
    pub fn key(&self) -> &'static str {
        DEMO_KEY
    }

    /// API key that may only read.
    #[must_use]
    pub fn reader_key(&self) -> &'static str {
        READER_KEY
    }

    /// The gateway as a target of [`Client`].
    #[must_use]
    pub fn target(&self) -> Target {
        let target = Target::new(format!("http://{}", self.address())).with_key(self.key());
        Target { timeout: Duration::from_secs(10), ..target.expect("the suite's key is a header") }
    }

    /// Stops in order: the gateway lets its calls end, then the services theirs, then the upstreams go.
    pub async fn stop(mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.drain().await;
        }
        for (_, service) in self.services {
            service.drain().await;
        }
        self.sandbox.stop().await;
    }

    async fn ready(&self) -> Result<(), Error> {
        let not_ready = |error: crate::error::Error| Error::NotReady(error.to_string());
        let client = Client::connect(&self.target()).await.map_err(not_ready)?;
        timeout(PATIENCE, self.known(&client))
            .await
            .map_err(|_| Error::NotReady(format!("not within {} s", PATIENCE.as_secs())))
    }

    /// Returns when the gateway shows a service of every provider.
    async fn known(&self, client: &Client) {
        loop {
            if let Ok(reflection) = Reflection::open(client).await {
                let is_shown = |provider: &str| {
                    let package = format!("ispbridge.{provider}.");
                    reflection.services().iter().any(|name| name.starts_with(&package))
                };
                if self.services.iter().all(|(provider, _)| is_shown(provider)) {
                    return;
                }
            }
            sleep(PAUSE).await;
        }
    }
}
