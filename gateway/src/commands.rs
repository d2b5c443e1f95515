//! The gateway's own subcommands: API keys, the keys of services, and questions about policy.

mod explain;
mod keys;
mod words;

mod document;

use std::{
    io::{self, BufRead, Write},
    path::Path,
    process::ExitCode,
};

use chassis::caller::Root;

use crate::{
    identity::key::{KeyHash, new_key},
    service_config,
};

const USAGE: &str = "\
ispbridge-gateway keys add NAME            makes an API key, prints it once and puts its hash into the file of keys
    --grant METHODS@ACCOUNTS               what who has it may do, e.g. reads@aex/main; may come again
    --group NAME                           a group that who has it is in; may come again
ispbridge-gateway keys revoke ID|NAME      takes one key away, or all of a name
ispbridge-gateway keys list                shows the keys and when each was used last
    --config FILE | --file KEYS            the configuration that names the file of keys, or that file itself
ispbridge-gateway keys new                 prints a fresh API key and its hash
ispbridge-gateway keys hash                reads an API key from standard input and prints its hash
ispbridge-gateway explain PRINCIPAL METHOD [ACCOUNT]
                                           says whether it may, and by which grant; ends with 1 if not
    --config FILE                          the configuration
    --claim ISSUER:VALUE                   a group that the principal's token claims; may come again
    --descriptors FILE                     a FileDescriptorSet that says whether the method only reads
ispbridge-gateway openapi http://HOST:PORT  reads an API key from standard input (an empty line where reflection is public)
                                           and prints the OpenAPI document of the gateway that runs there
ispbridge-gateway openapi FILE             prints the OpenAPI document of an encoded FileDescriptorSet
ispbridge-gateway callers derive SERVICE   reads the root of [signing] from standard input and prints
                                           the key of a service, e.g. ispbridge-aex
ispbridge-gateway service-config [FILE]    prints what gRPC clients should do by themselves, as a service config; timeouts
                                           are taken from the gateway's configuration file";

/// Runs a subcommand; `None` if there is no such one.
pub(crate) fn run(words: &[String]) -> Option<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let printed = match words.as_slice() {
        ["explain", words @ ..] => return Some(explained(words)),
        ["keys", "add", words @ ..] => keys::add(words),
        ["keys", "revoke", words @ ..] => keys::revoke(words),
        ["keys", "list", words @ ..] => keys::list(words),
        ["keys", "new"] => fresh(),
        ["keys", "hash"] => first_line().map(|key| KeyHash::of(&key).to_string()),
        ["callers", "derive", service] => derive(service),
        ["openapi", source] => document::of(source),
        ["service-config"] => service_config::of_file(None),
        ["service-config", file] => service_config::of_file(Some(Path::new(file))),
        ["keys" | "callers" | "openapi" | "service-config", ..] => Err(USAGE.to_owned()),
        _ => return None,
    };
    Some(show(printed))
}

fn show(printed: Result<String, String>) -> ExitCode {
    match printed.and_then(|text| writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(64)
        }
    }
}

fn explained(words: &[&str]) -> ExitCode {
    match explain::run(words) {
        Ok((true, text)) => show(Ok(text)),
        Ok((false, text)) => {
            show(Ok(text));
            ExitCode::FAILURE
        }
        Err(error) => show(Err(error)),
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
