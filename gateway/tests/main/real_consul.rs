//! The gateway and three instances of a service around a real agent of Consul, which is restarted, while calls go on.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};

use crate::{
    caller::{Suite, config},
    load::Load,
    shop::{self, Apart},
};

/// Variable that names the program; else it is looked for in PATH.
const PROGRAM: &str = "ISPBRIDGE_CONSUL";

/// An agent for tests, which keeps nothing when it ends.
struct Agent(Child);

impl Agent {
    fn start(program: &PathBuf, ports: &[u16; 4]) -> Self {
        let [http, server, lan, wan] = ports;
        let child = Command::new(program)
            .args(["agent", "-dev", "-bind", "127.0.0.1", "-log-level", "err", "-dns-port", "-1"])
            .args(["-hcl", "ports { grpc = -1 }"])
            .args(["-http-port".to_owned(), http.to_string(), "-server-port".to_owned(), server.to_string()])
            .args(["-serf-lan-port".to_owned(), lan.to_string(), "-serf-wan-port".to_owned(), wan.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
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

#[allow(clippy::disallowed_methods, reason = "a test is told where a program is")]
fn program() -> Option<PathBuf> {
    if let Ok(named) = std::env::var(PROGRAM) {
        return Some(named.into());
    }
    let path = std::env::var("PATH").ok()?;
    std::env::split_paths(&path).map(|folder| folder.join("consul")).find(|file| file.is_file())
}

/// Ports that are free now.
fn ports() -> [u16; 4] {
    let sockets = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// How many instances pass their checks, as the agent says it.
async fn passing(agent: SocketAddr) -> Option<usize> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(agent).await.ok()?;
    let request = b"GET /v1/health/service/ispbridge-fake-isp?passing HTTP/1.0\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    // Each instance has one.
    text.contains("200 OK").then(|| text.matches("\"Weights\"").count())
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
    let Some(program) = program() else {
        return eprintln!("skipped: {PROGRAM} names no consul, and PATH has none");
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger");
    let ports = ports();
    let agent = SocketAddr::from(([127, 0, 0, 1], ports[0]));
    let running = Agent::start(&program, &ports);
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
    let _running = Agent::start(&program, &ports);
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
