//! From a configuration to a process that serves, and to its end.

use std::{net::SocketAddr, sync::Arc};

use opentelemetry_sdk::trace::SpanProcessor;
use tokio::task::JoinHandle;
use toml::Table;

use crate::{
    CallersMode, Error, Process, Program, Settings, admin,
    caller::Verifier,
    config,
    health::{self, Health},
    layers::{self, methods::Methods},
    listener::{self, Listener},
    telemetry::Telemetry,
};

/// What a test or an embedding program adds to a start.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct StartOptions {
    /// Takes the finished spans beside any configured exporter (`SimpleSpanProcessor` of an exporter in memory, for one).
    pub span_processor: Option<Box<dyn SpanProcessor>>,
}

/// A process that serves. It goes on when this value is dropped; [`Running::drain`] ends it.
#[derive(Debug)]
pub struct Running {
    process: Process,
    health: Health,
    grpc: (SocketAddr, JoinHandle<()>),
    admin: Option<(SocketAddr, JoinHandle<()>)>,
}

/// Starts a program with a configuration; reads nothing from the environment but the secrets that the configuration names.
///
/// # Errors
/// A wrong key, an address that is taken, or a program that cannot be built.
pub async fn start<P: Program>(config: Table) -> Result<Running, Error> {
    start_with::<P>(config, StartOptions::default()).await
}

/// Starts a program as [`start`] does, with additions.
///
/// # Errors
/// As [`start`].
pub async fn start_with<P: Program>(mut config: Table, options: StartOptions) -> Result<Running, Error> {
    let settings = config::take_settings::<P>(&mut config)?;
    let own: P::Config = config::program(config)?;
    P::check(&own)?;
    let verifier = verifier::<P>(&settings)?;
    let telemetry = Telemetry::new(P::NAME, &settings.telemetry, options.span_processor)?;
    let process = Process::new(P::NAME, settings, telemetry);
    let surface = P::build(own, &process).await?;
    let methods = Arc::new(Methods::new(&surface.descriptors)?);
    let (surface, health) = health::add(surface, process.settings().server.reflection).await?;
    let stack = layers::around(surface.into_router(), &process, methods, verifier);
    let server = &process.settings().server;
    let (socket, address) = listener::bind(server.listen).await?;
    let admin = admin(&process).await?;
    let serving =
        Listener::new(stack, server).run(socket, process.draining(), process.places().clone(), server.drain_seconds.0);
    tracing::info!(process = P::NAME, %address, "serving");
    Ok(Running { grpc: (address, tokio::spawn(serving)), process, health, admin })
}

impl Running {
    /// Address of the gRPC listener.
    #[must_use]
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.0
    }

    /// Address of the admin listener, if there is one.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(address, _)| *address)
    }

    /// The process that runs.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Says that the process will stop, and goes on serving for `server.announce_seconds` so that balancers learn of it.
    pub async fn announce(&self) {
        self.process.set_stopping();
        self.health.stop_serving().await;
        tokio::time::sleep(self.process.settings().server.announce_seconds.0).await;
    }

    /// Stops: health first, then no new connection, then the open calls get their time (`server.drain_seconds`), then the
    /// last telemetry leaves. It always ends.
    pub async fn drain(mut self) {
        self.process.set_stopping();
        self.health.stop_serving().await;
        self.process.switch().turn();
        self.health.end_watches().await;
        // The task ends by itself at its limit; if it panicked there is nothing left to wait for.
        let _ = self.grpc.1.await;
        self.process.telemetry().shut_down().await;
        if let Some((_, task)) = self.admin {
            task.abort();
        }
        tracing::info!(process = self.process.name(), "stopped");
    }
}

/// The keys of the caller context, or nothing where everybody is believed.
pub(crate) fn verifier<P: Program>(settings: &Settings) -> Result<Option<Verifier>, Error> {
    let callers = &settings.callers;
    if P::AUTHENTICATES_CALLERS || callers.mode == CallersMode::Open {
        return Ok(None);
    }
    Verifier::new(callers.keys.iter().map(|key| (key.id.as_str(), key.secret.expose())))
        .map(Some)
        .map_err(|(id, error)| Error::config(format!("callers.keys ({id:?})"), error))
}

async fn admin(process: &Process) -> Result<Option<(SocketAddr, JoinHandle<()>)>, Error> {
    let Some(address) = process.settings().admin.listen else {
        return Ok(None);
    };
    let (socket, address) = listener::bind(address).await?;
    Ok(Some((address, tokio::spawn(admin::serve(socket, process.clone())))))
}
