//! The gateway as a program of the suite.

use std::{process::ExitCode, sync::Arc};

use chassis::{Error, Process, Program, Surface, caller::Root};
use tokio::task::JoinSet;

use crate::{
    catalog::Catalog,
    commands,
    config::Config,
    edge::{Edge, Front},
    fleet::route::Routes,
    health::Doctor,
    identity::{Identity, key::KeyHash},
    telemetry::hop::Hops,
};

/// The program.
#[derive(Debug)]
pub struct Gateway;

impl Program for Gateway {
    const NAME: &'static str = "ispbridge-gateway";
    const AUTHENTICATES_CALLERS: bool = true;
    type Config = Config;

    fn check(config: &Config) -> Result<(), Error> {
        config.check()
    }

    async fn build(config: Config, process: &Process) -> Result<Surface, Error> {
        let root = Root::new(&config.signing.id, config.signing.secret.expose())
            .map_err(|error| Error::config("signing", error))?;
        let catalog = Arc::new(Catalog::default());
        catalog.begin();
        let routes = Arc::new(Routes::open(&config.routes, &root));
        let identity = Arc::new(Identity::new(&config)?);
        let edge = Edge {
            identity: Arc::clone(&identity),
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            hops: Hops::new(process),
            fixed: fixed(&config),
            _followers: followers(&routes, &catalog),
        };
        let edge = Arc::new(edge);
        process.keep(Arc::clone(&edge));
        tokio::spawn(Arc::clone(identity.marks()).follow(process.draining()));
        let doctor = Doctor::server(routes, catalog, identity, process.clone());
        Ok(Surface::new().service(doctor).fallback(Front(edge)))
    }

    fn reload(config: Config, process: &Process) -> Result<(), Error> {
        let edge = process.kept::<Edge>().ok_or_else(|| Error::program("the gateway is not built yet"))?;
        if fixed(&config) != edge.fixed {
            return Err(Error::program("routes and signing change with a restart only"));
        }
        edge.identity.reload(&config)
    }

    fn command(words: &[String]) -> Option<ExitCode> {
        commands::run(words)
    }
}

/// What of a configuration is not taken by a running gateway.
fn fixed(config: &Config) -> String {
    let secret = KeyHash::of(config.signing.secret.expose());
    format!("{:?} {:?} {secret}", config.routes, config.signing.id)
}

fn followers(routes: &Routes, catalog: &Arc<Catalog>) -> JoinSet<()> {
    let mut followers = JoinSet::new();
    for route in routes.all() {
        followers.spawn(Arc::clone(catalog).follow(Arc::clone(route)));
    }
    followers
}
