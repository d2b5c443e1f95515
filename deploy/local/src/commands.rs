//! The command line.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use chassis::output;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    client::{Client, Error, Target},
    failure, print, programs,
    reflection::Reflection,
    up,
    wiring::DEMO_KEY,
};

/// The whole suite in one process, for a first hour and for tests; and a client of any gateway.
#[derive(Debug, Parser)]
#[command(name = "ispbridge", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: UpArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the suite (also without any command).
    Up(UpArguments),
    /// Lists the services, or the methods of one service.
    List {
        /// Full name of a service.
        service: Option<String>,
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Prints a service, a method or a message.
    Describe {
        /// Full name, e.g. ispbridge.aex.v1.CustomerService/GetCustomer
        symbol: String,
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Calls a method.
    Call {
        /// Full name, e.g. ispbridge.aex.v1.CustomerService/GetCustomer
        method: String,
        /// The request in proto JSON; - reads it from standard input.
        #[arg(default_value = "{}")]
        json: String,
        /// Alias of the upstream account; may be left out where only one is granted.
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Prints a script that completes command lines, for a shell to read.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Works with the upstream accounts of a service.
    #[command(subcommand)]
    Accounts(Accounts),
}

#[derive(Debug, Subcommand)]
enum Accounts {
    /// Makes one harmless read with an account.
    Check {
        /// The provider.
        provider: Provider,
        /// Alias of the account in the configuration.
        alias: String,
        /// The configuration file of the provider's service.
        #[arg(long)]
        config: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Provider {
    Aex,
    Azotel,
    Freeside,
}

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

#[derive(Args)]
struct TargetArguments {
    /// Address of the gateway.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    address: String,
    /// API key [default: the key of the local suite]
    #[arg(long, env = "ISPBRIDGE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Seconds that a call may take.
    #[arg(long, default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

impl std::fmt::Debug for TargetArguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        formatter.debug_struct("TargetArguments").field("address", &self.address).finish_non_exhaustive()
    }
}

impl From<TargetArguments> for Target {
    fn from(arguments: TargetArguments) -> Self {
        Self {
            address: arguments.address,
            key: arguments.key.unwrap_or_else(|| DEMO_KEY.to_owned()),
            timeout: arguments.timeout,
        }
    }
}

/// Runs the command that the command line names.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return output::refuse(&error);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(answer(arguments)),
        Err(error) => output::complain(&error.to_string(), 1),
    }
}

async fn answer(arguments: Arguments) -> ExitCode {
    let command = arguments.command.unwrap_or(Command::Up(arguments.up));
    let answered = match command {
        Command::Completions { shell } => {
            return output::answer(&chassis::completions(&mut Arguments::command(), shell), 0);
        }
        Command::Up(arguments) => return up::run(&arguments).await,
        Command::Accounts(Accounts::Check { provider, alias, config }) => {
            let provider = provider.to_possible_value();
            let name = provider.as_ref().map_or("", |value| value.get_name());
            return output::complain(&programs::check_account(name, &alias, &config), 1);
        }
        Command::List { service, target } => list(service, target.into()).await,
        Command::Describe { symbol, target } => describe(&symbol, target.into()).await,
        Command::Call { method, json, account, target } => call(&method, json, account.as_deref(), target.into()).await,
    };
    match answered {
        Ok(text) => output::answer(&text, 0),
        Err(error) => output::complain(&failure::text(&error), 1),
    }
}

async fn list(service: Option<String>, target: Target) -> Result<String, Error> {
    let client = Client::connect(&target).await?;
    let mut reflection = Reflection::open(&client).await?;
    match service {
        Some(name) => Ok(print::methods(&reflection.service(&name).await?)),
        None => Ok(reflection.services().iter().map(|name| format!("{name}\n")).collect()),
    }
}

async fn describe(symbol: &str, target: Target) -> Result<String, Error> {
    let client = Client::connect(&target).await?;
    Reflection::open(&client).await?.describe(symbol).await
}

async fn call(method: &str, mut json: String, account: Option<&str>, target: Target) -> Result<String, Error> {
    if json == "-" {
        json = io::read_to_string(io::stdin()).map_err(|error| Error::Argument(format!("standard input: {error}")))?;
    }
    let client = Client::connect(&target).await?;
    let method = Reflection::open(&client).await?.method(method).await?;
    let reply = client.call(&method, &json, account).await?;
    Ok(reply + "\n")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|seconds| !seconds.is_zero())
        .ok_or("is no number of seconds")
}
