//! A real agent of Consul that keeps nothing, and what it says of the services.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    Failure,
    harness::Ground,
    process::{Process, Ready},
};

/// An agent for development on loopback.
pub(super) struct Agent {
    program: PathBuf,
    /// HTTP, server, and both of Serf.
    ports: [SocketAddr; 4],
    process: Option<Process>,
}

impl Agent {
    pub(super) async fn start(program: &Path, ground: &mut Ground) -> Result<Self, Failure> {
        let ports = [ground.port()?, ground.port()?, ground.port()?, ground.port()?];
        let mut agent = Self { program: program.to_owned(), ports, process: None };
        agent.begin().await?;
        Ok(agent)
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.ports[0]
    }

    /// Ends it as kill -9 does.
    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it, with nothing in its catalogue.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        let fixed = ["agent", "-dev", "-bind", "127.0.0.1", "-log-level", "err", "-dns-port", "-1"];
        let options = ["-http-port", "-server-port", "-serf-lan-port", "-serf-wan-port"];
        let chosen = options.iter().zip(self.ports).flat_map(|(option, at)| [(*option).into(), at.port().to_string()]);
        let fixed = fixed.iter().chain(&["-hcl", "ports { grpc = -1 }"]).map(|word| (*word).to_owned());
        let arguments = fixed.chain(chosen).map(OsString::from);
        let address = self.address();
        self.process = Some(Process::start("consul", &self.program, arguments, address, Ready::Connects).await?);
        Ok(())
    }

    /// How many instances pass their checks, if there is an answer.
    pub(super) async fn passing(&self, client: &reqwest::Client) -> Option<usize> {
        let url = format!("http://{}/v1/health/service/ispbridge-aex?passing", self.address());
        super::site::json(client, &url).await?.as_array().map(Vec::len)
    }
}
