//! The options that say which gateway a command asks, and as whom.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use protocol::headers::API_KEY;
use tonic::transport::Identity;

use crate::{
    error::Error,
    target::{Target, Tls},
    wiring::DEMO_KEY,
};

/// Where the local suite listens.
const LOCAL: &str = "http://127.0.0.1:50051";

// Secrets may stand in a variable or in a file: what stands in a command line everybody on the machine can read.
#[derive(Args)]
#[command(next_help_heading = "Gateway")]
pub(crate) struct TargetArguments {
    /// https://host:port, or http://host:port without TLS [default: the local suite, with its key]
    #[arg(long, env = "ISPBRIDGE_ADDRESS", value_name = "URL")]
    address: Option<String>,
    /// Certificates (PEM) of the authority that vouches for the gateway [default: those of the system]
    #[arg(long, env = "ISPBRIDGE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The caller's certificate (PEM)
    #[arg(long, env = "ISPBRIDGE_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key (PEM) of the caller's certificate
    #[arg(long, env = "ISPBRIDGE_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Name in the gateway's certificate, if it is not the host of the address
    #[arg(long, env = "ISPBRIDGE_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,
    /// API key of the caller; @FILE reads it from a file
    #[arg(long, env = "ISPBRIDGE_API_KEY", value_name = "KEY", hide_env_values = true, conflicts_with = "bearer")]
    api_key: Option<String>,
    /// Token of the caller, sent as `authorization: Bearer`; @FILE reads it from a file
    #[arg(long, env = "ISPBRIDGE_BEARER", value_name = "TOKEN", hide_env_values = true)]
    bearer: Option<String>,
    /// One more header of the calls; may come again
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Seconds that a call may take
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = seconds)]
    timeout: Duration,
}

impl std::fmt::Debug for TargetArguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys, tokens and headers are secrets.
        formatter.debug_struct("TargetArguments").field("address", &self.address).finish_non_exhaustive()
    }
}

impl TargetArguments {
    /// Reads the files that the options name.
    pub(crate) fn target(&self) -> Result<Target, Error> {
        let address = self.address.clone().unwrap_or_else(|| LOCAL.to_owned());
        let mut target = Target { tls: self.tls()?, timeout: self.timeout, ..Target::new(address) };
        if let Some(key) = &self.api_key {
            target = target.with_key(&secret("--api-key", key)?)?;
        }
        if let Some(token) = &self.bearer {
            target = target.with_bearer(&secret("--bearer", token)?)?;
        }
        for header in &self.headers {
            target = target.with_header(header)?;
        }
        match self.address.is_none() && !self.is_somebody(&target) {
            true => target.with_key(DEMO_KEY),
            false => Ok(target),
        }
    }

    fn is_somebody(&self, target: &Target) -> bool {
        let shown = [API_KEY, http::header::AUTHORIZATION].iter().any(|name| target.headers.contains_key(name));
        shown || self.cert.is_some()
    }

    fn tls(&self) -> Result<Tls, Error> {
        let ca = self.ca.as_ref().map(|file| pem("--ca", file)).transpose()?;
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(Identity::from_pem(pem("--cert", cert)?, pem("--key", key)?)),
            _ => None,
        };
        Ok(Tls { ca, identity, server_name: self.server_name.clone() })
    }
}

fn pem(option: &str, file: &PathBuf) -> Result<Vec<u8>, Error> {
    let cannot = |why: &str| Error::Argument(format!("{option}: {}: {why}", file.display()));
    let text = fs::read(file).map_err(|error| cannot(&error.to_string()))?;
    let begin = b"-----BEGIN ";
    match text.windows(begin.len()).any(|part| part == begin) {
        true => Ok(text),
        false => Err(cannot("is no PEM")),
    }
}

/// A secret, or the first line of the file that `@FILE` names.
fn secret(option: &str, text: &str) -> Result<String, Error> {
    let Some(file) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let text = fs::read_to_string(file).map_err(|error| Error::Argument(format!("{option}: {file}: {error}")))?;
    match text.trim_end() {
        "" => Err(Error::Argument(format!("{option}: {file} is empty"))),
        text => Ok(text.to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|seconds| !seconds.is_zero())
        .ok_or("must be a number of seconds")
}
