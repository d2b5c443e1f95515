//! A process in the catalogue of its agent: registered, kept well, registered again if the agent forgot it, taken out.

use std::{net::SocketAddr, time::Duration};

use config::Error;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    consul::{CheckKind, Consul, ConsulError, ConsulSettings, checks::OwnChecks},
    process::Process,
};

/// First and last pause after an attempt that failed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How long taking the process out may take.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How long an instance may be ill before the agent forgets it.
const FORGOTTEN_AFTER: &str = "5m";

/// Longest value that Consul takes in the metadata of a service.
const META_BYTES: usize = 512;

/// How often the agent is asked to take the process again if it does not speak to it anyway.
const WITHOUT_TTL: Duration = Duration::from_secs(30);

/// A process that is registered until [`Registration::end`].
#[derive(Debug)]
pub(crate) struct Registration {
    stop: watch::Sender<bool>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

struct Registrant {
    consul: Consul,
    id: String,
    body: Value,
    has_ttl: bool,
    /// Time from one word to the next.
    every: Duration,
}

/// Where the agent asks how the process is.
struct Reached<'a> {
    host: Option<&'a str>,
    port: u16,
    tls: bool,
}

impl Registration {
    /// Begins to register a process that listens, if its configuration says so.
    pub(crate) fn begin(process: &Process, listening: SocketAddr, services: &[&str]) -> Result<Option<Self>, Error> {
        let Some(settings) = process.settings().consul.as_ref().filter(|settings| settings.register) else {
            return Ok(None);
        };
        let registrant = Registrant::new(process, settings, listening, services)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::sync::Mutex::new(Some(tokio::spawn(registrant.keep(stopped))));
        Ok(Some(Self { stop, task }))
    }

    /// Takes the process out of the catalogue, once.
    pub(crate) async fn end(&self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.lock().await.take() {
            // Whether it panicked makes no difference to the end.
            let _ = task.await;
        }
    }
}

impl Registrant {
    fn new(
        process: &Process,
        settings: &ConsulSettings,
        listening: SocketAddr,
        services: &[&str],
    ) -> Result<Self, Error> {
        let advertised = settings.advertised(listening);
        let (host, port) = advertised.ok_or_else(|| Error::config("consul.advertise", "must be host:port"))?;
        let name = process.name();
        let id = match &host {
            Some(host) => format!("{name}-{}-{port}", host.replace([':', '.'], "-")),
            None => format!("{name}-{port}"),
        };
        let reached = Reached { host: host.as_deref(), port, tls: process.settings().server.tls.is_some() };
        let kinds = settings.kinds(reached.tls);
        let has_ttl = kinds.contains(&CheckKind::Ttl);
        let checks: Vec<_> = kinds.iter().map(|kind| check(*kind, settings, &id, &reached)).collect();
        let tags: Vec<&str> = ["grpc"].into_iter().chain(settings.tags.iter().map(String::as_str)).collect();
        let body = json!({
            "ID": id, "Name": name, "Address": host.unwrap_or_default(), "Port": port, "Tags": tags,
            "Meta": meta(name, services), "Checks": checks,
        });
        let every = if has_ttl { settings.ttl_seconds.0 / 3 } else { WITHOUT_TTL };
        Ok(Self { consul: Consul::new(settings)?, id, body, has_ttl, every })
    }

    async fn keep(self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.speak() => {}
            // An error means that the process is gone.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        let path = format!("/v1/agent/service/deregister/{}", self.id);
        match timeout(LAST_WORD, self.consul.put(&path, Vec::new())).await {
            Ok(Ok(())) => tracing::info!(id = %self.id, "taken out of Consul"),
            Ok(Err(error)) => tracing::warn!(id = %self.id, %error, "not taken out of Consul"),
            Err(_) => tracing::warn!(id = %self.id, "not taken out of Consul in time"),
        }
    }

