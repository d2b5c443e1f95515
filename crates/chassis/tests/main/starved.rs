//! A server that may open a few files only.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};
use tonic::Request;

use crate::probe::{READ, connected, send, started};

/// This test program once more, under a limit.
struct Starved {
    child: Child,
    address: SocketAddr,
}

impl Starved {
    fn start() -> Self {
        let run = "ulimit -n 64; exec \"$0\" --exact starved::a_server_with_few_descriptors --ignored --nocapture";
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", run])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = |line: String| line.split_once("serving on ")?.1.parse().ok();
        let address = lines.map_while(Result::ok).find_map(told).unwrap();
        Self { child, address }
    }

    /// Processor time so far, in hundredths of a second (the unit of /proc on Linux).
    fn worked(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        // Closing its standard input ends it as well; it must not outlive a failed test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "a helper: run by the test below under a limit"]
async fn a_server_with_few_descriptors() {
    let running = started("[server]\npreface_seconds = 3").await;
    println!("serving on {}", running.grpc_addr());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_descriptors_the_server_rests_and_recovers() {
    let starved = Starved::start();
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(starved.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = starved.worked();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let worked = starved.worked() - before;
    assert!(worked < 20, "{worked} % of a core");
    drop(crowd);
    let recovered = async {
        while send(connected(starved.address).await, READ, Request::new("hello".to_owned())).await.is_err() {}
    };
    timeout(Duration::from_secs(10), recovered).await.unwrap();
}
