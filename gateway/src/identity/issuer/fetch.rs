//! Fetches an issuer's keys: no redirects, no implicit proxies, limits on size and time.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, redirect};

use crate::{
    config::IssuerConfig,
    identity::issuer::{KeySet, keys},
};

/// Largest set of keys that is read.
const LARGEST: usize = 256 << 10;
/// How long an answer may take, all of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fetch that is under way.
type KeySetFuture = Pin<Box<dyn Future<Output = Result<KeySet, String>> + Send>>;

/// Fetches the keys of an issuer.
pub(crate) fn fetcher(issuer: &IssuerConfig) -> Result<impl Fn() -> KeySetFuture + use<>, String> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .connect_timeout(PATIENCE / 2)
        .timeout(PATIENCE)
        .user_agent(concat!("ispbridge/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    if !issuer.jwks.speaks_tls() {
        // A machine without root certificates can still use plain text.
        builder = builder.tls_certs_only([]);
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    let issuer = Arc::new(issuer.clone());
    Ok(move || -> KeySetFuture {
        let (client, issuer) = (client.clone(), Arc::clone(&issuer));
        Box::pin(async move {
            let asked = get(&client, issuer.jwks.url.as_deref().unwrap_or_default()).await;
            asked.and_then(|text| keys(&text, &issuer.algorithms))
        })
    })
}

async fn get(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let failed = |error: reqwest::Error| error.without_url().to_string();
    let mut response = client.get(url).header("accept", "application/json").send().await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(format!("it answered with {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > LARGEST {
            return Err(format!("its answer is longer than {LARGEST} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
