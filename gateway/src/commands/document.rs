//! `openapi`: the OpenAPI document, of a gateway that runs or of a file.

use std::{
    fs,
    io::{self, BufRead},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Uri};
use prost_reflect::DescriptorPool;

use super::fetch;
use crate::{doors::openapi, identity::API_KEY};

/// How long a gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes or fetches the document.
pub(crate) fn of(source: &str) -> Result<String, String> {
    match source.strip_prefix("http://") {
        Some(_) => fetched(source),
        None if source.contains("://") => Err(format!("{source} is no http:// address and no file")),
        None => made(source),
    }
}

fn made(file: &str) -> Result<String, String> {
    let set = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let pool = DescriptorPool::decode(&*set).map_err(|error| format!("{file} is no FileDescriptorSet: {error}"))?;
    serde_json::to_string_pretty(&openapi::document([pool], |_| true)).map_err(|error| error.to_string())
}

fn fetched(address: &str) -> Result<String, String> {
    let uri: Uri = address.parse().map_err(|_| format!("{address} is no address"))?;
    let mut key = String::new();
    io::stdin().lock().read_line(&mut key).map_err(|error| error.to_string())?;
    let key = HeaderValue::from_str(key.trim_end()).map_err(|_| format!("{API_KEY} cannot be a header"))?;
    let headers = HeaderMap::from_iter([(API_KEY, key)]);
    match fetch::get(&uri, openapi::PATH, headers, PATIENCE)? {
        (status, body) if status.is_success() => Ok(body),
        (status, body) => Err(format!("{uri} answered with HTTP {status}: {body}")),
    }
}
