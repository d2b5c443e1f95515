//! Serves the stand-in upstreams until interrupted.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use ispbridge_sandbox::{ALL, Config, Credentials, Sandbox, StandIn};

/// The port of the first upstream; the others follow it.
const FIRST_PORT: u16 = 18001;

fn command() -> Command {
    let titles: Vec<_> = ALL.iter().map(|stand_in| stand_in.title).collect();
    let command = Command::new("ispbridge-sandbox")
        .version(env!("CARGO_PKG_VERSION"))
        .about(format!("Stand-in upstreams of ispbridge: {}", titles.join(", ")));
    let seed = Arg::new("seed").long("seed").help("Seed of the ids the upstreams make up").default_value("1");
    let command = command.arg(seed.value_parser(value_parser!(u64)));
    ALL.iter().zip(FIRST_PORT..).fold(command, |command, (stand_in, port)| command.args(flags(stand_in, port)))
}

/// `--aex ADDRESS`, and one for each key of an account, such as `--aex-token`.
fn flags(stand_in: &StandIn, port: u16) -> Vec<Arg> {
    let StandIn { provider, title, account, .. } = stand_in;
    let address = Arg::new(*provider).long(*provider).help(format!("Address of the {title} upstream"));
    let address = address.default_value(&*format!("127.0.0.1:{port}").leak()).value_parser(value_parser!(SocketAddr));
    let keys = account.iter().map(|key| {
        let (name, help) = (flag(provider, key.name), format!("`{}` that {title} accepts", key.name));
        Arg::new(name).long(name).help(help).default_value(key.value)
    });
    std::iter::once(address).chain(keys).collect()
}

/// It lives as long as the program, as clap wants it.
fn flag(provider: &str, key: &str) -> &'static str {
    format!("{provider}-{key}").leak()
}

fn config(matches: &ArgMatches) -> Config {
    let mut config = Config { seed: matches.get_one("seed").copied().unwrap_or(1), ..Config::default() };
    for stand_in in ALL {
        let address = matches.get_one::<SocketAddr>(stand_in.provider);
        config.addresses.extend(address.map(|address| (stand_in.provider.to_owned(), *address)));
        config.credentials = stand_in.account.iter().fold(config.credentials, |credentials: Credentials, key| {
            let value = matches.get_one::<String>(flag(stand_in.provider, key.name));
            credentials.with(stand_in.provider, key.name, value.map_or(key.value, String::as_str))
        });
    }
    config
}

#[tokio::main]
async fn main() -> ExitCode {
    match Sandbox::start(config(&command().get_matches())).await {
        Ok(sandbox) => run(sandbox).await,
        Err(error) => {
            // Nobody is left to be told if standard error is gone.
            let _ = writeln!(io::stderr(), "cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(sandbox: Sandbox) -> ExitCode {
    for StandIn { provider, path, .. } in ALL {
        // Whoever closed the output still has the upstreams.
        let _ = writeln!(io::stdout(), "{provider:<9} http://{}{path}", sandbox.address(provider));
    }
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
