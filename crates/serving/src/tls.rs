//! TLS of the listener: the certificate, whose clients are believed, and both anew while the process runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use config::{Error, Findings, Secret};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::settings::{ClientAuth, ServerSettings, TlsSettings};

/// The protocol that is spoken inside (RFC 7301, RFC 9113 3.2).
const H2: &[u8] = b"h2";
/// What a program with a door speaks as well (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// What the listener shows to the next connection.
pub type Current = Arc<ArcSwap<ServerConfig>>;

/// Reads what a listener needs, or nothing where it speaks plain text.
pub fn server(settings: &ServerSettings) -> Result<Option<ServerConfig>, Error> {
    settings.tls.as_ref().map(build).transpose()
}

/// Lets clients choose HTTP/1.1 too.
pub fn also_http1(current: &Current) {
    let mut config = ServerConfig::clone(&current.load());
    config.alpn_protocols.push(HTTP_1_1.to_vec());
    current.store(Arc::new(config));
}

fn build(settings: &TlsSettings) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut findings = Findings::default();
    let chain = findings.take(certificates("server.tls.certificate", &settings.certificate));
    let key = PrivateKeyDer::from_pem_slice(settings.key.expose().as_bytes());
    let key = findings.take(key.map_err(|_| Error::config("server.tls.key", "must hold a private key in PEM")));
    let verifier = findings.take(client_verifier(settings, provider.clone()));
    let (Some(chain), Some(key), Some(verifier)) = (chain, key, verifier) else {
        return Err(findings.into_error());
    };
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(Error::program)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unfit(&error))?;
    config.alpn_protocols = vec![H2.to_vec()];
    if settings.client_ca.is_some() {
        // A session that is taken up again would not look at the client's certificate again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn unfit(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            Error::config("server.tls.key", "must be the key of server.tls.certificate")
        }
        rustls::Error::General(_) => Error::config("server.tls.key", "must be a key of a kind that TLS can use"),
        _ => Error::config("server.tls.certificate", "must be a certificate that TLS can use"),
    }
}

fn client_verifier(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Error> {
    const KEY: &str = "server.tls.client_ca";
    const ROOTS: &str = "must hold certificates that others can be signed by";
    let Some(roots) = &settings.client_ca else {
        return match settings.client_auth {
            Some(_) => Err(Error::config("server.tls.client_auth", "must not be given without server.tls.client_ca")),
            None => Ok(None),
        };
    };
    let mut store = RootCertStore::empty();
    for root in certificates(KEY, roots)? {
        store.add(root).map_err(|_| Error::config(KEY, ROOTS))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
    let builder = match settings.client_auth.unwrap_or_default() {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Required => builder,
    };
    builder.build().map(Some).map_err(|_| Error::config(KEY, ROOTS))
}

fn certificates(key: &str, pem: &Secret) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::config(key, "must hold a certificate in PEM")),
    }
}
