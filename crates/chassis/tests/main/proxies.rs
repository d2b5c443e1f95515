//! Whose call it is when a proxy stands in front: PROXY headers, `Forwarded` and `X-Forwarded-For`.

use std::{net::SocketAddr, time::Duration};

use chassis::Running;
use h2::client::SendRequest;
use ispbridge_kit::http2::{call_with, message};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    door,
    probe::{READ, started, until_metric},
};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
const FOUR: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";
const SIX: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n";

/// A header of version 2.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, block].concat()
}

/// A server that takes PROXY headers from a network.
async fn begun(from: &str) -> Running {
    let server = format!("[server]\npreface_seconds = 0.5\nproxy_protocol.from = [{from:?}]\n");
    started(&format!("{server}{ADMIN}")).await
}

/// Connects with these bytes before the preface, and the pieces of both sent one by one.
async fn open(address: SocketAddr, before: &[u8], piece: usize) -> SendRequest<bytes::Bytes> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in before.chunks(piece) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

/// The address of the caller as the service sees it.
async fn told(sender: &mut SendRequest<bytes::Bytes>, headers: &[(&str, &str)]) -> String {
    let mut response = call_with(sender, READ, headers, message("show address")).await.await.unwrap();
    let mut body = Vec::new();
    while let Some(data) = response.body_mut().data().await {
        body.extend_from_slice(&data.unwrap());
    }
    String::decode(&body[5..]).unwrap()
}

/// Sends bytes and reads to the end.
async fn end(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(read.is_ok(), "closed in order, not reset: {read:?}");
    answer
}

