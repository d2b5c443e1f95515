//! TLS between gateway and services: who is believed, and new certificates while calls go on.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use chassis::Running;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tonic::Code;

use crate::{
    KEY,
    backend::GET,
    caller::{Suite, config},
    load::Load,
    payload,
    shop::{self, Shop},
};

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate for a name, its key and the authority's own certificate.
    fn issue(&self, folder: &Path, who: &str, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join(format!("{who}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{who}.key")), key.serialize_pem()).unwrap();
        std::fs::write(folder.join(format!("{who}.ca")), self.0.pem()).unwrap();
    }
}

/// What one side presents and whom it believes, as a TOML table's inside.
fn files(folder: &Path, who: &str, ca: &str) -> String {
    let file = |name: String| format!("{{ file = {:?} }}", folder.join(name));
    let [certificate, key, ca] = [format!("{who}.pem"), format!("{who}.key"), format!("{ca}.ca")].map(file);
    format!("certificate = {certificate}, key = {key}, CA = {ca}")
}

async fn service(folder: &Path) -> Running {
    let tls = files(folder, "service", "gateway").replace("CA", "client_ca");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let text =
        shop::config(address, &folder.join("ledger"), "").replace("announce", &format!("tls = {{ {tls} }}, announce"));
    chassis::start::<Shop>(text.parse().unwrap()).await.unwrap()
}

fn wanted(folder: &Path, address: SocketAddr) -> (String, String) {
    let route =
        format!("[{{ provider = \"fake-isp\", instances = [\"https://{address}\"], server_name = \"aex.internal\" }}]");
    let tls = files(folder, "gateway", "service").replace("CA", "ca");
    (route, format!("services.tls = {{ {tls} }}"))
}

async fn gateway(folder: &Path, address: SocketAddr) -> Suite {
    let (route, tls) = wanted(folder, address);
    Suite::serving(config(&route, &tls)).await
}

#[tokio::test]
async fn only_the_right_authority_name_and_time_are_believed() {
    let (services, callers, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for (case, works) in [("right", true), ("name", false), ("authority", false), ("expired", false), ("caller", false)]
    {
        services.issue(folder, "service", if case == "name" { "azotel.internal" } else { "aex.internal" }, |params| {
            if case == "expired" {
                params.not_after = date_time_ymd(2020, 1, 1);
            }
        });
        callers.issue(folder, "gateway", "gateway.internal", |_| {});
        let service = service(folder).await;
        match case {
            "authority" => std::fs::write(folder.join("service.ca"), stranger.0.pem()).unwrap(),
            "caller" => stranger.issue(folder, "gateway", "gateway.internal", |_| {}),
            _ => {}
        }
        let suite = gateway(folder, service.grpc_addr()).await;
        let answer = suite.call(GET, &[KEY, ("grpc-timeout", "5S")], payload()).await;
        match works {
            true => assert_eq!(answer.code(), Code::Ok, "{case}"),
            false => assert_eq!(answer.info().0, "SERVICE_UNREACHABLE", "{case}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_under_load_without_a_lost_call() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let issue = |authority: &Authority| {
        authority.issue(folder, "service", "aex.internal", |_| {});
        authority.issue(folder, "gateway", "gateway.internal", |_| {});
    };
    issue(&Authority::new());
    let service = service(folder).await;
    let suite = gateway(folder, service.grpc_addr()).await;
    suite.until_learnt().await;
    let load = Load::begin(&suite, 50);
    for _ in 0..3 {
        load.more(15).await;
        // Another authority altogether: what connects with the old certificates from now on fails.
        issue(&Authority::new());
        let tls = files(folder, "service", "gateway").replace("CA", "client_ca");
        let text = shop::config(service.grpc_addr(), &folder.join("ledger"), "");
        let text = text.replace("announce", &format!("tls = {{ {tls} }}, announce"));
        service.reload(text.parse::<toml::Table>().unwrap()).unwrap();
        let (route, tls) = wanted(folder, service.grpc_addr());
        suite.reroute(&route, &tls).unwrap();
    }
    load.more(25).await;
    let tally = load.end().await;
    assert_eq!(tally.failed_reads(), Vec::<&crate::load::End>::new());
    assert_eq!(tally.check_writes(&folder.join("ledger")), 0);
    assert!(tally.reads.len() > 30, "{}", tally.reads.len());
}