    /// Registers, says again and again that all is well, and registers again when the agent knows nothing of it.
    async fn speak(&self) {
        let (mut pause, mut checks, mut told) = (PAUSES.0, OwnChecks::default(), None);
        loop {
            match self.register().await {
                Ok(()) => tracing::info!(id = %self.id, "registered in Consul"),
                Err(error) => {
                    // An agent that is away for an hour is worth one line.
                    let error = Some(error.to_string());
                    if told != error {
                        tracing::warn!(id = %self.id, error, "not registered in Consul");
                        told = error;
                    }
                    sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
                    pause = (pause * 2).min(PAUSES.1);
                    continue;
                }
            }
            (pause, told) = (PAUSES.0, None);
            loop {
                sleep(self.every.mul_f64(0.9 + 0.1 * fastrand::f64())).await;
                if let Err(error) = self.assure().await {
                    tracing::warn!(id = %self.id, %error, "Consul does not know this process any more");
                    break;
                }
                // Who may register need not be allowed to look.
                if let Ok(own) = self.consul.checks(&self.id).await {
                    checks.hear(own);
                }
            }
        }
    }

    async fn register(&self) -> Result<(), ConsulError> {
        let body = self.body.to_string().into_bytes();
        self.consul.put("/v1/agent/service/register", body).await
    }

    /// Says that all is well; without a TTL check registering again says the same and is as good.
    async fn assure(&self) -> Result<(), ConsulError> {
        match self.has_ttl {
            true => self.consul.put(&format!("/v1/agent/check/pass/{}", ttl_id(&self.id)), Vec::new()).await,
            false => self.register().await,
        }
    }
}

fn check(kind: CheckKind, settings: &ConsulSettings, id: &str, reached: &Reached<'_>) -> Value {
    // A process that has just begun to serve is well: nobody need wait for the first check.
    match kind {
        CheckKind::Grpc => {
            let host = reached.host.unwrap_or("127.0.0.1");
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let port = reached.port;
            let interval = format!("{}s", settings.check_seconds.0.as_secs());
            let mut check = json!({
                "CheckID": format!("{id}:grpc"), "Name": "gRPC health", "GRPC": format!("{host}:{port}"),
                "GRPCUseTLS": reached.tls, "TLSSkipVerify": false, "Interval": interval, "Timeout": "2s",
                "Status": "passing", "DeregisterCriticalServiceAfter": FORGOTTEN_AFTER,
            });
            // An agent before 1.10 refuses a field that it does not know.
            if let Some(name) = settings.check_tls_name.as_ref().filter(|_| reached.tls) {
                check["TLSServerName"] = name.as_str().into();
            }
            check
        }
        CheckKind::Ttl => json!({
            "CheckID": ttl_id(id), "Name": "the process itself", "TTL": format!("{}ms", settings.ttl_seconds.0.as_millis()),
            "Status": "passing", "DeregisterCriticalServiceAfter": FORGOTTEN_AFTER,
        }),
    }
}

fn ttl_id(id: &str) -> String {
    format!("{id}:ttl")
}

fn meta(name: &str, services: &[&str]) -> Value {
    let mut listed = String::new();
    for service in services.iter().filter(|service| !service.starts_with("grpc.")) {
        if listed.len() + service.len() + 1 > META_BYTES {
            break;
        }
        let comma = if listed.is_empty() { "" } else { "," };
        listed.push_str(comma);
        listed.push_str(service);
    }
    let provider = protocol::provider::of_program(name);
    json!({ "provider": provider, "version": env!("CARGO_PKG_VERSION"), "services": listed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_names_services_as_long_as_there_is_room() {
        let long = "x".repeat(300);
        let services = ["ispbridge.aex.v1.CustomerService", &long, "grpc.health.v1.Health", &long];
        let meta = meta("ispbridge-aex", &services);
        assert_eq!(meta["provider"], "aex");
        assert_eq!(meta["services"], format!("ispbridge.aex.v1.CustomerService,{long}"));
    }
}
