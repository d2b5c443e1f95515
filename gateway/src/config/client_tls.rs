//! The certificates of `[services.tls]`.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::ClientTlsConfig;

impl ClientTlsConfig {
    /// What a TLS client is made of.
    ///
    /// # Errors
    /// The key that is wrong and what is wrong with it, without its value.
    pub(crate) fn client(&self) -> Result<ClientConfig, (&'static str, &'static str)> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(self.ca.expose()).ok_or(("ca", "must hold a certificate in PEM"))? {
            roots.add(certificate).map_err(|_| ("ca", "must hold certificates that others can be signed by"))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| ("ca", "must be of use with TLS 1.2 and 1.3"))?
            .with_root_certificates(roots);
        match (&self.certificate, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate.expose());
                let chain = chain.ok_or(("certificate", "must hold a certificate in PEM"))?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
                let key = key.map_err(|_| ("key", "must hold a private key in PEM"))?;
                builder.with_client_auth_cert(chain, key).map_err(|_| ("key", "must be the key of the certificate"))
            }
            (Some(_), None) => Err(("key", "must be given: a certificate needs its key")),
            (None, Some(_)) => Err(("certificate", "must be given: a key needs its certificate")),
        }
    }
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|chain| !chain.is_empty())
}
