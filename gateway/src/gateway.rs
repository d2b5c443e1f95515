//! The gateway as a program of the suite.

use std::{process::ExitCode, sync::Arc};

use chassis::{Consul, Error, Process, Program, Surface, caller::Root};

use crate::{
    catalog::{Catalog, followers::Followers},
    commands,
    config::{Config, GrantConfig, PrincipalConfig},
    edge::{Edge, Front},
    fleet::{
        census,
        routes::{Routes, Wanted},
    },
    health::Doctor,
    policy::Grant,
    principal::{Principal, Principals},
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
    access: String,
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
        census::observe(process, &routes);
        let followers = Followers::new(Arc::clone(&catalog));
        followers.follow(routes.all());
        let access = access(&config);
        process.keep(Arc::new(Live { routes: Arc::clone(&routes), followers, consul, access }));
        let edge = Edge {
            principals: principals(&config),
            routes: Arc::clone(&routes),
            catalog: Arc::clone(&catalog),
            hops: Hops::new(process),
            public_reflection: config.public_reflection,
        };
        let doctor = Doctor::server(routes, catalog, process.clone());
        Ok(Surface::new().service(doctor).fallback(Front(Arc::new(edge))))
    }

    fn reload(config: Config, process: &Process) -> Result<(), Error> {
        let live = process.kept::<Live>().ok_or_else(|| Error::program("the gateway is not built yet"))?;
        if live.access != access(&config) {
            return Err(Error::program("principals, grants and limits change with a restart only"));
        }
        live.routes.update(wanted(&config, &root(&config)?, live.consul.as_ref()))?;
        live.followers.follow(live.routes.all());
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

/// Who may call and how much, in a form that can be compared.
fn access(config: &Config) -> String {
    format!("{:?}", (&config.principals, &config.grants, &config.limits, config.public_reflection))
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
