//! Telemetry over TLS, by variables and by the file: who the collector must be, and what it is shown.

use std::{fs, path::Path, process::Command, time::Duration};

use ispbridge_kit::{
    Collector, Manners,
    pki::{Authority, Flaw, VERSIONS},
};
use tokio::time::{sleep, timeout};

use crate::{apart::Apart, caller, caller::ROOT, payload};

const SECRET: &str = "Bearer s3cret";
/// So that nobody waits for the next push.
const SOON: [(&str, &str); 2] = [("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_METRIC_EXPORT_INTERVAL", "100")];

/// The authority's certificate, a client's and its key, as files.
struct Files<'a> {
    folder: &'a Path,
}

impl<'a> Files<'a> {
    fn write(folder: &'a Path, authority: &Authority) -> Self {
        let (certificate, key) = authority.client();
        for (name, text) in [("ca.pem", authority.pem()), ("client.pem", certificate), ("client.key", key)] {
            fs::write(folder.join(name), text).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

fn endpoint(collector: &Collector) -> String {
    format!("https://localhost:{}", collector.address.port())
}

/// Makes a call, whatever becomes of it, so that there is a span.
async fn call(gateway: &Apart) {
    let sender = caller::connect(gateway.grpc).await;
    caller::call_on(sender, gateway.grpc, crate::GET, &[], payload()).await;
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), waited).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Waits until spans and metrics were taken, all of them with a header of this value.
async fn assert_taken(collector: &Collector, header: (&str, &str)) {
    let has = |is_trace: bool| collector.exports().iter().any(|export| export.is_trace == is_trace);
    until("spans and metrics are taken", || has(true) && has(false)).await;
    assert!(collector.exports().iter().all(|export| export.headers[header.0] == header.1));
}

#[tokio::test]
async fn variables_lead_to_a_collector_that_demands_a_certificate() {
    let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
    let files = Files::write(folder.path(), &authority);
    let collector = Collector::start_tls(Manners::Takes, authority.demanding(VERSIONS[1])).await;
    let [ca, certificate, key] = ["ca.pem", "client.pem", "client.key"].map(|name| files.path(name));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint(&collector)),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret,x-tenant=a"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_SERVICE_NAME", "gateway-eu"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=live,service.name=not-this"),
    ];
    let gateway = Apart::start_with(folder.path(), "", &[&variables[..], &SOON[..]].concat());
    call(&gateway).await;
    assert_taken(&collector, ("authorization", SECRET)).await;
    for export in collector.exports() {
        assert_eq!(export.headers.get_all("x-tenant").iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(export.headers["grpc-encoding"], "gzip");
        assert_eq!(export.resource["service.name"], "gateway-eu");
        assert_eq!(export.resource["deployment.environment.name"], "live");
        assert_eq!(export.resource["telemetry.sdk.language"], "rust");
    }
    assert!(!gateway.log().contains("s3cret"), "{}", gateway.log());
}

#[tokio::test]
async fn the_file_says_the_same_and_a_signal_may_have_a_collector_of_its_own() {
    let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
    let files = Files::write(folder.path(), &authority);
    let collector = Collector::start_tls(Manners::Takes, authority.demanding(VERSIONS[0])).await;
    let of_metrics = Collector::start(Manners::Takes).await;
    fs::write(folder.path().join("token"), SECRET).unwrap();
    let [ca, certificate, key, token] = ["ca.pem", "client.pem", "client.key", "token"].map(|name| files.path(name));
    let more = format!(
        "[telemetry]\nqueue_spans = 1000\nbatch_delay_seconds = 0.05\nmetrics_interval_seconds = 0.1\n\
         [telemetry.traces]\notlp_endpoint = \"{}\"\nca = {{ file = {ca:?} }}\n\
         certificate = {{ file = {certificate:?} }}\nkey = {{ file = {key:?} }}\n\
         headers = {{ authorization = {{ file = {token:?} }} }}\n\
         [telemetry.metrics]\notlp_endpoint = \"http://{}\"\n",
        endpoint(&collector),
        of_metrics.address
    );
    let gateway = Apart::start(folder.path(), &more);
    call(&gateway).await;
    until("spans are taken", || !collector.exports().is_empty()).await;
    until("metrics are taken", || !of_metrics.exports().is_empty()).await;
    assert!(collector.exports().iter().all(|export| export.is_trace && export.headers["authorization"] == SECRET));
    let plain = of_metrics.exports();
    assert!(plain.iter().all(|export| !export.is_trace && !export.headers.contains_key("authorization")), "{plain:?}");
}

#[tokio::test]
async fn without_an_authority_the_systems_are_believed() {
    let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
    let files = Files::write(folder.path(), &authority);
    let collector = Collector::start_tls(Manners::Takes, authority.server(Flaw::None)).await;
    let (endpoint, ca) = (endpoint(&collector), files.path("ca.pem"));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a"),
        // Where the system's certificates are.
        ("SSL_CERT_FILE", &ca),
    ];
    let gateway = Apart::start_with(folder.path(), "", &[&variables[..], &SOON[..]].concat());
    call(&gateway).await;
    assert_taken(&collector, ("x-tenant", "a")).await;
}

