//! The listener behind TLS: whom it lets in, what it says of them, and a certificate that changes.

use std::{fs, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{Running, StartOptions};
use config::ConfigSource;
use h2::client::SendRequest;
use ispbridge_kit::{
    clock::{comes, goes_on},
    http2::{call_with, message},
};
use prost::Message;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    pki::{Authority, Certified},
    probe::{Probe, READ},
};

const HOST: &str = "probe.example.com";
const BILLING: &str = "spiffe://example.org/billing";

/// A probe behind TLS, and the files that it has read.
struct Site {
    files: TempDir,
    source: ConfigSource,
    running: Running,
}

/// An open connection, and the certificate that the server has shown.
type Open = (SendRequest<Bytes>, CertificateDer<'static>);

impl Site {
    async fn open(server: &Certified, tls: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let text = format!(
            "callers = {{ mode = \"open\" }}\n[server]\nlisten = \"127.0.0.1:0\"\nreload_seconds = 0\n\
             preface_seconds = 0.5\n[server.tls]\ncertificate = {{ file = {:?} }}\nkey = {{ file = {:?} }}\n{tls}",
            files.path().join("crt"),
            files.path().join("key"),
        );
        let config = files.path().join("probe.toml");
        fs::write(&config, text).unwrap();
        put(files.path(), server);
        let source = ConfigSource::new(Some(config), []);
        let mut options = StartOptions::default();
        options.source = Some(source.clone());
        let running = chassis::start_with::<Probe>(source.read().unwrap(), options).await.unwrap();
        Self { files, source, running }
    }

    fn address(&self) -> SocketAddr {
        self.running.grpc_addr()
    }
}

fn put(directory: &Path, certified: &Certified) {
    fs::write(directory.join("crt"), &certified.certificate).unwrap();
    fs::write(directory.join("key"), &certified.key).unwrap();
}

fn client(authority: &Authority, identity: Option<&Certified>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.key()).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Connects; whether a client is refused shows only with its first call, because TLS 1.3 lets it speak before.
async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Open, String> {
    connect_behind(address, &[], config).await
}

/// Connects as a proxy does that sends these bytes before the handshake.
async fn connect_behind(address: SocketAddr, header: &[u8], config: Arc<ClientConfig>) -> Result<Open, String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(header).await.unwrap();
    let stream = TlsConnector::from(config).connect(HOST.try_into().unwrap(), stream).await;
    let stream = stream.map_err(|error| error.to_string())?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (sender, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok((sender, shown))
}

/// Calls the probe, which answers with a text.
async fn ask(sender: &mut SendRequest<Bytes>, text: &str) -> Result<String, String> {
    ask_with(sender, &[], text).await
}

async fn ask_with(sender: &mut SendRequest<Bytes>, headers: &[(&str, &str)], text: &str) -> Result<String, String> {
    let ready = sender.clone().ready().await.map_err(|error| error.to_string())?;
    *sender = ready;
    let response = call_with(sender, READ, headers, message(text)).await.await.map_err(|error| error.to_string())?;
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(part) = body.data().await {
        bytes.extend_from_slice(&part.map_err(|error| error.to_string())?);
    }
    Ok(String::decode(&bytes[5..]).unwrap())
}

async fn name_of(address: SocketAddr, config: Arc<ClientConfig>) -> Result<String, String> {
    ask(&mut connect(address, config).await?.0, "show peer").await
}

#[tokio::test]
async fn a_client_is_called_by_the_names_in_its_certificate() {
    let (own, clients) = (Authority::new(), Authority::new());
    let roots = tempfile::NamedTempFile::new().unwrap();
    fs::write(&roots, clients.pem()).unwrap();
    let auth = |kind: &str| format!("client_ca = {{ file = {:?} }}\nclient_auth = {kind:?}", roots.path());
    let required = Site::open(&own.certify(HOST), &auth("required")).await;
    let optional = Site::open(&own.certify(HOST), &auth("optional")).await;
    let right = [(clients.certify(BILLING), BILLING), (clients.certify("Crm.internal"), "dns:crm.internal")];
    for (certified, name) in right {
        for site in [&required, &optional] {
            assert_eq!(name_of(site.address(), client(&own, Some(&certified))).await.as_deref(), Ok(name));
        }
    }
    let every = clients.certify("*.internal");
    assert_eq!(name_of(required.address(), client(&own, Some(&every))).await.as_deref(), Ok(""));
    assert_eq!(name_of(optional.address(), client(&own, None)).await.as_deref(), Ok("nobody"));
    assert!(name_of(required.address(), client(&own, None)).await.is_err());
    for wrong in [own.certify(BILLING), clients.expired(BILLING)] {
        for site in [&required, &optional] {
            assert!(name_of(site.address(), client(&own, Some(&wrong))).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is_before_the_handshake_and_not_whose_certificate() {
    let (own, clients) = (Authority::new(), Authority::new());
    let roots = tempfile::NamedTempFile::new().unwrap();
    fs::write(&roots, clients.pem()).unwrap();
    let more = format!(
        "client_ca = {{ file = {:?} }}\n[server.proxy_protocol]\nfrom = [\"127.0.0.1\"]\n\
         [server.forwarded]\nfrom = [\"203.0.113.7\"]\n[admin]\nlisten = \"127.0.0.1:0\"",
        roots.path()
    );
    let site = Site::open(&own.certify(HOST), &more).await;
    let shown = clients.certify(BILLING);
    let header = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";
    let (mut sender, _) = connect_behind(site.address(), header, client(&own, Some(&shown))).await.unwrap();
    assert_eq!(ask(&mut sender, "show address").await.as_deref(), Ok("203.0.113.7"));
    let headers = [("x-forwarded-for", "198.51.100.1")];
    for (what, answer) in [("show address", "198.51.100.1"), ("show peer", BILLING)] {
        assert_eq!(ask_with(&mut sender, &headers, what).await.as_deref(), Ok(answer));
    }
    assert!(connect(site.address(), client(&own, Some(&shown))).await.is_err(), "there is no header");
    // In TLS 1.3 a client learns that it is refused when it asks.
    if let Ok((mut sender, _)) = connect_behind(site.address(), header, client(&own, None)).await {
        assert!(ask(&mut sender, "hello").await.is_err(), "there is no certificate");
    }
    let summary = site.running.process().refusals().summary();
    let reasons: Vec<_> = summary.connections.iter().map(|refused| (refused.reason, refused.count)).collect();
    assert_eq!(reasons, [("proxy_header_missing", 1), ("tls_handshake", 1)]);
    assert!(summary.addresses.iter().any(|refused| refused.address == "203.0.113.7"), "{summary:?}");
}

#[tokio::test]
async fn a_certificate_changes_without_a_lost_call_and_a_bad_one_is_not_taken() {
    let authority = Authority::new();
    let (first, second) = (authority.certify(HOST), authority.certify(HOST));
    let site = Site::open(&first, "").await;
    let trusting = client(&authority, None);
    let (mut old, shown) = connect(site.address(), trusting.clone()).await.unwrap();
    assert_eq!(shown, first.chain()[0]);
    let mut slow = old.clone();
    let (begun, ()) = tokio::join!(ask(&mut slow, "sleep 200"), async {
        // The key of another certificate, as between the writing of two files.
        fs::write(site.files.path().join("key"), &second.key).unwrap();
        let error = site.running.reload(site.source.read().unwrap()).unwrap_err();
        assert!(
            error.to_string().ends_with("probe.toml:8: server.tls.key: must be the key of server.tls.certificate"),
            "{error}"
        );
        assert_eq!(connect(site.address(), trusting.clone()).await.unwrap().1, first.chain()[0]);
        put(site.files.path(), &second);
        site.running.reload(site.source.read().unwrap()).unwrap();
    });
    assert!(begun.is_ok());
    assert_eq!(ask(&mut old, "hello").await.as_deref(), Ok("hello"));
    assert_eq!(connect(site.address(), trusting).await.unwrap().1, second.chain()[0]);
}

#[tokio::test]
async fn half_a_handshake_ends_when_the_preface_should_have_come() {
    let site = Site::open(&Authority::new().certify(HOST), "").await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(site.address()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut rest = Vec::new();
        let mut end = pin!(stream.read_to_end(&mut rest));
        if !begun.starts_with(b"P") {
            goes_on(&mut end, Duration::from_millis(450)).await;
        }
        // Reset or ended: either way it is over.
        let _ = comes(end).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_said_by_their_key() {
    let authority = Authority::new();
    let (right, other) = (authority.certify(HOST), authority.certify(HOST));
    let (key, certificate) = (right.key.as_str(), right.certificate.as_str());
    let cases = [
        ("", key, "", "server.tls.certificate: "),
        (key, key, "", "server.tls.certificate: must hold a certificate in PEM"),
        (certificate, certificate, "", "server.tls.key: must hold a private key in PEM"),
        (certificate, &other.key, "", "server.tls.key: must be the key of "),
        (
            certificate,
            key,
            "client_auth = \"optional\"",
            "server.tls.client_auth: must not be given without server.tls.client_ca",
        ),
        (certificate, key, "client_auth = \"maybe\"", "server.tls.client_auth: "),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (certificate, key, rest, problem) in cases {
        put(directory.path(), &Certified { certificate: certificate.to_owned(), key: key.to_owned() });
        let [crt, key] = ["crt", "key"].map(|name| directory.path().join(name));
        let text = format!(
            "callers = {{ mode = \"open\" }}\n[server]\nlisten = \"127.0.0.1:0\"\n[server.tls]\n\
             certificate = {{ file = {crt:?} }}\nkey = {{ file = {key:?} }}\n{rest}"
        );
        let error = chassis::start::<Probe>(text.parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("PRIVATE"), "{problem}: {error}");
    }
}
