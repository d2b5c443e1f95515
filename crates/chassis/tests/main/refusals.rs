//! Connections that are not served: their peers can tell why, and so can who looks after the process.

use std::{net::SocketAddr, time::Duration};

use ispbridge_kit::{
    http1::{exchange, get},
    http2::{GOAWAY, Raw},
};
use tokio::{net::TcpStream, time::timeout};
use tonic::{Code, Request};

use crate::{
    apart::Apart,
    door,
    probe::{READ, ask, connected, send, started, until_metric},
};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

fn refused(reason: &str) -> String {
    format!("ispbridge_connections_refused_total{{ispbridge_reason=\"{reason}\"")
}

/// What a client of HTTP/2 is told that is refused.
async fn goodbye(address: SocketAddr) -> (u32, String) {
    let mut raw = Raw::connect(address, &[]).await;
    let mut told = None;
    while let Some((kind, _, _, payload)) = raw.next().await {
        if kind == GOAWAY {
            assert_eq!(payload[..4], [0; 4], "no stream was begun");
            let code = u32::from_be_bytes(payload[4..8].try_into().unwrap());
            told = Some((code, String::from_utf8(payload[8..].to_vec()).unwrap()));
        }
    }
    told.expect("a GOAWAY")
}

#[tokio::test]
async fn who_comes_beyond_the_limit_is_told_so() {
    for (config, reason) in [
        ("max_connections = 2\nmax_connections_per_ip = 0", "too_many"),
        ("max_connections_per_ip = 2", "too_many_of_one_address"),
    ] {
        let running = door::started(config).await;
        let address = running.grpc_addr();
        let kept = [connected(address).await, connected(address).await];
        for channel in &kept {
            send(channel.clone(), READ, Request::new("hello".to_owned())).await.unwrap();
        }
        assert_eq!(goodbye(address).await, (7, "too many connections".to_owned()));
        let status = ask(address, READ, "hello").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let answer = exchange(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\ntoo many connections\n"), "{answer}");
        // Who says nothing is closed all the same.
        assert_eq!(exchange(address, "").await, "");
        until_metric(running.admin_addr().unwrap(), &refused(reason), " 4").await;
        let summary = running.process().refusals().summary();
        let [counted] = summary.connections.as_slice() else { panic!("{summary:?}") };
        assert_eq!((counted.reason, counted.count), (reason, 4));
        assert_eq!((summary.addresses[0].address.as_str(), summary.addresses[0].count), ("127.0.0.1", 4));
        for channel in kept {
            send(channel, READ, Request::new("hello".to_owned())).await.unwrap();
        }
    }
}

#[tokio::test]
async fn one_address_may_have_half_of_all_connections_and_a_proxy_all_of_them() {
    for (more, most) in [
        ("", 3),
        ("max_connections_per_ip = 0", 6),
        ("max_connections_per_ip_exempt = [\"127.0.0.0/8\"]", 6),
        ("forwarded.from = [\"127.0.0.1\"]", 6),
    ] {
        let running = started(&format!("{ADMIN}[server]\nmax_connections = 6\n{more}")).await;
        let mut kept = Vec::new();
        for _ in 0..most {
            let channel = connected(running.grpc_addr()).await;
            send(channel.clone(), READ, Request::new("hello".to_owned())).await.unwrap();
            kept.push(channel);
        }
        goodbye(running.grpc_addr()).await;
        drop(kept);
    }
}

#[tokio::test]
async fn the_admin_port_answers_when_descriptors_run_out() {
    let starved = Apart::start("server = { preface_seconds = 60, max_connections_per_ip = 0 }", 64);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(starved.grpc).await.unwrap());
    }
    until_metric(starved.admin, &refused("descriptors"), "").await;
    // Scrapers and probes keep their connections.
    let mut scrapers = Vec::new();
    for _ in 0..6 {
        scrapers.push(TcpStream::connect(starved.admin).await.unwrap());
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = timeout(Duration::from_secs(5), get(starved.admin, path)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(crowd);
    let recovered = async { while ask(starved.grpc, READ, "hello").await.is_err() {} };
    timeout(Duration::from_secs(10), recovered).await.unwrap();
    drop(scrapers);
}

#[tokio::test]
async fn who_does_not_begin_in_time_is_counted() {
    let running = door::started("preface_seconds = 0.2").await;
    assert_eq!(exchange(running.grpc_addr(), "").await, "");
    until_metric(running.admin_addr().unwrap(), &refused("preface"), " 1").await;
}
