//! A door in front of the layers, and HTTP/1.1 beside HTTP/2 on one port.

use std::{future::Future, net::SocketAddr, pin::pin, time::Duration};

use axum::body::to_bytes;
use chassis::{Error, Process, Program, Running};
use http::{Request, Response, StatusCode};
use ispbridge_kit::{clock::goes_on, http1::get};
use protocol::Body;
use serving::{Answering, Inner, ServiceSet, Transcoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::Status;

use crate::probe::{Probe, ProbeConfig, READ, ask, until_metric};

/// The probe behind a door for people who write plain text.
#[derive(Debug)]
struct Doored;

#[derive(Debug)]
struct Plain;

impl Program for Doored {
    const NAME: &'static str = "chassis-doored";
    type Config = ProbeConfig;

    fn build(config: ProbeConfig, process: &Process) -> impl Future<Output = Result<ServiceSet, Error>> + Send {
        let built = Probe::build(config, process);
        async { Ok(built.await?.transcoder(Plain)) }
    }
}

impl Transcoder for Plain {
    fn takes(&self, request: &Request<Body>) -> bool {
        request.headers().get("content-type").is_none_or(|kind| kind != "application/grpc")
    }

    fn failed(&self, status: &Status) -> Response<Body> {
        let mut response = refused(StatusCode::INTERNAL_SERVER_ERROR);
        *response.body_mut() = Body::from(format!("{}\n", status.message()));
        response
    }

    fn answer(&self, request: Request<Body>, inside: Inner) -> Answering {
        Box::pin(async move {
            if request.uri().path() == "/unread" {
                return Response::new(Body::from("nobody reads it"));
            }
            let (head, body) = request.into_parts();
            let Ok(text) = to_bytes(body, usize::MAX).await else {
                return refused(StatusCode::PAYLOAD_TOO_LARGE);
            };
            assert_ne!(&*text, b"panic at the door");
            let mut call = grpc(&text);
            *call.extensions_mut() = head.extensions;
            let reply = inside.call(call).await;
            let body = to_bytes(reply.into_body(), usize::MAX).await.unwrap();
            // The envelope's head of five bytes, and the tag and length of the string, as long as they are.
            let skipped = 6 + body.iter().skip(6).take_while(|byte| **byte >= 0x80).count() + 1;
            Response::new(Body::from(body.slice(skipped.min(body.len())..)))
        })
    }
}

/// A call of the method that reads, with a text of less than 128 bytes.
fn grpc(text: &[u8]) -> Request<Body> {
    let length = u8::try_from(text.len()).unwrap();
    let frame = [&[0, 0, 0, 0, length + 2, 10, length], text].concat();
    Request::post(READ).header("content-type", "application/grpc").body(Body::from(frame)).unwrap()
}

fn refused(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

pub(crate) async fn started(server: &str) -> Running {
    let text = format!(
        "admin.listen = \"127.0.0.1:0\"\ncallers.mode = \"open\"\n[server]\nlisten = \"127.0.0.1:0\"\n{server}"
    );
    chassis::start::<Doored>(text.parse().unwrap()).await.unwrap()
}

async fn connected(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn write(stream: &mut TcpStream, text: &str) {
    let request = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{text}", text.len());
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until the text has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&all).ends_with(end) {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&part[..length]);
        }
    };
    timeout(Duration::from_secs(10), read).await.expect("the text comes");
    String::from_utf8(all).unwrap()
}

/// Returns when the peer has closed.
async fn closed(stream: &mut TcpStream) {
    let read = async { while !matches!(stream.read(&mut [0; 65536]).await, Ok(0) | Err(_)) {} };
    timeout(Duration::from_secs(10), read).await.expect("the connection is closed");
}

