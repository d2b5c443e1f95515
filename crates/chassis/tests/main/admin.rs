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
    for what in ["GET /log", "PUT /log?level=trace", "GET /tap"] {
        assert!(http1(admin, "evil.example.com", what).await.starts_with("HTTP/1.1 403"), "{what}");
    }
    assert!(http1(admin, "localhost", "GET /tap?colour=red").await.starts_with("HTTP/1.1 400"));
    let public = started("[admin]\nlisten = \"0.0.0.0:0\"").await;
    let opened = started("[admin]\nlisten = \"0.0.0.0:0\"\ncontrol = true").await;
    for (running, code) in [(&public, "403"), (&opened, "404")] {
        let port = running.admin_addr().unwrap().port();
        let answer = http1(([127, 0, 0, 1], port).into(), "gateway.example.com", "GET /log").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{answer}");
    }
}
