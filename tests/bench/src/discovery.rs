//! Real Consul under load: three instances register, one is killed, Consul is restarted, one drains, while a gateway that
//! follows Consul is called at a steady rate. No read may fail and no write take effect twice.

mod agent;
mod ledger;
mod load;
mod report;
mod site;

use std::{path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

use self::{load::Load, report::Report, site::Site};
use crate::Failure;

/// Time in which all is well between two events.
const PAUSE: Duration = Duration::from_millis(500);

/// Where Consul is, how fast, and how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Discovery {
    /// The program `consul`.
    #[arg(long)]
    consul: PathBuf,
    /// Calls a second; they are made at their time, whatever became of those before.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
    /// Seconds in all; what has begun by then is waited for.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(4..=3600))]
    seconds: u64,
}

/// What happens meanwhile, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Calm,
    Kill,
    Restart,
    Drain,
}

/// Something that was waited for.
pub(crate) struct Noticed {
    what: &'static str,
    after: Duration,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Calm, Self::Kill, Self::Restart, Self::Drain];

    fn name(self) -> &'static str {
        match self {
            Self::Calm => "all is well",
            Self::Kill => "an instance is killed",
            Self::Restart => "Consul is restarted",
            Self::Drain => "an instance drains",
        }
    }
}

/// Runs it, prints what came of it, and fails if a promise was broken.
pub(crate) async fn run(discovery: Discovery) -> Result<(), Failure> {
    let mut site = Site::open(&discovery.consul).await?;
    let mut load = Load::begin(site.entrance(), discovery.rate).await?;
    let (each, mut noticed) = (Duration::from_secs(discovery.seconds) / 4, Vec::new());
    for phase in Phase::ALL {
        load.enter(phase);
        let end = Instant::now() + each;
        while Instant::now() < end {
            noticed.extend(site.suffer(phase).await?);
            sleep(PAUSE).await;
        }
    }
    let calls = load.end().await?;
    Report::new(&calls, &site.ledger.executions()).print(&noticed)
}
