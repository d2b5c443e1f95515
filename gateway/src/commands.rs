//! The gateway's own commands: API keys, the keys of services, and questions about policy.

mod document;
mod explain;
mod fetch;
mod keys;
mod site;
mod taken;

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chassis::output;
use clap::{ArgMatches, FromArgMatches, Subcommand};
use protocol::caller::Root;

use crate::{
    key::{KeyHash, new_key},
    service_config,
};

#[derive(Debug, Subcommand)]
enum GatewayCommand {
    /// Makes, revokes and lists API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Says whether a principal may call a method with an account, and by which grant.
    Explain(explain::ExplainArguments),
    /// Works with the keys by which services know the gateway.
    #[command(subcommand)]
    Callers(CallersCommand),
    /// Prints the OpenAPI document of a gateway that runs, or of a contract.
    Openapi(document::DocumentArguments),
    /// Prints what gRPC clients should do by themselves, as a gRPC service config.
    ServiceConfig {
        /// The gateway's configuration, for its timeouts [default: that of --config]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Makes an API key, prints it this one time and puts its hash into the file of keys.
    Add(keys::Add),
    /// Takes away one key, or all keys of a principal.
    Revoke(keys::Revoke),
    /// Shows the keys and when each was used last.
    List(keys::KeysAt),
    /// Prints a fresh API key and its hash, for `principals.api_keys`.
    New,
    /// Reads an API key from standard input and prints its hash.
    Hash,
}

#[derive(Debug, Subcommand)]
enum CallersCommand {
    /// Reads the root of `[signing]` from standard input and prints the key of a service.
    Derive {
        /// Name of the service's program, e.g. ispbridge-aex.
        service: String,
    },
}

/// Adds the commands to those of every program.
pub(crate) fn augment(cli: clap::Command) -> clap::Command {
    GatewayCommand::augment_subcommands(cli)
}

/// Runs the command that was given.
pub(crate) fn run(matches: &ArgMatches, config: Option<&Path>) -> ExitCode {
    let command = match GatewayCommand::from_arg_matches(matches) {
        Ok(command) => command,
        Err(error) => return output::refuse(&error),
    };
    let printed = match command {
        GatewayCommand::Explain(arguments) => return explained(&arguments, config),
        GatewayCommand::Keys(KeysCommand::Add(add)) => return keys::add(add, config),
        GatewayCommand::Keys(KeysCommand::Revoke(revoke)) => return keys::revoke(&revoke, config),
        GatewayCommand::Keys(KeysCommand::List(at)) => keys::list(&at, config),
        GatewayCommand::Keys(KeysCommand::New) => fresh(),
        GatewayCommand::Keys(KeysCommand::Hash) => first_line().map(|key| KeyHash::of(&key).to_string()),
        GatewayCommand::Callers(CallersCommand::Derive { service }) => derive(&service),
        GatewayCommand::Openapi(arguments) => document::of(arguments),
        GatewayCommand::ServiceConfig { file } => service_config::of_file(file.as_deref().or(config)),
    };
    printed.map_or_else(|error| output::complain(&error, 64), |text| output::answer(&text, 0))
}

fn explained(arguments: &explain::ExplainArguments, config: Option<&Path>) -> ExitCode {
    match explain::run(arguments, config) {
        Ok((code, text)) => output::answer(&text, code),
        Err(error) => output::complain(&error, 64),
    }
}

fn fresh() -> Result<String, String> {
    let key = new_key()?;
    Ok(format!("key:  {key}\nhash: {}", KeyHash::of(&key)))
}

fn derive(service: &str) -> Result<String, String> {
    // The id is not part of the derivation.
    let root = Root::new("root", &first_line()?).map_err(|error| error.to_string())?;
    Ok(root.derive(service).to_text())
}

fn first_line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err("standard input is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}
