//! Streams in both directions, callers that go away, and what the edge writes down.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::{
    KEY,
    backend::{ADD, Behaviour, GET, IMPORT},
    caller::{ALL, SINGLE, Suite, frame},
    info, payload, suite,
};

pub(crate) type Frames = StreamBody<ReceiverStream<Result<Frame<Bytes>, Infallible>>>;

/// Opens a connection for requests that are written bit by bit.
pub(crate) async fn connected(address: SocketAddr) -> SendRequest<Frames> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Opens a call whose request is written bit by bit.
async fn open(suite: &Suite, path: &str, body: Frames) -> hyper::body::Incoming {
    let address = suite.running.grpc_addr();
    let mut sender = connected(address).await;
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("x-api-key", ALL)
        .body(body)
        .unwrap();
    sender.send_request(request).await.unwrap().into_body()
}

pub(crate) fn body() -> (mpsc::Sender<Result<Frame<Bytes>, Infallible>>, Frames) {
    let (frames, body) = mpsc::channel(1);
    (frames, StreamBody::new(ReceiverStream::new(body)))
}

#[tokio::test]
async fn frames_pass_both_ways_while_the_call_is_open() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Mirror]);
    let (frames, body) = body();
    let mut reply = open(&suite, IMPORT, body).await;
    for number in 0..50_u8 {
        let sent = frame(&[number; 5000]);
        frames.send(Ok(Frame::data(sent.clone()))).await.unwrap();
        let mut came = Vec::new();
        while came.len() < sent.len() {
            let frame = reply.frame().await.unwrap().unwrap();
            came.extend_from_slice(frame.data_ref().unwrap());
        }
        assert_eq!(came, sent);
    }
    drop(frames);
    let trailers = reply.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_caller_that_goes_away_gives_its_place_back() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Hang, Behaviour::Echo]);
    let single = [("x-api-key", SINGLE)];
    {
        let call = suite.call(ADD, &single, payload());
        let arrived = async {
            while backend.arrivals().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = call => panic!("a hanging call does not end"),
            () = arrived => {}
        }
    }
    let free = async {
        while suite.call(GET, &single, payload()).await.code() != Code::Ok {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), free).await.expect("the place is free again");
}

#[tokio::test]
async fn of_a_write_with_too_large_a_reply_the_outcome_is_unknown() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, "server.max_reply_bytes = 2000").await;
    let large = frame(&[1; 3000]);
    let read = suite.call(GET, &[KEY], large.clone()).await;
    assert_eq!(read.code(), Code::ResourceExhausted);
    let write = suite.call(ADD, &[KEY], large).await;
    assert_eq!(write.code(), Code::Aborted);
}

#[tokio::test]
async fn a_watch_of_health_tells_changes_and_does_not_hold_the_drain() {
    let (_backend, suite) = suite().await;
    let (frames, body) = body();
    frames.try_send(Ok(Frame::data(frame(b"")))).unwrap();
    drop(frames);
    let mut reply = open(&suite, "/grpc.health.v1.Health/Watch", body).await;
    let first = reply.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[5..], [0x08, 0x01]);
    let drained = suite.running.drain();
    tokio::time::timeout(Duration::from_secs(5), drained).await.expect("it ends");
}

#[tokio::test]
async fn metrics_name_provider_and_method_but_no_strangers() {
    let (_backend, suite) = suite().await;
    suite.call(GET, &[KEY], payload()).await;
    suite.call("/ispbridge.fake_isp.v1.CustomerService/Strange", &[KEY], payload()).await;
    let missing = suite.call("/ispbridge.other.v1.Strange/Get", &[KEY], payload()).await;
    assert_eq!(missing.info(), info("PROVIDER_UNKNOWN", "NOT_SENT"));
    let text = metrics(&suite).await;
    let counted = |name: &str, words: &[&str]| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    };
    let words = ["GetCustomer", "provider=\"fake-isp\"", "\"OK\""];
    assert!(counted("rpc_client_call_duration_seconds_count", &words), "{text}");
    assert!(counted("rpc_server_call_duration_seconds_count", &words), "{text}");
    assert!(!text.contains("Strange"), "{text}");
    assert!(!text.contains("ispb_"), "{text}");
}

pub(crate) async fn metrics(suite: &Suite) -> String {
    let mut stream = TcpStream::connect(suite.running.admin_addr().unwrap()).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
