//! The probe in an operating system process of its own: with limits of its own, and memory that is only its own.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};
use tonic::Request;

use crate::probe::{READ, connected, send, started};

/// This test program once more, as a server.
pub(crate) struct Apart {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Apart {
    /// Starts it with a configuration of one line and so many file descriptors.
    pub(crate) fn start(config: &str, descriptors: u32) -> Self {
        let run = format!("ulimit -n {descriptors}; exec \"$0\" --exact apart::a_server_apart --ignored --nocapture");
        let mut child = Command::new("sh")
            .args(["-c", &run])
            .arg(std::env::current_exe().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{config}").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = |line: String| {
            let (grpc, admin) = line.split_once("serving on ")?.1.split_once(' ')?;
            Some((grpc.parse().ok()?, admin.parse().ok()?))
        };
        let (grpc, admin) = lines.map_while(Result::ok).find_map(told).unwrap();
        Self { child, grpc, admin }
    }

    /// Processor time so far, in hundredths of a second (the unit of /proc on Linux).
    fn worked(&self) -> u64 {
        let stat = self.told("stat");
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The most memory that it ever had resident, in MiB.
    pub(crate) fn peak(&self) -> usize {
        let status = self.told("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
    }

    fn told(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // Closing its standard input ends it as well; it must not outlive a failed test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a helper: other tests run it as a process of its own"]
async fn a_server_apart() {
    let config = line().await;
    let running = started(&format!("{config}\n[admin]\nlisten = \"127.0.0.1:0\"")).await;
    println!("serving on {} {}", running.grpc_addr(), running.admin_addr().unwrap());
    line().await;
}

/// The next line of the standard input; empty at its end.
async fn line() -> String {
    let read = || io::stdin().lines().next().transpose().unwrap().unwrap_or_default();
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test]
async fn without_descriptors_the_server_rests_and_recovers() {
    let starved = Apart::start("server = { preface_seconds = 3 }", 64);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(starved.grpc).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = starved.worked();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let worked = starved.worked() - before;
    assert!(worked < 20, "{worked} % of a core");
    drop(crowd);
    let recovered =
        async { while send(connected(starved.grpc).await, READ, Request::new("hello".to_owned())).await.is_err() {} };
    timeout(Duration::from_secs(10), recovered).await.unwrap();
}
