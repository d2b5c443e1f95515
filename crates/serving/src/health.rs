//! `grpc.health.v1`: the whole server under the empty name, and every service under its own.

use std::{collections::BTreeMap, time::Duration};

use config::Error;
use tokio::time::sleep;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{dependency::Dependencies, drain::Draining, reflection::Reflection, service_set::ServiceSet};

/// How often what stands behind the process is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// What the process says of itself; nothing if the program brought a health service of its own.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
    /// Whether it is this that answers, and not a service of the program's own.
    answers: bool,
}

/// Adds health, and reflection if there are descriptors, unless the program brought its own.
pub async fn add(mut services: ServiceSet, reflection: bool) -> Result<(ServiceSet, Health), Error> {
    let (reporter, server) = tonic_health::server::health_reporter();
    let answers = !services.has(HEALTH);
    let health = Health { reporter, names: [vec![""], services.names.clone()].concat(), answers };
    health.set(ServingStatus::Serving).await;
    if answers {
        services = services.service(server);
    }
    if reflection && !services.descriptors.is_empty() && !REFLECTION.iter().any(|name| services.has(name)) {
        services = with_reflection(services)?;
    }
    Ok((services, health))
}

impl Health {
    /// Tells everybody who asks or watches that the process will stop.
    pub async fn stop_serving(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// Tells how what stands behind the process is, under names of its own, until the process drains.
    pub fn follow(&self, dependencies: Dependencies, draining: Draining) {
        if self.answers && dependencies.are_known() {
            tokio::spawn(follow(self.reporter.clone(), dependencies, draining));
        }
    }

    /// Ends the streams of those who watch: they would keep their connections open.
    pub async fn end_watches(&mut self) {
        for name in &self.names {
            self.reporter.clear_service_status(name).await;
        }
    }

    async fn set(&self, status: ServingStatus) {
        for name in &self.names {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

async fn follow(reporter: HealthReporter, dependencies: Dependencies, mut draining: Draining) {
    let mut told: BTreeMap<String, ServingStatus> = BTreeMap::new();
    while !draining.is_draining() {
        let now = dependencies.health();
        // Only what has changed: who watches hears of every word.
        for (name, status) in now.iter().filter(|(name, status)| told.get(*name) != Some(*status)) {
            reporter.set_service_status(name, *status).await;
        }
        for name in told.keys().filter(|name| !now.contains_key(*name)) {
            reporter.clone().clear_service_status(name).await;
        }
        told = now;
        tokio::select! {
            () = sleep(INTERVAL) => {}
            () = draining.wait() => {}
        }
    }
    for name in told.keys() {
        reporter.clone().clear_service_status(name).await;
    }
}

fn with_reflection(services: ServiceSet) -> Result<ServiceSet, Error> {
    let reflection = Reflection::of_sets(&services.descriptors).map_err(Error::program)?;
    Ok(services.service(reflection.v1()).service(reflection.v1alpha()))
}
