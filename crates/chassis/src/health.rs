//! `grpc.health.v1`: the whole server under the empty name, and every service under its own.

use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{Error, Reflection, Surface};

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// What the process says of itself; nothing if the program brought a health service of its own.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
}

/// Adds health, and reflection if there are descriptors, unless the program brought its own.
pub(crate) async fn add(mut surface: Surface, reflection: bool) -> Result<(Surface, Health), Error> {
    let (reporter, server) = tonic_health::server::health_reporter();
    let health = Health { reporter, names: [vec![""], surface.names.clone()].concat() };
    health.set(ServingStatus::Serving).await;
    if !surface.has(HEALTH) {
        surface = surface.service(server);
    }
    if reflection && !surface.descriptors.is_empty() && !REFLECTION.iter().any(|name| surface.has(name)) {
        surface = with_reflection(surface)?;
    }
    Ok((surface, health))
}

impl Health {
    /// Tells everybody who asks or watches that the process will stop.
    pub(crate) async fn stop_serving(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// Ends the streams of those who watch: they would keep their connections open.
    pub(crate) async fn end_watches(&mut self) {
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

fn with_reflection(surface: Surface) -> Result<Surface, Error> {
    let reflection = Reflection::of_sets(&surface.descriptors).map_err(Error::program)?;
    Ok(surface.service(reflection.v1()).service(reflection.v1alpha()))
}
