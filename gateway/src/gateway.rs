//! The gateway as a program of the suite.

use std::{path::Path, process::ExitCode, sync::Arc};

use ::config::{Error, Findings};
use chassis::{Consul, Process, Program, Settings};
use protocol::caller::Root;
use serving::{ServiceSet, Workers};

use crate::{
    catalog::{Catalog, refresher::Refresher},
    commands,
    config::{self, Config},
    edge::{Edge, Front},
    fleet::{
        metrics,
        routes::{Routes, RoutesConfig},
    },
    health::HealthService,
    identity::{self, Identity, key_source::KeysOfFile, refusals::RefusalRecorder},
    limits::Limits,
    status::{CallStats, View},
    telemetry::client_span::ClientSpans,
    transcode::HttpTranscoder,
};

/// The program.
#[derive(Debug)]
pub struct Gateway;

/// What a reload changes in a running gateway.
#[derive(Debug)]
struct Reloadable {
    routes: Arc<Routes>,
    refresher: Refresher,
    consul: Option<Consul>,
    identity: Arc<Identity>,
    limits: Arc<Limits>,
}

impl Program for Gateway {
    const NAME: &'static str = config::NAME;
    const AUTHENTICATES_CALLERS: bool = true;
    const HAS_ACCOUNTS: bool = false;
    const THREAD_PER_CORE: bool = true;
    type Config = Config;

    fn check(config: &Config, settings: &Settings, findings: &mut Findings) {
        config.check(settings, findings);
        identity::check_key_sets(config, findings);
    }

    fn check_files(config: &Config, findings: &mut Findings) {
        identity::check_key_file(config, findings);
    }

    async fn build(config: Config, process: &Process) -> Result<ServiceSet, Error> {
        let consul = process.settings().consul.as_ref().map(Consul::new).transpose()?;
        let catalog = Arc::new(Catalog::default());
        let routes =
            Arc::new(Routes::open(routes_config(&config, &config.root()?, consul.as_ref(), process.workers()))?);
        metrics::observe(process, &routes);
        let refresher = Refresher::new(Arc::clone(&catalog));
        refresher.follow(routes.all());
        let limits = limits(&config, process);
        let identity = Arc::new(Identity::new(&config, limits.quotas(), Some(RefusalRecorder::new(process)))?);
        KeysOfFile { identity: Arc::clone(&identity), process: process.clone() }.follow()?;
        tokio::spawn(Arc::clone(identity.last_uses()).follow(process.draining()));
        let stats = CallStats::new(config.routes.iter().map(|route| route.provider.as_str()));
        let view = View {
            process: process.clone(),
            stats: Arc::clone(&stats),
            limits: Arc::clone(&limits),
            routes: Arc::downgrade(&routes),
            catalog: Arc::clone(&catalog),
            identity: Arc::clone(&identity),
        };
        process.keep(Arc::new(Reloadable {
            routes: Arc::clone(&routes),
            refresher,
            consul,
            identity: Arc::clone(&identity),
            limits: Arc::clone(&limits),
        }));
        let edge = Edge {
            identity: Arc::clone(&identity),
            limits,
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            spans: ClientSpans::new(process),
            max_request: process.settings().server.max_request_bytes,
            process: process.clone(),
        };
        let transcoder = config.doors.any().then(|| HttpTranscoder::new(&config.doors, Arc::clone(&catalog), process));
        let health = HealthService::server(routes, Arc::clone(&catalog), identity, process.clone());
        let services = ServiceSet::new().service(health).fallback(Front(Arc::new(edge)));
        let looked = view.clone();
        let services =
            services.dependencies(move || looked.dependencies()).observer(stats).describe(catalog).admin(view.routes());
        Ok(match transcoder {
            Some(transcoder) => services.transcoder(transcoder),
            None => services,
        })
    }

    fn reload(config: Config, process: &Process) -> Result<(), Error> {
        let live = process.kept::<Reloadable>().ok_or_else(|| Error::program("the gateway is not built yet"))?;
        let prepared = live.identity.prepare(&config)?;
        live.routes.update(routes_config(&config, &config.root()?, live.consul.as_ref(), process.workers()))?;
        live.refresher.follow(live.routes.all());
        live.limits.apply(&config.limits, &providers(&config));
        live.identity.take(prepared).write_down(process, || "configuration".to_owned());
        Ok(())
    }

    fn commands(cli: clap::Command) -> clap::Command {
        commands::augment(cli)
    }

    fn command(matches: &clap::ArgMatches, config: Option<&Path>) -> ExitCode {
        commands::run(matches, config)
    }
}

fn routes_config<'a>(
    config: &'a Config,
    root: &'a Root,
    consul: Option<&'a Consul>,
    workers: &'a Workers,
) -> RoutesConfig<'a> {
    let Config { routes, services, timeouts, hedging, .. } = config;
    RoutesConfig { routes, services, root, consul, workers, timeouts, hedging }
}

fn limits(config: &Config, process: &Process) -> Arc<Limits> {
    let most = process.settings().server.max_in_flight as usize;
    Limits::new(&config.limits, &providers(config), most, process.meter())
}

fn providers(config: &Config) -> Vec<&str> {
    config.routes.iter().map(|route| route.provider.as_str()).collect()
}
