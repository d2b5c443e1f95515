//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The other end of a connection; every request on it carries this in its extensions.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    identity: Option<Arc<PeerIdentity>>,
}

/// The names in a client certificate that was verified: URIs as they are (`spiffe://example.org/billing`), host names with
/// `dns:` before them (`dns:billing.internal`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity(Vec<String>);

impl Peer {
    pub(crate) fn new(address: SocketAddr, identity: Option<PeerIdentity>) -> Self {
        Self(Arc::new(Inner { address, identity: identity.map(Arc::new) }))
    }

    /// The same connection for a request that a proxy passes on for somebody at another address. The identity stays that of
    /// the connection: nobody else has shown a certificate.
    pub(crate) fn for_client(&self, address: SocketAddr) -> Self {
        if address == self.0.address {
            return self.clone();
        }
        Self(Arc::new(Inner { address, identity: self.0.identity.clone() }))
    }

    /// The address of the caller: that of the connection or, if a proxy is believed (`server.proxy_protocol`,
    /// `server.forwarded`), what the proxy says. Port 0 is one that the proxy did not say.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What its certificate says, if it has shown one.
    #[must_use]
    pub fn identity(&self) -> Option<&PeerIdentity> {
        self.0.identity.as_deref()
    }
}

impl PeerIdentity {
    /// Reads the subject alternative names; one that stands for many hosts is no name.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return Self::default();
        };
        let hosts = certificate.valid_dns_names().filter(|name| !name.contains('*'));
        let hosts = hosts.map(|name| format!("dns:{}", name.to_ascii_lowercase()));
        Self(certificate.valid_uri_names().map(str::to_owned).chain(hosts).collect())
    }

    /// Its names, in the order of the certificate, URIs first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}
