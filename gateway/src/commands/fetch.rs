//! HTTP requests to a running gateway.

use std::{fs, path::PathBuf, time::Duration};

use protocol::headers::API_KEY;
use reqwest::{Certificate, Client, StatusCode, redirect};

/// Largest answer that is read.
const MOST: usize = 64 << 20;

/// How a gateway is asked.
#[derive(Debug)]
pub(crate) struct FetchOptions {
    /// The authority that vouches for the gateway; those of the system if absent.
    pub(crate) ca: Option<PathBuf>,
    /// An API key.
    pub(crate) key: Option<String>,
    /// How long the answer may take.
    pub(crate) patience: Duration,
}

impl FetchOptions {
    /// Of a question to an admin port, which asks for nothing and answers at once.
    pub(crate) fn admin() -> Self {
        Self { ca: None, key: None, patience: Duration::from_secs(2) }
    }
}

/// Gets a document: code and body of the answer.
pub(crate) fn get(address: &str, options: &FetchOptions) -> Result<(StatusCode, String), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(ask(address, options))
}

async fn ask(address: &str, options: &FetchOptions) -> Result<(StatusCode, String), String> {
    let failed = |error: reqwest::Error| format!("{address}: {}", root_cause(&error));
    let request = client(options)?.get(address);
    let request = options.key.iter().fold(request, |request, key| request.header(API_KEY, key));
    let mut response = request.send().await.map_err(failed)?;
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > MOST {
            return Err(format!("{address}: the answer is longer than {MOST} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn client(options: &FetchOptions) -> Result<Client, String> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(options.patience)
        .no_proxy();
    let builder = match &options.ca {
        Some(file) => {
            let wrong = |why: String| format!("{}: {why}", file.display());
            let pem = fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            builder.tls_certs_only(certificates)
        }
        None => builder,
    };
    builder.build().map_err(|error| error.to_string())
}

/// The innermost cause; the outer ones add nothing.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
