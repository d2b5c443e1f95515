//! What strangers may try, over real sockets, and what it must not cost.

use std::{net::SocketAddr, time::Duration};

use ispbridge_kit::{
    clock::comes,
    http1::get,
    http2::{
        CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block,
        call, call_with, deaf_call, frame, framed, message, peer,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Request, transport::Channel};

use crate::{
    apart::Apart,
    probe::{READ, connected, send, started, until_metric},
    requests::ended,
};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
const ENHANCE_YOUR_CALM: u32 = 11;

/// A hundred calls on a connection that does nothing wrong.
async fn hundred_calls(channel: &Channel) {
    for _ in 0..100 {
        send(channel.clone(), READ, Request::new("hello".to_owned())).await.unwrap();
    }
}

/// Sends until the other side has enough, and says how it ended.
async fn flood(address: SocketAddr, frames: &[u8], times: usize) -> Option<u32> {
    let mut raw = Raw::connect(address, &[]).await;
    for _ in 0..times {
        if !raw.send(frames).await {
            break;
        }
    }
    raw.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_nobody_takes_cost_little_and_are_given_up() {
    let server = Apart::start("server = { write_stall_seconds = 3 }", 1024);
    let (address, admin) = (server.grpc, server.admin);
    let good = connected(address).await;
    let mut peers = Vec::new();
    let mut replies = Vec::new();
    for _ in 0..50 {
        let (mut sender, connection) = peer(address, 0).await;
        for _ in 0..20 {
            replies.push(deaf_call(&mut sender, READ, "large 3145728").await);
        }
        peers.push((sender, connection));
    }
    let mut open = Vec::new();
    for reply in replies {
        open.push(reply.await.unwrap().into_body());
    }
    until_metric(admin, "ispbridge_reply_memory_bytes{", " 0").await;
    until_metric(admin, "ispbridge_calls_in_flight{", " 0").await;
    let peak = server.peak();
    assert!(peak < 200, "{peak} MiB");
    let metrics = get(admin, "/metrics").await;
    let counted = |name: &str, label: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()
    };
    let stalled = counted("ispbridge_peers_given_up_total", "\"reply_stalled\"");
    let refused = counted("rpc_server_call_duration_seconds_count", "\"RESOURCE_EXHAUSTED\"");
    assert!(stalled > 0 && stalled + refused == 1000, "{stalled} stalled, {refused} refused");
    assert!(send(good, READ, Request::new("large 3145728".to_owned())).await.is_ok());
}

#[tokio::test]
async fn a_reply_whose_window_closes_halfway_is_reset_and_its_connection_lives_on() {
    let running = started(&format!("{ADMIN}[server]\nwrite_stall_seconds = 0.3")).await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 20_000).await;
    let mut stalled = deaf_call(&mut sender, READ, "large 1000000").await.await.unwrap().into_body();
    let end = async {
        loop {
            match stalled.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("the reply is complete"),
            }
        }
    };
    let error = timeout(Duration::from_secs(5), end).await.unwrap();
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL), "{error}");
    until_metric(running.admin_addr().unwrap(), "ispbridge_reply_memory_bytes{", " 0").await;
    let other = deaf_call(&mut sender, READ, "hello").await.await.unwrap();
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_socket_is_given_up() {
    let running = started(&format!("{ADMIN}[server]\nwrite_stall_seconds = 0.3")).await;
    let admin = running.admin_addr().unwrap();
    let mut raw = Raw::connect(running.grpc_addr(), &[(4, 0x7fff_ffff)]).await;
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes())).await;
    for index in 0..20 {
        raw.send(&call(1 + 2 * index, READ, "large 3145728")).await;
    }
    until_metric(admin, "ispbridge_peers_given_up_total{ispbridge_reason=\"write_stalled\"", " 1").await;
    until_metric(admin, "ispbridge_reply_memory_bytes{", " 0").await;
    until_metric(admin, "ispbridge_calls_in_flight{", " 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_are_ended_and_cost_others_little() {
    let running = started(&format!("{ADMIN}[server]\nmax_control_frames = 500")).await;
    let address = running.grpc_addr();
    let good = connected(address).await;
    let ping = frame(PING, 0, 0, &[7; 8]).repeat(1000);
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 99]).repeat(1000);
    let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]).repeat(1000);
    for frames in [ping, settings, priority] {
        let mut raw = Raw::connect(address, &[]).await;
        // What is written after the end may well be lost.
        raw.send(&frames).await;
        while raw.send(&frames).await {}
        raw.end().await;
    }
    let given_up = "ispbridge_peers_given_up_total{ispbridge_reason=\"control_frames\"";
    until_metric(running.admin_addr().unwrap(), given_up, " 3").await;
    comes(hundred_calls(&good)).await;
}

