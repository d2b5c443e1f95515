//! The processes: Consul, three instances that register themselves, a gateway that follows; and what happens to them.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::{sleep, timeout};
use toml::{Table, toml};

use super::{Noticed, Phase, agent::Agent, ledger::Ledger};
use crate::{
    Failure,
    harness::Ground,
    process::{Process, Ready},
    wiring::{Callers, Wiring},
};

const INSTANCES: usize = 3;
/// How long anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// How long Consul is away.
const AWAY: Duration = Duration::from_secs(2);

/// Everything that runs; it ends with this value.
pub(super) struct Site {
    pub(super) ledger: Ledger,
    upstream: SocketAddr,
    client: reqwest::Client,
    ground: Ground,
    agent: Agent,
    instances: Vec<Process>,
    gateway: Process,
    /// The gateway's own account of its instances.
    status: String,
}

impl Site {
    pub(super) async fn open(consul: &Path) -> Result<Self, Failure> {
        let mut ground = Ground::open().await?;
        let (ledger, upstream) = Ledger::serve().await?;
        let agent = Agent::start(consul, &mut ground).await?;
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            let address = ground.port()?;
            instances.push(instance(&ground, upstream, &agent, address).await?);
        }
        let admin = ground.port()?;
        let gateway = gateway(&mut ground, &agent, admin).await?;
        let (status, client) = (format!("http://{admin}/status.json"), reqwest::Client::builder().no_proxy().build()?);
        let site = Self { ledger, upstream, client, ground, agent, instances, gateway, status };
        site.until("every instance is up", async || site.all_are_up().await).await?;
        Ok(site)
    }

    /// Where calls go in.
    pub(super) fn entrance(&self) -> SocketAddr {
        self.gateway.address
    }

    /// Lets happen what a phase is named after, mends it, and says how long each change took to be noticed.
    pub(super) async fn suffer(&mut self, phase: Phase) -> Result<Vec<Noticed>, Failure> {
        match phase {
            Phase::Calm => Ok(Vec::new()),
            Phase::Kill => self.kill().await,
            Phase::Restart => self.restart().await,
            Phase::Drain => self.drain().await,
        }
    }

    async fn kill(&mut self) -> Result<Vec<Noticed>, Failure> {
        let address = self.instances.remove(0).address;
        let (gateway, consul) = tokio::join!(
            self.until("the gateway calls the killed instance no more", async || self.is_up(address, false).await),
            self.until("Consul knows that it is gone", async || self.passing().await == Some(INSTANCES - 1)),
        );
        Ok([vec![gateway?, consul?], self.start_anew(address).await?].into_iter().flatten().collect())
    }

    async fn restart(&mut self) -> Result<Vec<Noticed>, Failure> {
        self.agent.kill();
        sleep(AWAY).await;
        self.agent.begin().await?;
        let begun = "every instance is registered in the new Consul";
        let registered = self.until(begun, async || self.passing().await == Some(INSTANCES)).await?;
        let up = self.until("and called by the gateway", async || self.all_are_up().await).await?;
        Ok(vec![registered, up])
    }

    async fn drain(&mut self) -> Result<Vec<Noticed>, Failure> {
        let mut leaving = self.instances.remove(0);
        let address = leaving.address;
        let (ended, gateway, consul) = tokio::join!(
            leaving.terminate(PATIENCE),
            self.until("the gateway calls the draining instance no more", async || self.is_up(address, false).await),
            self.until("Consul knows that it leaves", async || self.passing().await == Some(INSTANCES - 1)),
        );
        let after = ended?.ok_or("an instance that was told to stop did not")?;
        let ended = Noticed { what: "it has ended", after };
        Ok([vec![gateway?, consul?, ended], self.start_anew(address).await?].into_iter().flatten().collect())
    }

    /// Starts an instance where there was one before.
    async fn start_anew(&mut self, address: SocketAddr) -> Result<Vec<Noticed>, Failure> {
        self.instances.push(instance(&self.ground, self.upstream, &self.agent, address).await?);
        let what = "a new one, from when it serves, is called by the gateway";
        Ok(vec![self.until(what, async || self.is_up(address, true).await).await?])
    }

    async fn passing(&self) -> Option<usize> {
        self.agent.passing(&self.client).await
    }

    async fn all_are_up(&self) -> bool {
        self.up().await.is_some_and(|up| up.len() == INSTANCES)
    }

    /// Whether the gateway says that an instance is up, or that it is not.
    async fn is_up(&self, address: SocketAddr, wanted: bool) -> bool {
        let address = address.to_string();
        let up = self.up().await.map(|up| up.iter().any(|other| other.contains(&address)));
        up == Some(wanted)
    }

    /// The instances that the gateway calls, if it answers.
    async fn up(&self) -> Option<Vec<String>> {
        let status = json(&self.client, &self.status).await?;
        let instances = status.pointer("/providers/0/instances")?.as_array()?;
        let up = instances.iter().filter(|instance| instance["state"] == "up");
        Some(up.filter_map(|instance| instance["address"].as_str().map(str::to_owned)).collect())
    }

    async fn until(&self, what: &'static str, is_so: impl AsyncFn() -> bool) -> Result<Noticed, Failure> {
        let begun = Instant::now();
        let come = async {
            while !is_so().await {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, come).await.map_err(|_| format!("never: {what}"))?;
        Ok(Noticed { what, after: begun.elapsed() })
    }
}

/// What somebody answers in JSON, if anybody answers.
pub(super) async fn json(client: &reqwest::Client, url: &str) -> Option<Value> {
    let reply = client.get(url).send().await.ok()?.error_for_status().ok()?;
    serde_json::from_slice(&reply.bytes().await.ok()?).ok()
}

/// An instance that registers itself.
async fn instance(
    ground: &Ground,
    upstream: SocketAddr,
    agent: &Agent,
    address: SocketAddr,
) -> Result<Process, Failure> {
    let more = toml::Table::from_iter([("consul".to_owned(), consul(agent, true).into())]);
    let config = Wiring { more, ..ground.wiring(upstream) }.provider("aex", address, Callers::Gateway)?;
    ground.program("aex", address, &config, Ready::Serves("")).await
}

/// A gateway that follows Consul.
async fn gateway(ground: &mut Ground, agent: &Agent, admin: SocketAddr) -> Result<Process, Failure> {
    let (address, admin, consul) = (ground.port()?, admin.to_string(), consul(agent, false));
    let more = toml! {
        consul = consul
        routes = [{ provider = "aex", consul = true }]

        [admin]
        listen = admin
    };
    let config = Wiring { more, ..ground.wiring(address) }.gateway(address, &[])?;
    ground.program("gateway", address, &config, Ready::Serves("ispbridge.aex.v1.PremiseService")).await
}

/// The section `[consul]`; whoever registers is looked after every second.
fn consul(agent: &Agent, register: bool) -> Table {
    let address = agent.address().to_string();
    toml! {
        address = address
        register = register
        check_seconds = 1
        ttl_seconds = 3
    }
}
