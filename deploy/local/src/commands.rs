//! The command line.

mod call;
mod target;

use std::{path::PathBuf, process::ExitCode};

use chassis::output;
use clap::{CommandFactory, Parser, Subcommand, builder::PossibleValuesParser};
use clap_complete::Shell;

use self::target::TargetArguments;
use crate::{
    client::Client,
    error::Error,
    failure, print, programs,
    reflection::Reflection,
    up::{self, UpArguments},
};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 64 wrong command line or message, 64 + the code of gRPC when gateway or service say no
(69 NOT_FOUND, 71 PERMISSION_DENIED, 78 UNAVAILABLE, also when nobody can be reached, 80 UNAUTHENTICATED ...), else 1.";

/// A client of any gateway, which learns the contract from its reflection; and the whole suite in one process, for a first
/// hour and for tests.
#[derive(Debug, Parser)]
#[command(name = "ispbridge", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
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
    #[command(after_help = EXIT_CODES)]
    List {
        /// Full name of a service.
        service: Option<String>,
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Prints a service, a method with its messages, a message or an enum, with the contract's comments.
    #[command(after_help = EXIT_CODES)]
    Describe {
        /// Full name, e.g. ispbridge.aex.v1.CustomerService/GetCustomer
        symbol: String,
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Calls a method.
    #[command(after_help = EXIT_CODES)]
    Call {
        #[command(flatten)]
        call: call::CallArguments,
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
        #[arg(value_parser = PossibleValuesParser::new(programs::names()))]
        provider: String,
        /// Alias of the account in the configuration.
        alias: String,
        /// The configuration file of the provider's service.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Runs the command that the command line names.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::refuse(&error),
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
        Command::Up(arguments) => return up::run(&arguments).await,
        Command::Completions { shell } => Ok(chassis::completions(&mut Arguments::command(), shell)),
        Command::Accounts(Accounts::Check { provider, alias, config }) => {
            return output::complain(&programs::check_account(&provider, &alias, &config), 1);
        }
        Command::List { service, target } => list(service, &target).await,
        Command::Describe { symbol, target } => describe(&symbol, &target).await,
        Command::Call { call, target } => call.run(&target).await,
    };
    match answered {
        Ok(text) => output::answer(&text, 0),
        Err(error) => output::complain(&failure::text(&error), failure::exit_code(&error)),
    }
}

async fn list(service: Option<String>, target: &TargetArguments) -> Result<String, Error> {
    let client = Client::connect(&target.target()?).await?;
    let mut reflection = Reflection::open(&client).await?;
    match service {
        Some(name) => Ok(print::methods(&reflection.service(&name).await?)),
        None => Ok(reflection.services().iter().map(|name| format!("{name}\n")).collect()),
    }
}

async fn describe(symbol: &str, target: &TargetArguments) -> Result<String, Error> {
    let client = Client::connect(&target.target()?).await?;
    Reflection::open(&client).await?.describe(symbol).await
}
