//! Hours in short: calls at a steady rate through gateway and services, upstreams that fail now and then, and what grows.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ispbridge_sandbox::{Config, Fault, Kind, Sandbox};
use tokio::{task::JoinSet, time::interval};

use crate::{
    Failure,
    harness::Ground,
    load::Callers,
    process::{Process, Ready},
    wiring::Callers as Believed,
    work::Work,
};

/// Connections of the callers.
const CONNECTIONS: usize = 16;

/// How long, how fast, and how many of a hundred calls meet a fault.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Soak {
    /// Minutes in all.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Calls a second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// Calls of a hundred before which an upstream is told to fail.
    #[arg(long, default_value_t = 5)]
    faults: u64,
}

/// Runs it, prints a line a minute, and fails if a process ended or a handler panicked.
pub(crate) async fn run(soak: Soak) -> Result<(), Failure> {
    let mut ground = Ground::open().await?;
    let sandbox = Sandbox::start(Config::default()).await?;
    let [aex, azotel] = [sandbox.address("aex"), sandbox.address("azotel")].map(|upstream| ground.wiring(upstream));
    let aex = service(&mut ground, "aex", |at| aex.provider("aex", at, Believed::Gateway)).await?;
    let azotel = service(&mut ground, "azotel", |at| azotel.provider("azotel", at, Believed::Gateway)).await?;
    let gateway = ground.gateway(&[("azotel", azotel.address), ("aex", aex.address)]).await?;
    let processes = [&gateway, &aex, &azotel];
    head(&processes);
    let begun = Instant::now();
    for minute in 1..=soak.minutes {
        let answers = calls(soak, &sandbox, gateway.address).await?;
        line(minute, &processes, &answers)?;
    }
    let calls = soak.minutes * soak.rate * 60;
    println!("{calls} calls in {:.0} s", begun.elapsed().as_secs_f64());
    sandbox.stop().await;
    let panicked = processes.iter().filter(|process| process.words().contains("panicked")).count();
    if panicked == 0 { Ok(()) } else { Err(format!("{panicked} processes panicked").into()) }
}

async fn service(
    ground: &mut Ground,
    name: &str,
    config: impl Fn(std::net::SocketAddr) -> Result<std::path::PathBuf, Failure>,
) -> Result<Process, Failure> {
    let address = ground.port()?;
    ground.program(name, address, &config(address)?, Ready::Serves("")).await
}

/// A minute of calls; the answers by their code.
async fn calls(
    soak: Soak,
    sandbox: &Sandbox,
    entrance: std::net::SocketAddr,
) -> Result<BTreeMap<String, u64>, Failure> {
    let mut callers = BTreeMap::new();
    for work in Work::ALL {
        callers.insert(work.path(), Callers::connect(entrance, work, CONNECTIONS).await?);
    }
    let (mut running, mut answers) = (JoinSet::new(), BTreeMap::new());
    let mut beat = interval(Duration::from_secs(1) / u32::try_from(soak.rate)?);
    for number in 0..soak.rate * 60 {
        beat.tick().await;
        let work = Work::ALL[number as usize % Work::ALL.len()];
        if number * soak.faults % 100 < soak.faults {
            let provider = if work == Work::Read { "aex" } else { "azotel" };
            sandbox.fault(provider, Fault::once("*", fault(number)));
        }
        // What writes have made is forgotten now and then: it is the services that must not grow.
        if number % 500 == 0 {
            sandbox.reset("azotel");
        }
        let mut caller = callers[work.path()].one(number as usize);
        running.spawn(async move { caller.code().await });
        while let Some(code) = running.try_join_next() {
            *answers.entry(code?).or_default() += 1;
        }
    }
    while let Some(code) = running.join_next().await {
        *answers.entry(code?).or_default() += 1;
    }
    Ok(answers)
}

/// Faults in turn; refused credentials are not among them, they stop an account.
fn fault(number: u64) -> Kind {
    let kinds = [Kind::ResetBeforeCommit, Kind::ResetAfterCommit, Kind::TruncateAfterCommit, Kind::WrongContentType];
    let mut kinds = kinds.into_iter().chain([Kind::Http500 { after_commit: true }]);
    kinds.nth(number as usize / 20 % 5).unwrap_or(Kind::ResetBeforeCommit)
}

fn head(processes: &[&Process]) {
    let names: Vec<_> = processes.iter().map(|process| format!("{:>22}", process.name)).collect();
    println!("minute {}  answers by code", names.concat());
}

fn line(minute: u64, processes: &[&Process], answers: &BTreeMap<String, u64>) -> Result<(), Failure> {
    let mut line = format!("{minute:6} ");
    for process in processes {
        line += &format!("{:>11.1} MiB {:>3} fd", process.resident()?, process.descriptors()?);
    }
    println!("{line}  {answers:?}");
    Ok(())
}
