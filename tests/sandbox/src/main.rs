//! Serves the stand-in upstreams until interrupted.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use ispbridge_sandbox::{Config, Credentials, Sandbox};

/// Stand-in upstreams of ispbridge: AEx (REST), Freeside (XML-RPC), Azotel (SOAP, REST).
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Address of the AEx upstream
    #[arg(long, default_value = "127.0.0.1:18001")]
    aex: SocketAddr,
    /// Address of the Freeside upstream
    #[arg(long, default_value = "127.0.0.1:18002")]
    freeside: SocketAddr,
    /// Address of the Azotel upstream
    #[arg(long, default_value = "127.0.0.1:18003")]
    azotel: SocketAddr,
    /// Bearer token AEx accepts
    #[arg(long, default_value = ispbridge_sandbox::AEX_TOKEN)]
    aex_token: String,
    /// Reseller's user name Freeside accepts
    #[arg(long, default_value = ispbridge_sandbox::FREESIDE_USERNAME)]
    freeside_username: String,
    /// Reseller's password Freeside accepts
    #[arg(long, default_value = ispbridge_sandbox::FREESIDE_PASSWORD)]
    freeside_password: String,
    /// `api_username` Azotel accepts
    #[arg(long, default_value = ispbridge_sandbox::AZOTEL_USERNAME)]
    azotel_username: String,
    /// `api_password` Azotel accepts
    #[arg(long, default_value = ispbridge_sandbox::AZOTEL_PASSWORD)]
    azotel_password: String,
    /// Seed of the ids the upstreams make up
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl From<Flags> for Config {
    fn from(flags: Flags) -> Self {
        let Flags { aex, freeside, azotel, seed, .. } = flags;
        let credentials = Credentials {
            aex_token: flags.aex_token,
            freeside_username: flags.freeside_username,
            freeside_password: flags.freeside_password,
            azotel_username: flags.azotel_username,
            azotel_password: flags.azotel_password,
        };
        Self { aex, freeside, azotel, credentials, seed, ..Self::default() }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match Sandbox::start(Flags::parse().into()).await {
        Ok(sandbox) => run(sandbox).await,
        Err(error) => {
            // Nobody is left to be told if standard error is gone.
            let _ = writeln!(io::stderr(), "cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(sandbox: Sandbox) -> ExitCode {
    // Whoever closed the output still has the upstreams.
    let _ = writeln!(
        io::stdout(),
        "aex       http://{}\nfreeside  http://{}/selfservice/xmlrpc.cgi\n\
         azotel    http://{}/API/operatorapi.pl, JSON at /restapi/API/",
        sandbox.aex(),
        sandbox.freeside(),
        sandbox.azotel()
    );
    interrupted().await;
    sandbox.stop().await;
    ExitCode::SUCCESS
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    // A container is stopped with SIGTERM, a terminal with SIGINT.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}
