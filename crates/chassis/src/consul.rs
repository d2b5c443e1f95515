//! Consul's agent, by the few parts of its HTTP API that the suite needs
//! (<https://developer.hashicorp.com/consul/api-docs/health>, `/agent/service`, `/agent/check`).

pub(crate) mod checks;
mod settings;

use std::{fmt, sync::Arc, time::Duration};

use config::{Error, NO_AUTHORITIES, has_authorities};
use http::{HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, Response, redirect};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use self::checks::OwnCheck;

pub use self::settings::{CheckKind, ConsulSettings};

/// How long Consul may hold a question back until something changes.
const WAIT: Duration = Duration::from_secs(60);

/// How long it may take beyond that: it adds up to a sixteenth of it by itself.
const GRACE: Duration = Duration::from_secs(10);

/// How long a connection, or a small request, may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest answer: some thousand instances with all their checks.
const MOST_BYTES: usize = 4 << 20;

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");

/// An agent of Consul; cheap to clone.
#[derive(Clone)]
pub struct Consul(Arc<Inner>);

struct Inner {
    client: Client,
    base: String,
    token: Option<HeaderValue>,
    datacenter: Option<String>,
    passing_only: bool,
}

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulInstance {
    /// Its address, without brackets, or its name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The healthy instances of a service at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulAnswer {
    /// The instances, in Consul's order.
    pub instances: Vec<ConsulInstance>,
    /// What to ask with next, so that the answer comes when something has changed.
    pub index: u64,
}

/// Why Consul gave no usable answer; no text of it holds an address or a token.
#[derive(Debug, thiserror::Error)]
pub enum ConsulError {
    /// Nobody answered, or the answer broke off.
    #[error("not reachable")]
    Unreachable,
    /// It took too long.
    #[error("no answer in time")]
    Late,
    /// It refused, or failed.
    #[error("HTTP {0}")]
    Status(u16),
    /// The answer was larger than any that makes sense.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer was something else.
    #[error("the answer cannot be read")]
    Unreadable,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(default)]
    address: String,
    port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    status: String,
}

impl Consul {
    /// Prepares to ask an agent; asks it nothing yet.
    ///
    /// # Errors
    /// The key of `[consul]` that is wrong.
    pub fn new(settings: &ConsulSettings) -> Result<Self, Error> {
        let wrong = |key: &str, problem: &str| Error::config(format!("consul.{key}"), problem);
        let base =
            settings.base().ok_or_else(|| wrong("address", "must be host:port, or http:// or https:// before it"))?;
        let ca = settings.ca.as_ref().map(|pem| Certificate::from_pem_bundle(pem.expose().as_bytes()).ok());
        // A bundle of nothing would leave nobody to believe.
        let ca =
            ca.map(|ca| ca.filter(|ca| !ca.is_empty()).ok_or_else(|| wrong("ca", "must hold a certificate in PEM")));
        let ca = ca.transpose()?;
        let token = settings.token.as_ref().map(|token| HeaderValue::from_str(token.expose()));
        let mut token = token.transpose().map_err(|_| wrong("token", "must hold only what a header can carry"))?;
        token.iter_mut().for_each(|token| token.set_sensitive(true));
        if ca.is_none() && base.starts_with("https:") && !has_authorities() {
            return Err(wrong("address", NO_AUTHORITIES));
        }
        let client = client(&base, ca).map_err(|_| wrong("ca", "must hold certificates that can be trusted"))?;
        let (datacenter, passing_only) = (settings.datacenter.clone(), settings.passing_only);
        Ok(Self(Arc::new(Inner { client, base, token, datacenter, passing_only })))
    }

    /// The healthy instances of a service: at once if `index` is 0, else when they are others than those that came with it,
    /// or after a minute.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn healthy(&self, service: &str, index: u64) -> Result<ConsulAnswer, ConsulError> {
        let mut query = vec![("index", index.to_string()), ("wait", format!("{}s", WAIT.as_secs()))];
        if self.0.passing_only {
            query.push(("passing", "true".to_owned()));
        }
        let path = format!("/v1/health/service/{service}");
        let asked = self.request(Method::GET, &path, &query, Vec::new());
        let mut response = within(WAIT + WAIT / 16 + GRACE, asked).await?;
        let index = response.headers().get(INDEX).and_then(|index| index.to_str().ok()?.parse().ok()).unwrap_or(0);
        let body = within(GRACE, body(&mut response)).await?;
        let entries: Vec<Entry> = serde_json::from_slice(&body).map_err(|_| ConsulError::Unreadable)?;
        let healthy = entries.into_iter().filter(|entry| entry.checks.iter().all(|check| check.status != "critical"));
        Ok(ConsulAnswer { instances: healthy.map(Entry::instance).collect(), index })
    }

    /// Tells the agent something.
    pub(crate) async fn put(&self, path: &str, body: Vec<u8>) -> Result<(), ConsulError> {
        within(PATIENCE, self.request(Method::PUT, path, &[], body)).await.map(drop)
    }

    /// The checks of a service that is registered with this agent; the agent tells how they are by the status, too.
    pub(crate) async fn checks(&self, id: &str) -> Result<Vec<OwnCheck>, ConsulError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            checks: Option<Vec<OwnCheck>>,
        }
        let asked = async {
            let path = format!("/v1/agent/health/service/id/{id}");
            let mut response = self.send(Method::GET, &path, &[], Vec::new()).await?;
            body(&mut response).await
        };
        let answer: Answer =
            serde_json::from_slice(&within(PATIENCE, asked).await?).map_err(|_| ConsulError::Unreadable)?;
        Ok(answer.checks.unwrap_or_default())
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Response, ConsulError> {
        let response = self.send(method, path, query, body).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(ConsulError::Status(response.status().as_u16())),
        }
    }

    /// As [`Self::request`], whatever the status says.
    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Response, ConsulError> {
        let datacenter = self.0.datacenter.iter().map(|name| ("dc", name.clone()));
        let query: Vec<_> =
            query.iter().cloned().chain(datacenter).map(|(key, value)| format!("{key}={value}")).collect();
        let mut request =
            self.0.client.request(method, format!("{}{path}?{}", self.0.base, query.join("&"))).body(body);
        if let Some(token) = &self.0.token {
            request = request.header(TOKEN, token.clone());
        }
        request.send().await.map_err(|_| ConsulError::Unreachable)
    }
}

impl fmt::Debug for Consul {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Consul").field("base", &self.0.base).finish_non_exhaustive()
    }
}

impl Entry {
    /// A service without an address of its own is at its node's.
    fn instance(self) -> ConsulInstance {
        let host = if self.service.address.is_empty() { self.node.address } else { self.service.address };
        ConsulInstance { host, port: self.service.port }
    }
}

fn client(base: &str, ca: Option<Vec<Certificate>>) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .no_gzip()
        .http1_only()
        .connect_timeout(PATIENCE)
        .tls_version_min(reqwest::tls::Version::TLS_1_2);
    match ca {
        Some(certificates) => builder.tls_certs_only(certificates),
        // The system's certificates are megabytes, and of no use here.
        None if base.starts_with("http://") => builder.tls_certs_only([]),
        None => builder,
    }
    .build()
}

async fn within<T>(time: Duration, asked: impl Future<Output = Result<T, ConsulError>>) -> Result<T, ConsulError> {
    timeout_at(Instant::now() + time, asked).await.unwrap_or(Err(ConsulError::Late))
}

async fn body(response: &mut Response) -> Result<Vec<u8>, ConsulError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ConsulError::Unreachable)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(ConsulError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
