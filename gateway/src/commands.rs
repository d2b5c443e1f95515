//! The gateway's own subcommands: making API keys and the keys of services.

mod document;

use std::{
    io::{self, BufRead, Write},
    path::Path,
    process::ExitCode,
};

use chassis::caller::Root;

use crate::{
    principal::{KeyHash, new_key},
    service_config,
};

const USAGE: &str = "\
ispbridge-gateway keys new                 prints a fresh API key and its hash
ispbridge-gateway keys hash                reads an API key from standard input and prints its hash
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
