//! The gateway and three instances of a service around a real agent of Consul, which is restarted, while calls go on.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use ispbridge_parts::CONSUL;
use tokio::{net::TcpStream, time::sleep};

use crate::{
    apart as gateway,
    caller::{Suite, config},
    load::Load,
    pki::Authority,
    shop::{self, Apart},
};

/// An agent for tests, which keeps nothing when it ends.
struct Agent(Child);

impl Agent {
    fn start(ports: &[u16; 4]) -> Self {
        Self::believing(ports, None)
    }

    /// Starts one that believes these certificates instead of the system's.
    fn believing(ports: &[u16; 4], roots: Option<&Path>) -> Self {
        let [http, server, lan, wan] = ports;
        let child = Command::new(CONSUL.program())
            .args(["agent", "-dev", "-bind", "127.0.0.1", "-log-level", "err", "-dns-port", "-1"])
            .args(["-hcl", "ports { grpc = -1 }"])
            .args(["-http-port".to_owned(), http.to_string(), "-server-port".to_owned(), server.to_string()])
            .args(["-serf-lan-port".to_owned(), lan.to_string(), "-serf-wan-port".to_owned(), wan.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .envs(roots.map(|roots| ("SSL_CERT_FILE", roots)))
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that are free now.
fn ports() -> [u16; 4] {
    let sockets = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// How many instances pass their checks, as the agent says it.
async fn passing(agent: SocketAddr) -> Option<usize> {
    let text = asked(agent, "/v1/health/service/ispbridge-fake-isp?passing").await?;
    // Each instance has one.
    Some(text.matches("\"Weights\"").count())
}

/// What the agent answers, if it is there.
async fn asked(agent: SocketAddr, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(agent).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    text.contains("200 OK").then_some(text)
}

async fn until_passing(agent: SocketAddr, count: usize) {
    let come = async {
        while passing(agent).await != Some(count) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), come).await.expect("so many instances pass their checks");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_restart_and_drain_under_load_fail_no_read_and_duplicate_no_write() {
    if !CONSUL.is_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger");
    let ports = ports();
    let agent = SocketAddr::from(([127, 0, 0, 1], ports[0]));
    let running = Agent::start(&ports);
    let section = format!("consul = {{ address = \"{agent}\", check_seconds = 1, ttl_seconds = 3 }}");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let start = || Apart::start(&shop::config(any, &ledger, &section));
    let [first, second, _third] = [start(), start(), start()];
    until_passing(agent, 3).await;
    let route = "[{ provider = \"fake-isp\", consul = true }]";
    let suite =
        Suite::serving(config(route, &section.replace("check_seconds", "register = false, check_seconds"))).await;
    suite.until_learnt().await;

    let load = Load::begin(&suite, 500);
    sleep(Duration::from_secs(1)).await;
    first.kill();
    until_passing(agent, 2).await;
    drop(running);
    sleep(Duration::from_millis(500)).await;
    let _running = Agent::start(&ports);
    until_passing(agent, 2).await;
    second.stop().await;
    until_passing(agent, 1).await;
    sleep(Duration::from_millis(500)).await;
    let tally = load.end().await;

    assert_eq!(tally.failed_reads(), Vec::<&crate::load::End>::new());
    // Of those that were on the killed instance nobody can tell.
    let unknown = tally.check_writes(&ledger);
    assert!(unknown <= 20, "{unknown} of {} writes of unknown outcome", tally.writes.len());
    // A busy machine makes fewer calls than it should.
    assert!(tally.reads.len() > 500, "{}", tally.reads.len());
}

/// The state of the gateway's own checks by the end of their ids, and what the agent says to them.
async fn own_checks(agent: SocketAddr) -> Option<Vec<(String, String, String)>> {
    let text = asked(agent, "/v1/agent/checks").await?;
    let checks: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let check = |check: &serde_json::Value| {
        let id = text(&check["CheckID"]);
        let kind = id.rsplit_once(':').map_or("", |(_, kind)| kind).to_owned();
        (kind, text(&check["Status"]), text(&check["Output"]))
    };
    Some(checks.as_object()?.values().map(check).collect())
}

/// Waits until the agent has these states of the process's own checks.
async fn until_checked(agent: SocketAddr, expected: &[(&str, &str)]) {
    loop {
        let mut own = own_checks(agent).await.unwrap_or_default();
        own.sort();
        let states: Vec<_> = own.iter().map(|(kind, state, _)| (kind.as_str(), state.as_str())).collect();
        // At first a check passes because it was registered so, and says nothing.
        if states == expected && own.iter().all(|(kind, _, output)| kind != "grpc" || !output.is_empty()) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

const FAILS: &str = "a check of this process fails in Consul";

#[tokio::test(flavor = "multi_thread")]
async fn checks_over_tls_pass_by_default_and_tell_when_the_agent_does_not_believe() {
    if !CONSUL.is_here() {
        return;
    }
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let certified = authority.certify("127.0.0.1");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let roots = file("ca.pem", &authority.pem());
    let (certificate, key) = (file("tls.pem", &certified.certificate), file("tls.key", &certified.key));
    let tls = format!("server.tls = {{ certificate = {{ file = {certificate:?} }}, key = {{ file = {key:?} }} }}\n");
    for (checks, believes, expected) in [
        ("", false, vec![("ttl", "passing")]),
        ("checks = [\"grpc\", \"ttl\"],", true, vec![("grpc", "passing"), ("ttl", "passing")]),
        ("checks = [\"grpc\", \"ttl\"],", false, vec![("grpc", "critical"), ("ttl", "passing")]),
    ] {
        let ports = ports();
        let address = SocketAddr::from(([127, 0, 0, 1], ports[0]));
        let _agent = Agent::believing(&ports, believes.then_some(roots.as_path()));
        let more =
            format!("{tls}consul = {{ address = \"{address}\", {checks} check_seconds = 1, ttl_seconds = 3 }}\n");
        let gateway = gateway::Apart::start(folder.path(), &more);
        tokio::time::timeout(Duration::from_secs(60), until_checked(address, &expected))
            .await
            .unwrap_or_else(|_| panic!("{checks} {believes}: {:?}", gateway.log()));
        match expected[0].1 {
            "critical" => {
                let line = gateway.says(FAILS, 0).await;
                assert!(line["check"].as_str().unwrap().ends_with(":grpc"), "{line}");
                assert!(line["output"].as_str().unwrap().contains("certificate"), "{line}");
                sleep(Duration::from_secs(3)).await;
                assert_eq!(gateway.said(FAILS).len(), 1);
            }
            _ => {
                // Longer than the process may say nothing.
                sleep(Duration::from_secs(4)).await;
                assert!(own_checks(address).await.unwrap().iter().all(|(_, state, _)| state == "passing"));
                assert!(gateway.said(FAILS).is_empty());
            }
        }
    }
}
