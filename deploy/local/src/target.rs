//! Which gateway is meant, how it is reached, and what every call to it carries.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::headers::API_KEY;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::error::Error;

const CONNECT: Duration = Duration::from_secs(5);

/// Where the gateway is, who calls, and how long a call may take.
#[derive(Clone)]
pub struct Target {
    /// Address of the gateway, `https://host:port`, or `http://host:port` without TLS.
    pub address: String,
    /// How the gateway and the caller prove who they are, for an address with https.
    pub tls: Tls,
    /// What every call carries; the caller's credentials are among them.
    pub headers: HeaderMap,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Certificates, in PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// The authority that vouches for the gateway; those of the system if absent.
    pub ca: Option<Vec<u8>>,
    /// The caller's certificate and its key.
    pub identity: Option<Identity>,
    /// The name in the gateway's certificate, if it is not the host of the address.
    pub server_name: Option<String>,
}

impl Target {
    /// A gateway without TLS, and no credentials.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        let (tls, headers) = (Tls::default(), HeaderMap::new());
        Self { address: address.into(), tls, headers, timeout: Duration::from_secs(60) }
    }

    /// The same for a caller with this API key.
    ///
    /// # Errors
    /// A key that cannot be a header.
    pub fn with_key(mut self, key: &str) -> Result<Self, Error> {
        self.headers.insert(API_KEY, secret_value(key).ok_or_else(|| not_sendable("the API key"))?);
        Ok(self)
    }

    /// The same for a caller with this token.
    ///
    /// # Errors
    /// A token that cannot be a header.
    pub fn with_bearer(mut self, token: &str) -> Result<Self, Error> {
        let value = secret_value(&format!("Bearer {token}")).ok_or_else(|| not_sendable("the token"))?;
        self.headers.insert(http::header::AUTHORIZATION, value);
        Ok(self)
    }

    /// The same with one header more, written `name: value`.
    ///
    /// # Errors
    /// A text that is no header.
    pub fn with_header(mut self, text: &str) -> Result<Self, Error> {
        let form = || Error::Argument("a header is written 'name: value'".to_owned());
        let (name, value) = text.split_once(':').ok_or_else(form)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| form())?;
        let value = secret_value(value.trim()).ok_or_else(|| not_sendable(&format!("the value of {name}")))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// The address with its TLS, ready to be connected to.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Error> {
        let none = || Error::Argument(format!("{:?} is no address; write https://host:port", self.address));
        let endpoint = Endpoint::from_shared(self.address.clone()).map_err(|_| none())?.connect_timeout(CONNECT);
        match endpoint.uri().scheme_str() {
            Some("https") => endpoint.tls_config(self.tls.config()).map_err(|error| wrong_tls(&error)),
            Some("http") if self.tls.is_wanted() => {
                Err(Error::Argument("certificates are for TLS; write https:// in the address".to_owned()))
            }
            Some("http") => Ok(endpoint),
            _ => Err(none()),
        }
    }
}

impl Tls {
    fn is_wanted(&self) -> bool {
        self.ca.is_some() || self.identity.is_some() || self.server_name.is_some()
    }

    fn config(&self) -> ClientTlsConfig {
        let config = match &self.ca {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let config = self.identity.iter().fold(config, |config, identity| config.identity(identity.clone()));
        self.server_name.iter().fold(config, |config, name| config.domain_name(name))
    }
}

/// A value that no log shows; every header of a caller may be a credential.
fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn not_sendable(what: &str) -> Error {
    Error::Argument(format!("{what} holds characters that no header has"))
}

fn wrong_tls(error: &tonic::transport::Error) -> Error {
    Error::Argument(format!("the certificates cannot be used: {}", crate::error::root_cause(error)))
}
