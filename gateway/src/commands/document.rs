//! `openapi`: the OpenAPI document, of a gateway that runs or of a file.

use std::{
    fs,
    io::{self, BufRead},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use prost_reflect::DescriptorPool;

use super::fetch;
use crate::openapi;

/// How long a gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DocumentArguments {
    /// https://HOST:PORT (or http://) of a gateway, whose API key is read from standard input (an empty line where reflection is
    /// public), or a file with an encoded FileDescriptorSet
    source: String,
    /// Certificates (PEM) of the authority that vouches for the gateway [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Makes or fetches the document.
pub(super) fn of(DocumentArguments { source, ca }: DocumentArguments) -> Result<String, String> {
    match source.split_once("://") {
        Some(("http" | "https", rest)) if !rest.trim_end_matches('/').contains('/') => fetched(&source, ca),
        Some(_) => Err(format!("{source} is neither https://HOST:PORT nor a file")),
        None => made(&source),
    }
}

fn made(file: &str) -> Result<String, String> {
    let set = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let pool = DescriptorPool::decode(&*set).map_err(|error| format!("{file} is no FileDescriptorSet: {error}"))?;
    serde_json::to_string_pretty(&openapi::document([pool], |_| true)).map_err(|error| error.to_string())
}

fn fetched(gateway: &str, ca: Option<PathBuf>) -> Result<String, String> {
    let mut key = String::new();
    io::stdin().lock().read_line(&mut key).map_err(|error| error.to_string())?;
    let key = Some(key.trim_end().to_owned()).filter(|key| !key.is_empty());
    let address = format!("{}{}", gateway.trim_end_matches('/'), openapi::PATH);
    match fetch::get(&address, &fetch::FetchOptions { ca, key, patience: PATIENCE })? {
        (status, body) if status.is_success() => Ok(body),
        (status, body) => Err(format!("{gateway} answered with HTTP {status}: {body}")),
    }
}
