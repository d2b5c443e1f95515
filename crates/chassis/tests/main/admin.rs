//! What the people who look after a process may see and do.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
};
use tonic::Request;

use crate::probe::{READ, WRITE, connected, http1, send, started};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

/// Begins to look; the head of the answer is read.
async fn tap(admin: SocketAddr, query: &str, headers: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /tap{query} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.1 200 OK");
    while !lines.next_line().await.unwrap().unwrap().is_empty() {}
    lines
}

/// The next line that is the JSON of a call.
async fn next(lines: &mut Lines<BufReader<TcpStream>>) -> Value {
    let found = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            let line = line.strip_prefix("data: ").unwrap_or(&line);
            if line.starts_with('{') {
                return serde_json::from_str(line).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap()
}

#[tokio::test]
async fn who_taps_sees_the_calls_that_were_wished_for_and_no_secret() {
    let running = started(ADMIN).await;
    let admin = running.admin_addr().unwrap();
    let channel = connected(running.grpc_addr()).await;
    // Nobody looks yet.
    send(channel.clone(), READ, Request::new("unseen".to_owned())).await.unwrap();
    let mut all = tap(admin, "", "accept: text/event-stream\r\n").await;
    let mut writes = tap(admin, "?method=Write&code=OK", "").await;
    for (path, text) in [(READ, "hello"), (WRITE, "panic"), (WRITE, "hunter2")] {
        let _ = send(channel.clone(), path, Request::new(text.to_owned())).await;
    }
    let read = next(&mut all).await;
    assert_eq!(read["method"], "chassis.test.v1.ProbeService/Read");
    assert_eq!((&read["request"], &read["reply"]), (&json!({ "value": "hello" }), &json!({ "value": "hello" })));
    assert_eq!(next(&mut all).await["code"], "INTERNAL");
    let write = next(&mut writes).await;
    assert_eq!((&write["code"], &write["request"]), (&json!("OK"), &json!({ "extra_fields": "REDACTED" })));
    drop((all, writes));
    running.drain().await;
}

#[tokio::test]
async fn a_tap_ends_with_the_process() {
    let running = started(ADMIN).await;
    let mut lines = tap(running.admin_addr().unwrap(), "", "").await;
    running.drain().await;
    let end = async { while let Ok(Some(_)) = lines.next_line().await {} };
    tokio::time::timeout(Duration::from_secs(5), end).await.unwrap();
}

#[tokio::test]
async fn what_controls_is_for_who_is_on_the_machine() {
    let running = started(ADMIN).await;
    let admin = running.admin_addr().unwrap();
    for host in ["localhost:1", "127.0.0.1"] {
        // The log of the test program is not the chassis'.
        assert!(http1(admin, host, "GET /log").await.starts_with("HTTP/1.1 404"), "{host}");
    }
    assert!(http1(admin, "localhost", "GET /tap?colour=red").await.starts_with("HTTP/1.1 400"));
    let public = started("[admin]\nlisten = \"0.0.0.0:0\"").await;
    let opened = started("[admin]\nlisten = \"0.0.0.0:0\"\ncontrol = true").await;
    for (running, code) in [(&public, "403"), (&opened, "404")] {
        let port = running.admin_addr().unwrap().port();
        let answer = http1(([127, 0, 0, 1], port).into(), "10.0.0.1", "GET /log").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{answer}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_gets_nothing_from_the_admin_port() {
    let running = started("[admin]\nlisten = \"127.0.0.1:0\"\nhosts = [\"Gateway.internal\"]").await;
    let admin = running.admin_addr().unwrap();
    let everything = [
        "GET /",
        "GET /livez",
        "GET /readyz",
        "GET /metrics",
        "GET /config",
        "GET /buildinfo",
        "GET /status.json",
        "GET /log",
        "PUT /log?level=trace",
        "GET /tap",
        "GET /nothing",
        "OPTIONS /metrics",
    ];
    for what in everything {
        for host in ["evil.example.com", "evil.example.com:9901", "localhost.evil.example.com", "2130706433", "127.1"] {
            let answer = http1(admin, host, what).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{what} {host}: {answer}");
            assert!(answer.ends_with("or for a name that stands in admin.hosts\n"), "{answer}");
        }
        assert!(http1(admin, "a b", what).await.starts_with("HTTP/1.1 400"), "{what}");
    }
    for host in ["localhost", "LOCALHOST:9901", "127.0.0.1:1", "[::1]", "10.1.2.3:9901", "gateway.INTERNAL:9901"] {
        assert!(http1(admin, host, "GET /metrics").await.starts_with("HTTP/1.1 200"), "{host}");
    }
    let two = "GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let none = "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n";
    for request in [two, none] {
        assert!(ispbridge_kit::http1::exchange(admin, request).await.starts_with("HTTP/1.1 400"), "{request}");
    }
}

#[tokio::test]
async fn a_name_in_the_configuration_is_a_name() {
    for (name, right) in
        [("gateway", true), ("gateway:9901", false), ("http://gateway", false), ("", false), ("*", true)]
    {
        let table =
            format!("callers.mode = \"open\"\nserver.listen = \"127.0.0.1:0\"\nadmin.hosts = [\"a\", {name:?}]");
        let started = chassis::start::<crate::probe::Probe>(table.parse().unwrap()).await;
        match started {
            Ok(_) => assert!(right, "{name}"),
            Err(error) => assert!(!right && error.to_string().contains("admin.hosts[1]"), "{error}"),
        }
    }
}
