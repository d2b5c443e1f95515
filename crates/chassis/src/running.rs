//! From a configuration to a process that serves, and to its end.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::Router;
use config::{ConfigSource, Document, Error};
use opentelemetry_sdk::trace::SpanProcessor;
use protocol::methods::Methods;
use serving::{
    Around, Closing, Dependencies, Routed, Workers, descriptors,
    health::{self, Health},
    listener, serve,
};
use telemetry::Telemetry;
use tokio::{task::JoinHandle, time::Instant};
use toml::Table;

use crate::{
    admin,
    audit::Audit,
    audited::Audited,
    config_status::ConfigStatus,
    prepare::Prepared,
    process::Process,
    program::Program,
    registration::Registration,
    reload::{Configured, Reload, Reloader},
    restarts::Restarts,
    watched,
};

/// How long the end may take once the time to drain is over.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// How long the program may take for its last act, within the time to drain.
const CLOSING: Duration = Duration::from_secs(5);

/// What a test or an embedding program adds to a start.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct StartOptions {
    /// Takes the finished spans beside any configured exporter (`SimpleSpanProcessor` of an exporter in memory, for one).
    pub span_processor: Option<Box<dyn SpanProcessor>>,
    /// Where the configuration came from; it is read again when it changes (`server.reload_seconds`).
    pub source: Option<ConfigSource>,
    /// Threads that serve connections; without them the runtime of the caller does.
    pub workers: Workers,
}

