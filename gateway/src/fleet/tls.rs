//! TLS to the services, with the gateway's client certificate.

use std::{fmt, io, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{config::ClientTlsConfig, fleet::endpoint::Endpoint};

/// HTTP/2 is all that services speak.
const ALPN: &[u8] = b"h2";

/// What a connection to a service needs to be encrypted.
#[derive(Clone)]
pub(crate) struct ServiceTls {
    config: Arc<ClientConfig>,
    /// Name that the services' certificates have, if it is not the host of the address.
    name: Option<ServerName<'static>>,
    /// Of certificates and key, to detect changes.
    digest: [u8; 32],
}

impl ServiceTls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// The key that is wrong and what is wrong with it, without its value.
    pub(crate) fn new(config: &ClientTlsConfig) -> Result<Self, (&'static str, &'static str)> {
        let mut client = config.client()?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(client), name: None, digest: digest(config) })
    }

    /// The same for services whose certificates have another name than their address.
    pub(crate) fn named(&self, name: Option<ServerName<'static>>) -> Self {
        Self { name, ..self.clone() }
    }

    /// Does the handshake on an open connection.
    pub(crate) async fn connect(&self, endpoint: &Endpoint, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(endpoint.host().to_owned()).map_err(io::Error::other)?,
        };
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(ALPN) => Ok(stream),
            _ => Err(io::Error::other("the service does not offer HTTP/2 over TLS")),
        }
    }
}

impl PartialEq for ServiceTls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.name == other.name
    }
}

impl fmt::Debug for ServiceTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

fn digest(config: &ClientTlsConfig) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [Some(&config.ca), config.certificate.as_ref(), config.key.as_ref()].into_iter().flatten() {
        context.update(&(part.expose().len() as u64).to_be_bytes());
        context.update(part.expose().as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
