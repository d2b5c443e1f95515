//! `ispbridge up`: the suite until somebody stops it.

use std::{io, net::SocketAddr, process::ExitCode};

use chassis::output;
use clap::Args;
use ispbridge_sandbox::ALL;
use telemetry::{LogFormat, LogSettings};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    suite::{Error, Options, Suite},
    wiring::{DEMO_KEY, READER_KEY},
};

/// Where the suite listens.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// Address of the gateway, on loopback.
    #[arg(long, default_value = "127.0.0.1:50051")]
    pub(crate) grpc: SocketAddr,
    /// Address of the gateway's admin port (health and metrics), on loopback.
    #[arg(long, default_value = "127.0.0.1:9901")]
    pub(crate) admin: SocketAddr,
}

/// Starts the suite, says how to use it, and drains it on Ctrl-C or SIGTERM; a second Ctrl-C ends it at once.
pub(crate) async fn run(arguments: &UpArguments) -> ExitCode {
    let (mut interrupt, mut terminate) = match signals() {
        Ok(signals) => signals,
        Err(error) => return output::complain(&error.to_string(), 1),
    };
    // What goes well is not worth a line here; the services log each call when they run alone.
    let log = LogSettings { format: LogFormat::Text, level: "warn".to_owned() };
    if let Err(error) = chassis::install_globals(&log) {
        return output::complain(&error.to_string(), 1);
    }
    let options = Options { grpc: arguments.grpc, admin: arguments.admin };
    let suite = match Suite::start(options).await {
        Ok(suite) => suite,
        Err(error) => return output::complain(&advice(&error), 1),
    };
    // Whoever closed the output still has the suite.
    let _ = output::answer(&welcome(&suite), 0);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::select! {
        () = suite.stop() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::FAILURE,
    }
}

fn signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

fn welcome(suite: &Suite) -> String {
    let (address, sandbox) = (suite.address(), suite.sandbox());
    let option = match address.to_string().as_str() {
        "127.0.0.1:50051" => String::new(),
        other => format!(" --address http://{other} --api-key {DEMO_KEY}"),
    };
    let upstreams: Vec<_> =
        ALL.iter().map(|upstream| format!("{} {}", upstream.title, sandbox.address(upstream.provider))).collect();
    format!(
        "ispbridge is ready: gRPC {address}, admin http://{admin}/metrics, \
         upstreams: {upstreams} (stand-ins)\n\n\
         key       {DEMO_KEY}   may do everything\n\
         key       {READER_KEY}   may only read\n\n\
         Try, in another terminal:\n  \
         cargo run -- list{option}\n  \
         cargo run -- call{option} ispbridge.aex.v1.CustomerService/GetCustomer \
         '{{\"customerId\":\"FC65F24E-AADD-440E-AF96-9CBBDFA50349\"}}'\n  \
         grpcurl -plaintext -H 'x-api-key: {DEMO_KEY}' -d '{{\"query\":\"David Road\"}}' \
         {address} ispbridge.aex.v1.PremiseService/ListPredefinedPremises\n\n\
         Ctrl-C stops it.",
        admin = suite.admin(),
        upstreams = upstreams.join(", "),
    )
}

fn advice(error: &Error) -> String {
    match error {
        Error::Process(_, config::Error::Listen { .. }) => {
            format!("{error}\nAnother suite may be running; --grpc and --admin take other addresses.")
        }
        error => error.to_string(),
    }
}