#[tokio::test]
async fn a_collector_that_is_another_gets_nothing_and_the_log_says_so_once() {
    for flaw in [Flaw::None, Flaw::Expired, Flaw::OtherHost] {
        let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
        let other = Authority::default();
        // With nothing wrong about it, it is one of an authority that nobody believes.
        let files = Files::write(folder.path(), if flaw == Flaw::None { &other } else { &authority });
        let collector = Collector::start_tls(Manners::Takes, authority.server(flaw)).await;
        let (endpoint, ca) = (endpoint(&collector), files.path("ca.pem"));
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret"),
            ("OTEL_METRICS_EXPORTER", "none"),
            SOON[0],
        ];
        let gateway = Apart::start_with(folder.path(), "", &variables);
        const LOST: &str = "the collector did not take what was sent";
        for _ in 0..3 {
            let before = collector.connections();
            call(&gateway).await;
            until("it tries", || collector.connections() > before).await;
        }
        let line = gateway.says(LOST, 0).await;
        assert_eq!((&line["level"], &line["what"]), (&"WARN".into(), &"spans".into()), "{line}");
        assert_eq!(gateway.said(LOST).len(), 1);
        assert!(!gateway.log().contains("s3cret"), "{}", gateway.log());
        assert_eq!((collector.calls(), collector.exports().len()), (0, 0), "{flaw:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_the_start_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path(), &Authority::default());
    fs::write(folder.path().join("other.key"), Authority::default().client().1).unwrap();
    fs::write(folder.path().join("junk"), "s3cret").unwrap();
    let [ca, client, key, other, junk] =
        ["ca.pem", "client.pem", "client.key", "other.key", "junk"].map(|name| files.path(name));
    let https = "https://localhost:4317";
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[("ENDPOINT", "ftp://localhost")], "telemetry.otlp_endpoint: must be https://"),
        (&[("ENDPOINT", "https://u:s3cret@localhost")], "telemetry.otlp_endpoint: must be https://"),
        (&[("TRACES_ENDPOINT", "not an address")], "telemetry.traces.otlp_endpoint: must be https://"),
        (
            &[("ENDPOINT", "http://localhost:1"), ("CERTIFICATE", &ca)],
            "telemetry.ca: must not be given unless otlp_endpoint begins with https://",
        ),
        (&[("ENDPOINT", https), ("CERTIFICATE", &junk)], "telemetry.ca: must hold a certificate"),
        (&[("ENDPOINT", https), ("METRICS_CERTIFICATE", "/none.pem")], "/none.pem"),
        (
            &[("ENDPOINT", https), ("CLIENT_CERTIFICATE", &client)],
            "telemetry.certificate: must not be given without its private key",
        ),
        (&[("ENDPOINT", https), ("CLIENT_KEY", &key)], "telemetry.key: must not be given without its certificate"),
        (
            &[("ENDPOINT", https), ("CLIENT_CERTIFICATE", &client), ("CLIENT_KEY", &other)],
            "telemetry.key: must be the key of the certificate",
        ),
        (&[("ENDPOINT", https), ("HEADERS", "s3cret")], "telemetry.headers: must be name=value,name=value: entry 1"),
        (&[("PROTOCOL", "http/protobuf")], "OTEL_EXPORTER_OTLP_PROTOCOL: must be \"grpc\""),
    ];
    for (variables, told) in cases {
        let gateway = folder.path().join("gateway.toml");
        fs::write(&gateway, "signing = { id = \"k1\", secret = { env = \"ISPBRIDGE_GATEWAY_ROOT\" } }\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"));
        command.arg("--config").arg(&gateway).arg("--check-config").env("ISPBRIDGE_GATEWAY_ROOT", ROOT);
        let variables = variables.iter().map(|(name, text)| (format!("OTEL_EXPORTER_OTLP_{name}"), text));
        let ran = command.envs(variables).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(64), "{said}");
        assert!(said.contains(told) && !said.contains("s3cret"), "{told}: {said}");
    }
}
