//! Benchmarks of the whole path: what a call costs in our service and in our gateway, beside a hand-written service and a
//! bare HTTP/2 pass-through in the same run.
//!
//! Everything measured is a process of its own and is charged with what the system says it used (`/proc`). [`harness`]
//! starts the processes, [`load`] calls them, [`run`] decides what is compared with what, [`table`] prints it.

mod attacks;
mod comparison;
mod discovery;
mod harness;
mod load;
mod measured;
mod pass_through;
mod proc;
mod process;
mod run;
mod soak;
mod stand_in;
mod table;
mod wiring;
mod work;
mod yardstick;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use comparison::Comparison;
use work::Work;

/// Anything that keeps a benchmark from running.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures services and gateway against their yardsticks; needs the release binaries beside it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Seconds for each line of the table, in turns with the lines it is compared with.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Numbers of client connections; each has one call in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    connections: Vec<usize>,
    /// Kinds of calls.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Work::ALL)]
    work: Vec<Work>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// Another benchmark, or what a child process of one is.
#[derive(Debug, Subcommand)]
enum Role {
    /// Attacks a service and measures what that costs.
    Attacks,
    /// Calls for long while upstreams fail, and shows what grows.
    Soak(soak::Soak),
    /// Kills, restarts and drains what Consul knows, under load, and counts what was promised.
    Discovery(discovery::Discovery),
    /// Compares the gateway with Envoy and a bare pass-through.
    Gateway(Comparison),
    /// The backend of the comparison.
    #[command(hide = true)]
    Backend { listen: SocketAddr },
    /// The upstreams: fixed bytes for every call.
    #[command(hide = true)]
    Upstream { listen: SocketAddr },
    /// A collector that throws away what it gets.
    #[command(hide = true)]
    Collector { listen: SocketAddr },
    /// The hand-written service.
    #[command(hide = true)]
    Yardstick { listen: SocketAddr, upstream: SocketAddr, collector: SocketAddr },
    /// The bare pass-through.
    #[command(hide = true)]
    PassThrough { listen: SocketAddr, to: SocketAddr },
    /// Makes a number of calls and no more, for profilers that count instructions.
    #[command(hide = true)]
    Load { entrance: SocketAddr, work: Work, connections: usize, calls: usize },
}

fn main() -> ExitCode {
    match begin(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ispbridge-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn begin(arguments: Arguments) -> Result<(), Failure> {
    match arguments.role {
        Some(Role::Gateway(comparison)) => comparison.run().await,
        Some(Role::Backend { listen }) => comparison::backend::serve(listen).await,
        Some(Role::Attacks) => attacks::run().await,
        Some(Role::Soak(soak)) => soak::run(soak).await,
        Some(Role::Discovery(discovery)) => discovery::run(discovery).await,
        Some(Role::Upstream { listen }) => stand_in::upstream(listen).await,
        Some(Role::Collector { listen }) => stand_in::collector(listen).await,
        Some(Role::Yardstick { listen, upstream, collector }) => yardstick::serve(listen, upstream, collector).await,
        Some(Role::PassThrough { listen, to }) => pass_through::serve(listen, to).await,
        Some(Role::Load { entrance, work, connections, calls }) => {
            load::Callers::connect(entrance, work, connections).await?.call_each(calls / connections.max(1)).await
        }
        None => {
            let time = Duration::try_from_secs_f64(arguments.seconds)?;
            run::run(&arguments.work, &arguments.connections, time).await
        }
    }
}
