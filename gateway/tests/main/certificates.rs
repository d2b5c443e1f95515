//! Callers that are known by the certificate of their connection.

use std::{fs, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;

use crate::{
    backend::{ADD, Backend},
    caller::{ALL, NOBODY, call_on, config_with},
    payload,
    pki::{Authority, Certified},
};

const HOST: &str = "gateway.example.com";
const BILLING: &str = "spiffe://example.org/billing";

/// A gateway behind TLS that may ask for certificates.
struct Site {
    running: chassis::Running,
    backend: Backend,
    own: Authority,
    clients: Authority,
    files: TempDir,
}

impl Site {
    async fn open() -> Self {
        let (own, clients, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        let backend = Backend::start().await;
        put(&files, &own.certify(HOST));
        fs::write(files.path().join("ca"), clients.pem()).unwrap();
        let running = chassis::start::<ispbridge_gateway::Gateway>(config(&backend, &files)).await.unwrap();
        Self { running, backend, own, clients, files }
    }

    async fn connect(&self, identity: Option<&Certified>) -> Option<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.running.grpc_addr()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connector = TlsConnector::from(self.client(identity));
        let stream = connector.connect(HOST.try_into().unwrap(), stream).await.ok()?;
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.timer(TokioTimer::new()).handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(sender)
    }

    fn client(&self, identity: Option<&Certified>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.der()).unwrap();
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

    async fn ask(&self, identity: Option<&Certified>, headers: &[(&str, &str)]) -> Code {
        let sender = self.connect(identity).await.unwrap();
        call_on(sender, self.running.grpc_addr(), ADD, headers, payload()).await.code()
    }
}

fn config(backend: &Backend, files: &TempDir) -> toml::Table {
    let more = format!(
        "principals = [{{ name = \"billing\", certificates = [{BILLING:?}, \"dns:billing.internal\"] }}]\n\
         grants = [{{ principals = [\"billing\"], methods = [\"*\"], accounts = [\"fake-isp/main\"] }}]\n\
         server = {{ listen = \"127.0.0.1:0\", tls = {{ certificate = {{ file = {:?} }}, key = {{ file = {:?} }}, \
         client_ca = {{ file = {:?} }}, client_auth = \"optional\" }} }}",
        files.path().join("crt"),
        files.path().join("key"),
        files.path().join("ca"),
    );
    config_with(backend.address, &more)
}

fn put(files: &TempDir, certified: &Certified) {
    fs::write(files.path().join("crt"), &certified.certificate).unwrap();
    fs::write(files.path().join("key"), &certified.key).unwrap();
}

#[tokio::test]
async fn a_certificate_names_its_principal_and_a_key_beside_it_wins() {
    let site = Site::open().await;
    let named = [site.clients.certify(BILLING), site.clients.certify("billing.internal")];
    for certified in &named {
        assert_eq!(site.ask(Some(certified), &[]).await, Code::Ok);
        assert_eq!(site.ask(Some(certified), &[("x-api-key", NOBODY)]).await, Code::PermissionDenied);
        assert_eq!(site.ask(Some(certified), &[("x-api-key", "ispb_wrong")]).await, Code::Unauthenticated);
    }
    let stranger = site.clients.certify("spiffe://example.org/other");
    assert_eq!(site.ask(Some(&stranger), &[]).await, Code::Unauthenticated);
    assert_eq!(site.ask(Some(&stranger), &[("x-api-key", ALL)]).await, Code::Ok);
    assert_eq!(site.ask(None, &[]).await, Code::Unauthenticated);
    assert_eq!(site.ask(None, &[("x-api-key", ALL)]).await, Code::Ok);
    for wrong in [site.own.certify(BILLING), site.clients.expired(BILLING)] {
        // TLS 1.3 lets a client speak before it is refused.
        if let Some(mut sender) = site.connect(Some(&wrong)).await {
            let request = http::Request::post("http://gateway/").body(Full::default()).unwrap();
            assert!(sender.send_request(request).await.is_err());
        }
    }
    assert_eq!(site.backend.arrivals().len(), 4);
}

#[tokio::test]
async fn certificates_change_during_traffic_without_a_lost_call() {
    let site = Site::open().await;
    let billing = site.clients.certify(BILLING);
    let kept = site.connect(Some(&billing)).await.unwrap();
    let traffic = async {
        for _ in 0..200 {
            let answer = call_on(kept.clone(), site.running.grpc_addr(), ADD, &[], payload()).await;
            assert_eq!(answer.code(), Code::Ok);
        }
    };
    let rotation = async {
        for _ in 0..5 {
            put(&site.files, &site.own.certify(HOST));
            site.running.reload(config(&site.backend, &site.files)).unwrap();
            assert_eq!(site.ask(Some(&billing), &[]).await, Code::Ok);
        }
    };
    tokio::join!(traffic, rotation);
    assert_eq!(site.backend.arrivals().len(), 205);
}
