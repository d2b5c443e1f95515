//! The gateway as a program of the suite.

use std::{process::ExitCode, sync::Arc};

use chassis::{Consul, Error, Process, Program, Surface, caller::Root};

use crate::{
    catalog::{Catalog, followers::Followers},
    commands,
    config::Config,
    doors::Doors,
    edge::{Edge, Front},
    fleet::routes::{Routes, Wanted},
    health::Doctor,
    identity::Identity,
    telemetry::hop::Hops,
};

/// The program.
#[derive(Debug)]
pub struct Gateway;

/// What a new configuration changes while the gateway runs.
#[derive(Debug)]
struct Live {
    routes: Arc<Routes>,
    followers: Followers,
    consul: Option<Consul>,
    identity: Arc<Identity>,
}

impl Program for Gateway {
    const NAME: &'static str = "ispbridge-gateway";
    const AUTHENTICATES_CALLERS: bool = true;
    type Config = Config;

    fn check(config: &Config) -> Result<(), Error> {
        config.check()
    }

    async fn build(config: Config, process: &Process) -> Result<Surface, Error> {
        let consul = process.settings().consul.as_ref().map(Consul::new).transpose()?;
        let catalog = Arc::new(Catalog::default());
        catalog.begin();
        let routes = Arc::new(Routes::open(wanted(&config, &root(&config)?, consul.as_ref()))?);
        let followers = Followers::new(Arc::clone(&catalog));
        followers.follow(routes.all());
        let identity = Arc::new(Identity::new(&config)?);
        tokio::spawn(Arc::clone(identity.marks()).follow(process.draining()));
        let live = Live { routes: Arc::clone(&routes), followers, consul, identity: Arc::clone(&identity) };
        process.keep(Arc::new(live));
        let edge = Edge {
            identity: Arc::clone(&identity),
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            hops: Hops::new(process),
        };
        let doors = config.doors.any().then(|| Doors::new(&config.doors, Arc::clone(&catalog), process));
        let doctor = Doctor::server(routes, catalog, identity, process.clone());
        let surface = Surface::new().service(doctor).fallback(Front(Arc::new(edge)));
        Ok(match doors {
            Some(doors) => surface.door(doors),
            None => surface,
        })
    }

    fn reload(config: Config, process: &Process) -> Result<(), Error> {
        let live = process.kept::<Live>().ok_or_else(|| Error::program("the gateway is not built yet"))?;
        let access = live.identity.prepare(&config)?;
        live.routes.update(wanted(&config, &root(&config)?, live.consul.as_ref()))?;
        live.followers.follow(live.routes.all());
        live.identity.take(access);
        Ok(())
    }

    fn command(words: &[String]) -> Option<ExitCode> {
        commands::run(words)
    }
}

fn root(config: &Config) -> Result<Root, Error> {
    let signing = &config.signing;
    Root::new(&signing.id, signing.secret.expose()).map_err(|error| Error::config("signing", error))
}

fn wanted<'a>(config: &'a Config, root: &'a Root, consul: Option<&'a Consul>) -> Wanted<'a> {
    let Config { routes, services, timeouts, hedging, .. } = config;
    Wanted { routes, services, root, consul, timeouts, hedging }
}
