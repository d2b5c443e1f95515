//! Clients in other languages, with their own stacks, through the gateway.

use std::{collections::HashSet, path::Path, process::Command};

use ispbridge_kit::Act;
use ispbridge_parts::{CURL, PYTHON_GRPC, PYTHON_OPENAPI, PYTHON_PROMETHEUS};
use serde_json::{Value, json};

use crate::{
    caller::Call,
    harness::Harness,
    script::{node, path, run},
    tree::read,
    wires::{Site, Verb, Wire},
};

#[tokio::test]
async fn python_calls_aex() {
    let Some(mut script) = PYTHON_GRPC.command() else { return };
    let harness = Harness::open().await;
    script.arg(path("python/aex.py")).args(arguments(&harness));
    let held = run(script).await;
    assert!(held.lines().count() >= 15, "{held}");
    for write in ["POST /customers", "POST /services/full"] {
        assert_eq!(harness.sandbox.executed("aex", write), 1, "{write}");
    }
    harness.close().await;
}

#[tokio::test]
async fn python_compresses_at_the_gateway_and_at_a_service() {
    compresses(|| PYTHON_GRPC.command(), "python/compressed.py").await;
}

#[tokio::test]
async fn javascript_compresses_at_the_gateway_and_at_a_service() {
    compresses(node, "node/compressed.mjs").await;
}

/// Runs a client that compresses its requests, once through the gateway and once against a service.
async fn compresses(interpreter: impl Fn() -> Option<Command>, file: &str) {
    let (Some(mut through), Some(mut direct)) = (interpreter(), interpreter()) else { return };
    let harness = Harness::open().await;
    through.arg(path(file)).args([&harness.gateway.grpc_addr().to_string(), &harness.secrets.key]);
    let reply = Act::Answer(Wire::AEX.reply(Verb::Read).bytes());
    let upstream = Wire::AEX.upstream(vec![reply]).await;
    let site = Site::at(Wire::AEX, &upstream).await;
    direct.arg(path(file)).args([&site.address.to_string(), ""]);
    for script in [through, direct] {
        let held = run(script).await;
        assert_eq!(held.lines().count(), 5, "{held}");
    }
    harness.close().await;
}

#[tokio::test]
async fn the_official_clients_in_javascript_call_aex() {
    let Some(mut script) = node() else { return };
    let harness = Harness::open().await;
    script.arg(path("node/doors.mjs")).args(arguments(&harness));
    let held = run(script).await;
    let transports = held.lines().filter_map(|line| line.rsplit_once(": ")).map(|(name, _)| name);
    let count = transports.collect::<HashSet<_>>().len();
    assert_eq!((count, held.lines().count()), (10, 30), "{held}");
    assert_eq!(harness.sandbox.executed("aex", "POST /customers"), 10);
    harness.close().await;
}

#[tokio::test]
async fn an_independent_validator_accepts_the_openapi_document() {
    let Some(mut script) = PYTHON_OPENAPI.command() else { return };
    let harness = Harness::open().await;
    script.arg(path("python/openapi.py")).arg(harness.gateway.grpc_addr().to_string()).arg(&harness.secrets.key);
    let found = run(script).await;
    assert!(found.starts_with("valid: "), "{found}");
    harness.close().await;
}

#[tokio::test]
async fn a_strict_parser_accepts_the_metrics_and_finds_the_traces() {
    let Some(mut script) = PYTHON_PROMETHEUS.command() else { return };
    let harness = Harness::open().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ping = || Call::new("azotel.SystemService/PingApi", json!({}));
    for flags in ["01", "00"] {
        harness.send(ping().with("traceparent", format!("00-{trace}-00f067aa0ba902b7-{flags}"))).await.unwrap();
    }
    let service = harness.services.iter().find(|(name, _)| *name == "azotel").unwrap();
    let admins = [&harness.gateway, &service.1].map(|process| process.admin_addr().unwrap().to_string());
    script.arg(path("python/openmetrics.py")).arg(trace).args(admins);
    let found = run(script).await;
    assert!(found.lines().count() == 2 && found.lines().all(|line| line.starts_with("valid: ")), "{found}");
    harness.close().await;
}

#[tokio::test]
async fn the_curl_of_the_readme_works() {
    if !CURL.is_here() {
        return;
    }
    let readme = read(Path::new("README.md"));
    let mut lines = readme.lines().skip_while(|line| !line.starts_with("curl "));
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    let harness = Harness::open().await;
    let command = format!("{} {second}", first.trim_end_matches('\\'))
        .replace("127.0.0.1:50051", &harness.gateway.grpc_addr().to_string())
        .replace("ispb_demo_everything", &harness.secrets.key);
    let mut shell = Command::new("sh");
    // The test's account is one of two.
    shell.args(["-c", &format!("{command} -sS -H 'x-ispbridge-account: main'")]);
    let answer: Value = serde_json::from_str(&run(shell).await).unwrap();
    assert_eq!(answer["customer"]["parentId"], "AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF");
    harness.close().await;
}

#[tokio::test]
async fn curl_takes_what_is_packed() {
    if !CURL.is_here() {
        return;
    }
    let harness = Harness::open().await;
    let mut curl = Command::new("curl");
    let write = "%{stderr}%header{content-encoding} %{size_download}";
    curl.args(["-sS", "--compressed", "-w", write, "-H", &format!("x-api-key: {}", harness.secrets.key)]);
    curl.arg(format!("http://{}/openapi.json", harness.gateway.grpc_addr()));
    let output = tokio::task::spawn_blocking(move || curl.output().unwrap()).await.unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["paths"].as_object().unwrap().len() > 100);
    let told = String::from_utf8(output.stderr).unwrap();
    let (encoding, size) = told.split_once(' ').unwrap();
    assert!(encoding == "gzip" && size.parse::<usize>().unwrap() < output.stdout.len() / 4, "{told}");
    harness.close().await;
}

fn arguments(harness: &Harness) -> [String; 3] {
    let secrets = &harness.secrets;
    [harness.gateway.grpc_addr().to_string(), secrets.key.clone(), secrets.stranger.clone()]
}
