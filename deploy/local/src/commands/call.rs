//! `ispbridge call`.

use std::{fs, io};

use chassis::output;
use clap::Args;
use protocol::names::code_name;

use super::target::TargetArguments;
use crate::{
    client::{Called, Client},
    error::Error,
    reflection::Reflection,
};

#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    /// Full name, e.g. ispbridge.aex.v1.CustomerService/GetCustomer
    method: String,
    /// The request in proto JSON; - reads it from standard input, @FILE from a file
    #[arg(default_value = "{}")]
    json: String,
    /// The same as an option
    #[arg(short, long, value_name = "JSON", conflicts_with = "json")]
    data: Option<String>,
    /// Alias of the upstream account; may be left out where only one is granted
    #[arg(long)]
    account: Option<String>,
    /// Also prints code, headers, trailers and times, to standard error
    #[arg(short, long)]
    verbose: bool,
}

impl CallArguments {
    /// Makes the call and returns the reply.
    pub(crate) async fn run(&self, target: &TargetArguments) -> Result<String, Error> {
        let json = message(self.data.as_deref().unwrap_or(&self.json))?;
        let client = Client::connect(&target.target()?).await?;
        let method = Reflection::open(&client).await?.method(&self.method).await?;
        let called = client.exchange(&method, &json, self.account.as_deref()).await?;
        if self.verbose {
            let _ = output::complain(&story(&called), 0);
        }
        Ok(called.reply?)
    }
}

/// The JSON, where it stands or where it is to be read from.
fn message(text: &str) -> Result<String, Error> {
    let cannot = |what: &str, error: io::Error| Error::Argument(format!("{what}: {error}"));
    match text.strip_prefix('@').unwrap_or(text) {
        "-" => io::read_to_string(io::stdin()).map_err(|error| cannot("standard input", error)),
        file if text.starts_with('@') => fs::read_to_string(file).map_err(|error| cannot(file, error)),
        json => Ok(json.to_owned()),
    }
}

/// What came back beside the reply.
fn story(called: &Called) -> String {
    let code = called.reply.as_ref().map_or_else(|status| code_name(status.code()), |_| "OK");
    let mut lines = vec![format!("code: {code}"), format!("took: {:.1} ms", called.took.as_secs_f64() * 1000.0)];
    for (what, headers) in [("header", &called.headers), ("trailer", &called.trailers)] {
        let line = |(name, value): (&_, &http::HeaderValue)| {
            format!("{what} {name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        lines.extend(headers.iter().map(line));
    }
    lines.join("\n") + "\n"
}