#[tokio::test]
async fn both_protocols_and_the_door_share_a_port() {
    let running = started("").await;
    let address = running.grpc_addr();
    let mut stream = connected(address).await;
    for text in ["one", "two"] {
        write(&mut stream, text).await;
        let answer = until(&mut stream, text).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(ask(address, READ, "three").await.unwrap().into_inner(), "three");
    let metrics = get(running.admin_addr().unwrap(), "/metrics").await;
    let calls = metrics.lines().find(|line| line.starts_with("rpc_server_call_duration_seconds_count")).unwrap();
    assert!(calls.ends_with(" 3"), "the door's calls pass the layers: {calls}");
    drop(stream);
    running.drain().await;
}

#[tokio::test]
async fn a_door_that_panics_costs_one_answer() {
    let running = started("").await;
    let mut stream = connected(running.grpc_addr()).await;
    write(&mut stream, "panic at the door").await;
    assert!(until(&mut stream, "inside\n").await.starts_with("HTTP/1.1 500"));
    write(&mut stream, "still there").await;
    until(&mut stream, "still there").await;
}

#[tokio::test]
async fn bodies_and_headers_have_limits() {
    let running = started("max_request_bytes = 100").await;
    let mut stream = connected(running.grpc_addr()).await;
    write(&mut stream, &"x".repeat(600_000)).await;
    assert!(until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 413"));
    let mut stream = connected(running.grpc_addr()).await;
    let header = format!("GET / HTTP/1.1\r\nhost: a\r\na: {}\r\n\r\n", "x".repeat(20_000));
    stream.write_all(header.as_bytes()).await.unwrap();
    assert!(until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn who_is_answered_early_may_write_to_the_end() {
    let running = started("").await;
    let mut stream = connected(running.grpc_addr()).await;
    stream.write_all(b"POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 600000\r\n\r\n").await.unwrap();
    until(&mut stream, "nobody reads it").await;
    for part in [&[b' '; 1000][..]; 600] {
        stream.write_all(part).await.unwrap();
    }
    write(&mut stream, "next").await;
    until(&mut stream, "next").await;
}

#[tokio::test]
async fn who_does_not_finish_the_headers_is_not_waited_for() {
    let running = started("preface_seconds = 0.3").await;
    for bytes in ["", "P", "PRI * HTTP/2.0\r\n", "POST / HTTP/1.1\r\nhost: a\r\n", "POST / HTTP/1.1\r\n"] {
        let mut stream = connected(running.grpc_addr()).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_connection_may_wait_longer_for_a_request_than_for_the_rest_of_its_head() {
    let running = started("preface_seconds = 0.4\nhttp1_idle_seconds = 2.5").await;
    let address = running.grpc_addr();
    let mut patient = connected(address).await;
    write(&mut patient, "one").await;
    until(&mut patient, "one").await;
    // Longer than a head may take, and then a head in two parts.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    patient.write_all(b"POST / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    patient.write_all(b"content-length: 3\r\n\r\ntwo").await.unwrap();
    until(&mut patient, "two").await;
    // Neither a slow body nor a slow answer is a head.
    patient.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nslee").await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    patient.write_all(b"p 800").await.unwrap();
    until(&mut patient, "sleep 800").await;
    goes_on(&mut pin!(closed(&mut patient)), Duration::from_secs(2)).await;
    closed(&mut patient).await;
    let mut slow = connected(address).await;
    write(&mut slow, "one").await;
    until(&mut slow, "one").await;
    for byte in b"POST / HTTP/1.1\r\nhost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        tokio::time::sleep(Duration::from_millis(30)).await;
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    closed(&mut slow).await;
    // A drip is no idle connection.
    until_metric(
        running.admin_addr().unwrap(),
        "ispbridge_peers_given_up_total{ispbridge_reason=\"request_head\"",
        " 1",
    )
    .await;
}

#[tokio::test]
async fn a_request_over_http1_names_one_host() {
    let running = started("").await;
    let long = "x".repeat(50);
    for (version, hosts, status) in [
        ("1.1", &["a"][..], "200"),
        ("1.1", &["a:443"], "200"),
        ("1.1", &["[::1]:50051"], "200"),
        ("1.0", &[], "200"),
        ("1.1", &[], "400"),
        ("1.1", &["a", "a"], "400"),
        ("1.1", &["a", "b"], "400"),
        ("1.0", &["a", "b"], "400"),
        ("1.1", &[""], "400"),
        ("1.1", &["a b"], "400"),
        ("1.1", &["a/b"], "400"),
        ("1.1", &["user@a"], "400"),
        ("1.1", &["a:99999"], "400"),
        ("1.1", &["a, b"], "400"),
        ("1.1", &["[::1"], "400"),
    ] {
        let mut stream = connected(running.grpc_addr()).await;
        let lines: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let head = format!("POST / HTTP/{version}\r\n{lines}content-length: {}\r\n\r\n", long.len());
        stream.write_all(format!("{head}{long}").as_bytes()).await.unwrap();
        let end = if status == "200" { long.as_str() } else { "\n" };
        let answer = until(&mut stream, end).await;
        assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{version} {hosts:?}: {answer}");
        if status == "400" {
            assert!(answer.contains("connection: close") || version == "1.0", "{answer}");
            closed(&mut stream).await;
        }
    }
}

#[tokio::test]
async fn who_takes_nothing_of_a_reply_is_given_up() {
    let running =
        started("write_stall_seconds = 0.3\nmax_reply_bytes = 30000000\nreply_memory_bytes = 200000000").await;
    let mut stream = connected(running.grpc_addr()).await;
    write(&mut stream, "large 20000000").await;
    let admin = running.admin_addr().unwrap();
    until_metric(admin, "ispbridge_peers_given_up_total{", " 1").await;
    until_metric(admin, "ispbridge_reply_memory_bytes{", " 0").await;
}

#[tokio::test]
async fn a_drain_answers_the_open_call_and_closes_what_only_waits() {
    let running = started("drain_seconds = 8").await;
    let (mut idle, mut busy) = (connected(running.grpc_addr()).await, connected(running.grpc_addr()).await);
    write(&mut idle, "one").await;
    until(&mut idle, "one").await;
    write(&mut busy, "sleep 300").await;
    let admin = running.admin_addr().unwrap();
    until_metric(admin, "ispbridge_calls_in_flight{", " 1").await;
    let drained = tokio::spawn(running.drain());
    closed(&mut idle).await;
    until(&mut busy, "sleep 300").await;
    closed(&mut busy).await;
    timeout(Duration::from_secs(5), drained).await.expect("nothing is waited for").unwrap();
}