#[tokio::test]
async fn a_header_says_whose_connection_a_proxy_passes_on() {
    let running = started("server.proxy_protocol.from = [\"::1\", \"127.0.0.0/8\"]").await;
    let mut block = [203, 0, 113, 9, 192, 0, 2, 1, 0, 80, 1, 187].to_vec();
    let plain = binary(0x21, 0x11, &block);
    block.extend_from_slice(&[0x02, 0, 4, b'n', b'a', b'm', b'e']);
    block.extend_from_slice(&[0xea, 0x0f, 0xa0]);
    block.extend_from_slice(&[7; 4000]);
    let cases = [
        (FOUR.to_vec(), "203.0.113.7"),
        (SIX.to_vec(), "2001:db8::7"),
        (plain, "203.0.113.9"),
        (binary(0x21, 0x11, &block), "203.0.113.9"),
        // What a proxy says for itself, its health checks for one.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (binary(0x20, 0x00, &[]), "127.0.0.1"),
        (binary(0x20, 0x11, &block), "127.0.0.1"),
    ];
    for (header, client) in cases {
        for piece in [header.len(), header.len() / 2, 7] {
            let mut sender = open(running.grpc_addr(), &header, piece).await;
            assert_eq!(told(&mut sender, &[]).await, client);
            // Nothing that a request says changes it.
            assert_eq!(
                told(&mut sender, &[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")]).await,
                client
            );
        }
    }
}

#[tokio::test]
async fn a_header_must_come_from_a_proxy_and_from_nobody_else() {
    let behind = begun("127.0.0.1").await;
    let direct = begun("10.0.0.0/8").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let bare = [preface.to_vec(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), vec![0x16, 3, 1, 0, 200]];
    let broken = [&b"PROXY TCP4 203.0.113.7\r\n"[..], &binary(0x21, 0x11, &[1, 2, 3]), b"PROXY TCP4 a b 1 2\r\n"];
    let unfinished = [&b""[..], b"PRO", b"PROXY TCP4 203.0.113.7 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"];
    for bytes in bare.iter().map(Vec::as_slice).chain(broken).chain(unfinished) {
        assert!(end(behind.grpc_addr(), bytes).await.is_empty());
    }
    let headers = [[FOUR, preface].concat(), [binary(0x21, 0x11, &[1; 12]), preface.to_vec()].concat(), SIX.to_vec()];
    for bytes in headers {
        assert!(end(direct.grpc_addr(), &bytes).await.is_empty());
    }
    for (running, reason, count) in [
        (&behind, "proxy_header_missing", bare.len() + unfinished.len()),
        (&behind, "proxy_header_broken", broken.len()),
        (&direct, "proxy_header_forbidden", 3),
    ] {
        let line = format!("ispbridge_connections_refused_total{{ispbridge_reason=\"{reason}\"");
        until_metric(running.admin_addr().unwrap(), &line, &format!(" {count}")).await;
    }
    assert_eq!(told(&mut open(direct.grpc_addr(), &[], 1).await, &[]).await, "127.0.0.1");
    // A check that connects and leaves is not refused: the counts are as they were.
    for running in [&behind, &direct] {
        drop(TcpStream::connect(running.grpc_addr()).await.unwrap());
    }
    let before = behind.process().refusals().summary();
    assert_eq!(before.connections.iter().map(|reason| reason.count).sum::<u64>(), 10);
    assert_eq!(before.addresses[0].address, "127.0.0.1");
}

#[tokio::test]
async fn connections_are_counted_for_whom_a_proxy_passes_them_on() {
    let config = "max_connections_per_ip = 1\nproxy_protocol.from = [\"127.0.0.1\"]";
    let running = door::started(config).await;
    let header = |last: u8| format!("PROXY TCP4 203.0.113.{last} 192.0.2.1 1 2\r\n");
    let mut kept = Vec::new();
    for last in 1..=5 {
        let mut sender = open(running.grpc_addr(), header(last).as_bytes(), 99).await;
        assert_eq!(told(&mut sender, &[]).await, format!("203.0.113.{last}"));
        kept.push(sender);
    }
    for check in 0..3 {
        let mut sender = open(running.grpc_addr(), b"PROXY UNKNOWN\r\n", 99).await;
        assert_eq!(told(&mut sender, &[]).await, "127.0.0.1", "{check}");
        kept.push(sender);
    }
    let request = format!("{}POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", header(1));
    end(running.grpc_addr(), request.as_bytes()).await;
    let line = "ispbridge_connections_refused_total{ispbridge_reason=\"too_many_of_one_address\"";
    until_metric(running.admin_addr().unwrap(), line, " 1").await;
    let [refused] = running.process().refusals().summary().addresses.try_into().unwrap();
    assert_eq!((refused.address.as_str(), refused.reason), ("203.0.113.1", "too_many_of_one_address"));
}

#[tokio::test]
async fn a_proxy_is_believed_request_by_request() {
    let running = started("server.forwarded.from = [\"127.0.0.0/8\", \"10.0.0.0/8\"]").await;
    let stranger = started("server.forwarded.from = [\"10.0.0.0/8\"]").await;
    let mut sender = open(running.grpc_addr(), &[], 1).await;
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
        (&[("x-forwarded-for", "6.6.6.6, 203.0.113.8, 10.0.0.2")], "203.0.113.8"),
        (&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "[2001:db8::7]:443")], "2001:db8::7"),
        (&[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https, for=10.0.0.2")], "2001:db8::7"),
        (&[("forwarded", "for=_hidden")], "127.0.0.1"),
        (&[("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "203.0.113.8")], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ];
    for (headers, client) in cases {
        assert_eq!(told(&mut sender, headers).await, client, "{headers:?}");
        assert_eq!(told(&mut open(stranger.grpc_addr(), &[], 1).await, headers).await, "127.0.0.1", "{headers:?}");
    }
}

#[tokio::test]
async fn both_kinds_of_proxy_may_stand_behind_each_other() {
    let both = "server = { proxy_protocol.from = [\"127.0.0.1\"], forwarded.from = [\"203.0.113.0/24\"] }";
    let running = started(both).await;
    let mut sender = open(running.grpc_addr(), FOUR, 99).await;
    assert_eq!(told(&mut sender, &[("x-forwarded-for", "198.51.100.1")]).await, "198.51.100.1");
    let mut sender = open(running.grpc_addr(), SIX, 99).await;
    assert_eq!(told(&mut sender, &[("x-forwarded-for", "198.51.100.1")]).await, "2001:db8::7", "no proxy of ours");
}