/// A process that serves. It goes on when this value is dropped; [`Running::drain`] ends it.
pub struct Running {
    process: Process,
    source: Option<ConfigSource>,
    reload: Arc<dyn Reload>,
    health: Health,
    /// The task ends with the number of calls that the drain had to cut.
    grpc: (SocketAddr, JoinHandle<usize>),
    admin: Option<(SocketAddr, JoinHandle<()>)>,
    registration: Option<Registration>,
    closing: Closing,
    /// Why it stops, for the log.
    reason: &'static str,
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
pub async fn start_with<P: Program>(config: impl Into<Document>, options: StartOptions) -> Result<Running, Error> {
    start_prepared(Prepared::<P>::for_start(config.into())?, options).await
}

pub(crate) async fn start_prepared<P: Program>(prepared: Prepared<P>, options: StartOptions) -> Result<Running, Error> {
    prepared.warn();
    let Prepared { document, settings, own, part, files, verifier, tls, .. } = prepared;
    let verifier = verifier.map(|verifier| Arc::new(ArcSwap::from_pointee(verifier)));
    let tls = tls.map(|tls| Arc::new(ArcSwap::from_pointee(tls)));
    let telemetry = Telemetry::new(P::NAME, &settings.telemetry, options.span_processor)?;
    let config_status = ConfigStatus::new(&document, Restarts::of::<P::Config>());
    let process = Process::new(P::NAME, settings, telemetry, config_status, options.workers);
    process.config_status().noted(files, true);
    let surface = P::build(own, &process).await.map_err(|error| document.locate(error))?;
    drop(document);
    let audit = Audit::open(process.name(), &process.settings().audit, process.meter(), surface.described())?;
    process.observe_calls(audit, &surface);
    let (admin_routes, dependencies) = (surface.admin.clone(), surface.dependencies.clone());
    let methods = Arc::new(
        Methods::new(&surface.descriptors)
            .map_err(|error| Error::program(format!("the descriptor set of the program cannot be read: {error}")))?,
    );
    let (surface, health) = health::add(surface, process.settings().server.reflection).await?;
    let (services, closing) = (surface.names.clone(), surface.closing.clone());
    let transcoder = surface.transcoder.clone();
    let reload = Arc::new(Reloader::<P>::new(&process, verifier.clone(), tls.clone(), part));
    let server = &process.settings().server;
    descriptors::warn_of(P::NAME, server.max_connections);
    let (socket, address) = listener::bind(server.listen, server.reuse_port)?;
    let admin = admin(&process, admin_routes, dependencies.clone())?;
    let routes = Audited::new(Routed(surface.into_router()), &process, methods.clone());
    let around = Around { methods, verifier, transcoder, tls };
    let serving = tokio::spawn(serve(socket, routes, around, process.serving()));
    tracing::info!(process = P::NAME, %address, "serving");
    health.follow(dependencies, process.draining());
    let registration = Registration::begin(&process, address, &services)?;
    let source = options.source;
    let running = Running {
        grpc: (address, serving),
        process,
        health,
        admin,
        source,
        reload,
        registration,
        closing,
        reason: "told by the program",
    };
    running.watch_files();
    Ok(running)
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

    /// Takes another configuration while the process runs: the program's part and the keys of callers; returns its number.
    /// What is read apart from it ([`Process::follow`]) is read again too.
    ///
    /// # Errors
    /// What is wrong with it; the process then goes on as it was.
    pub fn reload(&self, config: impl Into<Document>) -> Result<u64, Error> {
        retake_files(&self.process);
        self.reload.take(config.into(), true)
    }

    /// Reads the configuration again from where it came, and what is read apart from it.
    ///
    /// # Errors
    /// As [`Self::reload`], or that it came from nowhere that could be read again.
    pub fn reread(&self) -> Result<u64, Error> {
        reread(&self.process, self.configured().as_ref())
    }

    /// As [`Self::reread`], where a slow disk holds up nothing else.
    pub(crate) fn reread_aside(&self) {
        let (process, configured) = (self.process.clone(), self.configured());
        // Whether it was taken is in the log and on the admin port.
        tokio::task::spawn_blocking(move || reread(&process, configured.as_ref()).is_ok());
    }

    fn configured(&self) -> Option<Configured> {
        let (source, process, reload) = (self.source.clone()?, self.process.clone(), self.reload.clone());
        Some(Configured { source, process, reload })
    }

    fn watch_files(&self) {
        if let Some(configured) = self.configured() {
            watched::begin(Arc::new(configured), self.process.serving());
        }
        for source in self.process.file_sources() {
            watched::begin(source, self.process.serving());
        }
    }

    /// Says why the process is about to stop.
    pub(crate) fn stops_for(&mut self, reason: &'static str) {
        self.reason = reason;
    }

    /// Says that the process will stop, and goes on serving for `server.announce_seconds` so that balancers learn of it.
    pub async fn announce(&self) {
        let time = self.process.settings().server.announce_seconds.0;
        let (process, reason) = (self.process.name(), self.reason);
        tracing::info!(process, reason, seconds = time.as_secs_f64(), "stopping is announced; calls are still served");
        self.leave().await;
        self.process.set_stopping();
        self.health.stop_serving().await;
        tokio::time::sleep(time).await;
    }

    /// Takes the process out of Consul, so that nobody finds it any more.
    async fn leave(&self) {
        if let Some(registration) = &self.registration {
            registration.end().await;
        }
    }

    /// Stops: Consul and health first, then no new connection, then the open calls get their time (`server.drain_seconds`), then what
    /// is left of them is answered, then the last telemetry leaves. It always ends, at most a second after their time.
    pub async fn drain(mut self) {
        let (begun, time) = (Instant::now(), self.process.settings().server.drain_seconds.0);
        let end = begun + time + AFTERWARDS;
        let (process, reason, calls) = (self.process.name(), self.reason, self.process.serving().calls());
        tracing::info!(process, reason, calls, seconds = time.as_secs_f64(), "the drain begins");
        self.leave().await;
        self.process.set_stopping();
        self.health.stop_serving().await;
        self.process.serving().drain();
        self.health.end_watches().await;
        // The task ends by itself at its limit; if it panicked there is nothing left to wait for.
        let cut = self.grpc.1.await.unwrap_or_default();
        let took_ms = begun.elapsed().as_millis() as u64;
        match cut {
            0 => tracing::info!(process, reason, calls, cut, took_ms, "the drain ends"),
            _ => tracing::warn!(process, reason, calls, cut, took_ms, "the drain ends; calls ran out of its time"),
        }
        self.closing.run(CLOSING.min(end.saturating_duration_since(Instant::now()))).await;
        if let Some(audit) = self.process.audit() {
            audit.end(end.saturating_duration_since(Instant::now())).await;
        }
        self.process.telemetry().shut_down(end.saturating_duration_since(Instant::now())).await;
        if let Some((_, task)) = self.admin {
            task.abort();
        }
        self.process.forget();
        tracing::info!(process = self.process.name(), "stopped");
    }
}

fn reread(process: &Process, configured: Option<&Configured>) -> Result<u64, Error> {
    retake_files(process);
    configured.ok_or_else(|| Error::program("the configuration cannot be read again"))?.reread(true)
}

/// Before the configuration: what is wrong there must not hold up a key that is gone.
fn retake_files(process: &Process) {
    for source in process.file_sources() {
        // What is wrong with it is in the log and on the admin port.
        let _ = source.retake();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("process", &self.process.name())
            .field("grpc", &self.grpc.0)
            .finish_non_exhaustive()
    }
}

fn admin(
    process: &Process,
    routes: Router,
    dependencies: Dependencies,
) -> Result<Option<(SocketAddr, JoinHandle<()>)>, Error> {
    let Some(address) = process.settings().admin.listen else {
        return Ok(None);
    };
    let (socket, address) = listener::bind(address, process.settings().server.reuse_port)?;
    Ok(Some((address, tokio::spawn(admin::serve(socket, process.clone(), routes, dependencies)))))
}
