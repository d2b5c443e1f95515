//! A certificate authority of a test's own, and the right and wrong certificates that a server can show.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

/// The name that good certificates are for.
pub const NAME: &str = "localhost";

/// What a plaintext of TLS 1.1 begins with when its server knows nothing newer: ServerHello, RFC 4346.
pub const TLS_1_1: &[u8] = &tls_1_1();

/// An authority that nobody else knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It was valid once.
    Expired,
    /// It will be valid.
    NotYetValid,
    /// It is for another host.
    OtherHost,
    /// It vouches for itself.
    SelfSigned,
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }
}

impl Authority {
    /// The authority's certificate, as a file of trusted ones holds it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a certificate of this authority, unless it is self-signed.
    #[must_use]
    pub fn server(&self, flaw: Flaw) -> ServerConfig {
        let (chain, key) = self.certificate(flaw);
        let config = ServerConfig::builder().with_no_client_auth();
        config.with_single_cert(chain, key).unwrap()
    }

    /// A server that wants a certificate of the client too, of this authority, by one version of TLS.
    #[must_use]
    pub fn demanding(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder(roots.into()).build().unwrap();
        let (chain, key) = self.certificate(Flaw::None);
        let config = ServerConfig::builder_with_protocol_versions(&[version]);
        config.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap()
    }

    /// A client's certificate of this authority and its private key, both in PEM.
    ///
    /// # Panics
    /// If the system has no chance to give.
    #[must_use]
    pub fn client(&self) -> (String, String) {
        let (params, key) = (CertificateParams::new(["client".to_owned()]).unwrap(), KeyPair::generate().unwrap());
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn certificate(&self, flaw: Flaw) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let name = if flaw == Flaw::OtherHost { "other.example.com" } else { NAME };
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        match flaw {
            Flaw::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Flaw::NotYetValid => params.not_before = date_time_ymd(2500, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().unwrap();
        let own = || params.self_signed(&key).unwrap();
        let certificate = if flaw == Flaw::SelfSigned { own() } else { params.signed_by(&key, &self.0).unwrap() };
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// The versions of TLS that a server of ours can be held to.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A record of 42 bytes: version 3.2, 32 bytes of chance, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
const fn tls_1_1() -> [u8; 47] {
    let mut bytes = [7; 47];
    let head = [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    let tail = [0, 0, 47, 0];
    let mut at = 0;
    while at < head.len() {
        bytes[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        bytes[43 + at] = tail[at];
        at += 1;
    }
    bytes
}