#[tokio::test]
async fn a_peer_that_asks_too_much_is_told_so() {
    let running = started("[server]\nmax_control_frames = 500").await;
    let mut raw = Raw::connect(running.grpc_addr(), &[]).await;
    // Not more than is read before the end: what is left unread resets the connection, and the word is lost.
    assert!(raw.send(&frame(PING, 0, 0, &[7; 8]).repeat(501)).await);
    assert_eq!(raw.end().await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_h2_counts_itself_is_ended_with_enhance_your_calm() {
    let running = started("").await;
    let address = running.grpc_addr();
    let good = connected(address).await;
    let resets: Vec<u8> = (0..5000_u32)
        .flat_map(|index| {
            let headers = frame(HEADERS, END_HEADERS, 1 + 2 * index, &block(READ));
            [headers, frame(RST_STREAM, 0, 1 + 2 * index, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    let open = frame(HEADERS, END_HEADERS, 1, &block(READ));
    let empty = [open, frame(DATA, 0, 1, &[]).repeat(20_000)].concat();
    let endless = [frame(HEADERS, 0, 1, &block(READ)), frame(CONTINUATION, 0, 1, &[]).repeat(20_000)].concat();
    for (name, frames) in [("rapid reset", resets), ("empty data", empty), ("continuation", endless)] {
        let (end, ()) = comes(async { tokio::join!(flood(address, &frames, 1), hundred_calls(&good)) }).await;
        // The socket may be reset before the word is read; that it is closed is what counts.
        assert!(matches!(end, Some(ENHANCE_YOUR_CALM) | None), "{name}: {end:?}");
    }
}

#[tokio::test]
async fn broken_frames_end_their_connection_alone() {
    let running = started("").await;
    let address = running.grpc_addr();
    let good = connected(address).await;
    let overflow = frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()).repeat(2);
    let mut raw = Raw::connect(address, &[]).await;
    raw.send(&overflow).await;
    assert_eq!(raw.end().await, Some(3));
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nhost: probe\r\n\r\n").await.unwrap();
    let ended = timeout(Duration::from_secs(5), garbage.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "still open");
    assert!(send(good, READ, Request::new("hello".to_owned())).await.is_ok());
}

#[tokio::test]
async fn calls_that_are_none_get_a_status_and_their_connection_lives_on() {
    let running = started("").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let long = "x".repeat(200_000);
    let many = framed(&[0x78, 1].repeat(500_000));
    let response = call_with(&mut sender, READ, &[], many).await.await.unwrap();
    assert_eq!(ended(response).await.code(), Code::Ok);
    let plain = call_with(&mut sender, READ, &[("content-type", "text/plain")], message("hello")).await;
    assert_eq!(plain.await.unwrap().status(), 415);
    let large = call_with(&mut sender, READ, &[("x-large", &long[..45_000])], message("hello")).await;
    assert!(large.await.map_or(true, |response| response.status() == 431));
    assert_eq!(deaf_call(&mut sender, READ, "hello").await.await.unwrap().status(), 200);
    // What is far too large ends the connection.
    let (mut other, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let larger = call_with(&mut other, READ, &[("x-large", &long)], message("hello")).await;
    assert!(larger.await.is_err());
    assert_eq!(deaf_call(&mut sender, READ, "hello").await.await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn crowds_that_say_nothing_are_sent_away() {
    let config = "[server]\npreface_seconds = 1\nmax_connections = 2000\nmax_connections_per_ip = 2000";
    let running = started(config).await;
    let address = running.grpc_addr();
    let good = connected(address).await;
    let mut crowd = Vec::new();
    for index in 0..700 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if index < 200 {
            stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        }
        crowd.push(stream);
    }
    comes(hundred_calls(&good)).await;
    for mut stream in crowd {
        // Reset or ended: either way it is over.
        let _ = comes(stream.read_to_end(&mut Vec::new())).await;
    }
    assert!(send(good, READ, Request::new("hello".to_owned())).await.is_ok());
}
