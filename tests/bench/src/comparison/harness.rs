//! The processes of the comparison.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use tempfile::TempDir;

use super::{Size, envoy, gateway, h2load::Client, token::Token};
use crate::{
    Failure,
    process::{Process, Ready},
};

/// The running processes; they end with this value.
pub(super) struct Harness {
    /// What is compared, the pass-through first.
    pub(super) proxies: Vec<Proxy>,
    /// The client of all of them.
    pub(super) client: Client,
    _behind: [Process; 2],
    _folder: TempDir,
}

/// One way to the backend.
pub(super) struct Proxy {
    pub(super) kind: Kind,
    pub(super) process: Process,
}

/// What a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTTP/2 in, HTTP/2 out, nothing else.
    PassThrough,
    /// Envoy.
    Envoy,
    /// Our gateway.
    Gateway(Size),
}

impl Harness {
    /// Starts everything; Envoy only if it is there.
    pub(super) async fn open(envoy_program: Option<&Path>, sizes: &[Size]) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("ispbridge-bench-").tempdir()?;
        let token = Token::fresh()?;
        let (backend, collector) = (role("backend", &[]).await?, role("collector", &[]).await?);
        let (to, spans) = (backend.address, collector.address);
        let pass_through = role("pass-through", &[to]).await?;
        let mut proxies = vec![Proxy { kind: Kind::PassThrough, process: pass_through }];
        if let Some(program) = envoy_program {
            let listen = free()?;
            let file = folder.path().join("envoy.json");
            std::fs::write(&file, envoy::config(listen, to, spans, &token).to_string())?;
            let arguments = ["--disable-hot-restart", "--log-level", "error", "-c"].map(OsString::from);
            let arguments = arguments.into_iter().chain([file.into_os_string()]);
            let process = Process::start("envoy", program, arguments, listen, Ready::Connects).await?;
            proxies.push(Proxy { kind: Kind::Envoy, process });
        }
        for &size in sizes {
            let listen = free()?;
            let file = gateway::config(folder.path(), listen, to, spans, &token, size)?;
            let program = std::env::current_exe()?.with_file_name("ispbridge-gateway");
            let knows = Ready::Serves("ispbridge.aex.v1.PremiseService");
            let arguments = ["--config".into(), file.into_os_string()];
            let process = Process::start("gateway", &program, arguments, listen, knows).await?;
            proxies.push(Proxy { kind: Kind::Gateway(size), process });
        }
        Ok(Self { proxies, client: Client::new(&token.text)?, _behind: [backend, collector], _folder: folder })
    }
}

/// Starts the benchmark itself in another role.
async fn role(name: &str, peers: &[SocketAddr]) -> Result<Process, Failure> {
    let address = free()?;
    let addresses = std::iter::once(&address).chain(peers).map(|address| OsString::from(address.to_string()));
    let arguments = std::iter::once(OsString::from(name)).chain(addresses);
    Process::start(name, &std::env::current_exe()?, arguments, address, Ready::Connects).await
}

/// An address that is free now.
fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
