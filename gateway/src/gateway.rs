//! The gateway as a program of the suite.

use std::{process::ExitCode, sync::Arc};

use chassis::{Error, Process, Program, Surface, caller::Root};
use tokio::task::JoinSet;

use crate::{
    catalog::Catalog,
    commands,
    config::{Config, GrantConfig, PrincipalConfig},
    doors::Doors,
    edge::{Edge, Front},
    fleet::route::Routes,
    health::Doctor,
    policy::Grant,
    principal::{Principal, Principals},
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
        let edge = Edge {
            principals: principals(&config),
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            hops: Hops::new(process),
            public_reflection: config.public_reflection,
            _followers: followers(&routes, &catalog),
        };
        let doors = config.doors.any().then(|| Doors::new(&config.doors, Arc::clone(&catalog), process));
        let doctor = Doctor::server(routes, catalog, process.clone());
        let surface = Surface::new().service(doctor).fallback(Front(Arc::new(edge)));
        Ok(match doors {
            Some(doors) => surface.door(doors),
            None => surface,
        })
    }

    fn command(words: &[String]) -> Option<ExitCode> {
        commands::run(words)
    }
}

fn principals(config: &Config) -> Principals {
    let mut principals = Principals::default();
    for entry in &config.principals {
        let limit = entry.in_flight.unwrap_or(config.limits.in_flight_per_principal);
        let principal = Principal {
            name: entry.name.as_str().into(),
            grants: grants(entry, &config.grants),
            in_flight: Arc::default(),
            limit: limit.get(),
        };
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
