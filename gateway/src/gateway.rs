//! The gateway as a program of the suite.

use std::{process::ExitCode, sync::Arc};

use chassis::{Error, Process, Program, Surface, caller::Root};
use tokio::task::JoinSet;

use crate::{
    catalog::Catalog,
    commands,
    config::{Config, GrantConfig, PrincipalConfig},
    edge::{Edge, Front},
    fleet::route::Routes,
    health::Doctor,
    limits::{Limits, QuotaLimits},
    policy::Grant,
    principal::{Principal, Principals},
    status::{Board, View},
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
        let limits = limits(&config, process);
        let board = Board::new(config.routes.iter().map(|route| route.provider.as_str()));
        let view = View {
            process: process.clone(),
            board: Arc::clone(&board),
            limits: Arc::clone(&limits),
            routes: Arc::downgrade(&routes),
            catalog: Arc::clone(&catalog),
        };
        let edge = Edge {
            principals: principals(&config, &limits),
            limits,
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            hops: Hops::new(process),
            public_reflection: config.public_reflection,
            _followers: followers(&routes, &catalog),
        };
        let doctor = Doctor::server(routes, Arc::clone(&catalog), process.clone());
        let surface = Surface::new().service(doctor).fallback(Front(Arc::new(edge)));
        Ok(surface.watch(board).describe(catalog).admin(view.routes()))
    }

    fn command(words: &[String]) -> Option<ExitCode> {
        commands::run(words)
    }
}

fn limits(config: &Config, process: &Process) -> Arc<Limits> {
    let providers: Vec<_> = config.routes.iter().map(|route| route.provider.as_str()).collect();
    Limits::new(&config.limits, &providers, process.settings().server.max_in_flight as usize, process.meter())
}

fn principals(config: &Config, limits: &Limits) -> Principals {
    let mut principals = Principals::default();
    for entry in &config.principals {
        let name = entry.name.as_str().into();
        let quota = limits.quota(&name, QuotaLimits::of(entry, &config.limits));
        let principal = Principal { name, grants: grants(entry, &config.grants), quota };
        principals.admit(&entry.api_keys, &Arc::new(principal));
    }
    principals
}

fn grants(principal: &PrincipalConfig, all: &[GrantConfig]) -> Vec<Grant> {
    all.iter()
        .filter(|grant| grant.principals.contains(&principal.name))
        .map(|grant| Grant { methods: grant.methods.clone(), accounts: grant.accounts.clone() })
        .collect()
}

fn followers(routes: &Routes, catalog: &Arc<Catalog>) -> JoinSet<()> {
    let mut followers = JoinSet::new();
    for route in routes.all() {
        followers.spawn(Arc::clone(catalog).follow(Arc::clone(route)));
    }
    followers
}
