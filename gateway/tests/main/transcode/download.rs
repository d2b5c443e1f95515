//! Files in pieces: the bytes of the body for plain JSON, messages for the protocols that have streams, and no end that looks
//! whole where it is not.

use std::{path::Path, time::Duration};

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use ispbridge_parts::CURL;
use tokio::{net::TcpStream, time::timeout};

use super::{Answer, post, send, stream, web};
use crate::{
    backend::{Backend, Behaviour, FileEnd, piece_data},
    caller::{ALL, Suite, frame},
    suite,
};

const PATH: &str = "/ispbridge.fake_isp.v1.CustomerService/DownloadPicture";
const PIECE: usize = 64 << 10;

fn content(pieces: usize) -> Vec<u8> {
    (0..pieces).flat_map(piece_data).collect()
}

async fn json(suite: &Suite) -> Answer {
    post(suite, PATH, "application/json", r#"{"name":"a"}"#).await
}

#[tokio::test]
async fn a_plain_caller_gets_the_bytes_as_the_body() {
    let (backend, suite) = suite().await;
    // More than a reply of messages may have.
    for pieces in [1, 100] {
        backend.behave(&[Behaviour::File(FileEnd::Whole(pieces))]);
        let query = format!("{PATH}?encoding=json&message=%7B%22name%22%3A%22a%22%7D");
        for answer in [json(&suite).await, send(&suite, Method::GET, &query, &[("x-api-key", ALL)], "").await] {
            assert_eq!((answer.status.as_u16(), answer.kind()), (200, "image/png"));
            let name = "attachment; filename=\"_ucja 1.png\"; filename*=UTF-8''%C5%81ucja%201.png";
            assert_eq!(answer.header("content-disposition"), name);
            assert_eq!(answer.header("content-length"), (pieces * PIECE).to_string());
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert!(answer.body == content(pieces), "{} bytes", answer.body.len());
        }
    }
    assert_eq!(backend.arrivals()[0].body, frame(b"\x0a\x01a"));
}

#[tokio::test]
async fn what_is_refused_before_the_first_piece_has_its_status() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Denied]);
    let answer = json(&suite).await;
    assert_eq!((answer.status.as_u16(), answer.error()), (503, ("unavailable".into(), "UPSTREAM_DOWN".into())));
    backend.behave(&[Behaviour::File(FileEnd::Late(0))]);
    assert_eq!(json(&suite).await.status.as_u16(), 503);
    let wrong = post(&suite, PATH, "application/json", r#"{"nome":"a"}"#).await;
    assert_eq!((wrong.status.as_u16(), wrong.error().0), (400, "invalid_argument".into()));
    backend.behave(&[Behaviour::File(FileEnd::Whole(0))]);
    assert_eq!(json(&suite).await.error().1, "REPLY_UNREADABLE");
}

/// What curl ends with, and what it has saved.
async fn curl(suite: &Suite, more: &[&str], file: &Path) -> Option<(i32, Vec<u8>)> {
    let mut curl = CURL.command()?;
    curl.args(["-sS", "--max-time", "60", "-H", "content-type: application/json", "-d", r#"{"name":"a"}"#]);
    curl.args(more).arg("-H").arg(format!("x-api-key: {ALL}")).arg("-o").arg(file);
    curl.arg(format!("http://{}{PATH}", suite.running.grpc_addr()));
    let ended = tokio::task::spawn_blocking(move || curl.status().unwrap()).await.unwrap();
    Some((ended.code().unwrap(), std::fs::read(file).unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_knows_a_whole_file_from_one_that_broke_off() {
    let (backend, suite) = suite().await;
    let folder = tempfile::tempdir().unwrap();
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let file = folder.path().join(version);
        backend.behave(&[Behaviour::File(FileEnd::Whole(20))]);
        let Some((code, saved)) = curl(&suite, &[version], &file).await else { return };
        assert!(code == 0 && saved == content(20), "{version}: {code}, {} bytes", saved.len());
        backend.behave(&[Behaviour::File(FileEnd::Late(20))]);
        let (code, _) = curl(&suite, &[version], &file).await.unwrap();
        // Partial file; stream error.
        assert!([18, 92].contains(&code), "{version}: {code}");
    }
}

#[tokio::test]
async fn the_protocols_with_streams_end_with_the_status() {
    let (backend, suite) = suite().await;
    for (end, code, error) in [(FileEnd::Whole(3), 0, None), (FileEnd::Late(3), 14, Some("unavailable"))] {
        backend.behave(&[Behaviour::File(end)]);
        let connect = post(&suite, PATH, "application/connect+json", stream::envelope(0, r#"{"name":"a"}"#)).await;
        let (messages, last) = stream::split(&connect);
        assert_eq!((messages.len(), last["error"]["code"].as_str()), (3, error));
        let first: serde_json::Value = serde_json::from_slice(&messages[0]).unwrap();
        assert_eq!(first["chunk"]["fileName"], "Łucja 1.png");
        let answer = post(&suite, PATH, "application/grpc-web", frame(b"\x0a\x01a")).await;
        let (messages, trailers) = web::split(&answer.body);
        assert_eq!(messages.len(), 3);
        assert!(trailers.contains(&format!("grpc-status: {code}")), "{trailers:?}");
    }
}

#[tokio::test]
async fn a_file_has_a_limit_of_its_own() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "server.max_download_bytes = 200000\nserver.max_reply_bytes = 1000").await;
    backend.behave(&[Behaviour::File(FileEnd::Whole(4))]);
    let answer = post(&suite, PATH, "application/grpc-web", frame(b"\x0a\x01a")).await;
    let (messages, trailers) = web::split(&answer.body);
    assert!(messages.len() < 4 && trailers.contains(&"grpc-status: 8".to_owned()), "{trailers:?}");
    assert!(trailers.iter().any(|line| line.contains("server.max_download_bytes")), "{trailers:?}");
    backend.behave(&[Behaviour::File(FileEnd::Whole(2))]);
    assert_eq!(json(&suite).await.body.len(), 2 * PIECE);
}

#[tokio::test]
async fn a_caller_that_takes_nothing_is_sent_nothing_and_one_that_goes_ends_the_call() {
    /// What sockets and windows hold between service and caller.
    const MOST: usize = 32 << 20;
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::File(FileEnd::Endless)]);
    let stream = TcpStream::connect(suite.running.grpc_addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(PATH).header("host", "gateway").header("content-type", "application/json");
    let request = request.header("x-api-key", ALL).body(Full::new(bytes::Bytes::from_static(b"{}"))).unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let mut taken = 0;
    for goal in [0, 20 << 20] {
        while taken < goal {
            taken += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        let mut before = usize::MAX;
        while backend.pieces() != before {
            before = backend.pieces();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(before * PIECE - taken <= MOST, "{before} pieces left, {taken} bytes were taken");
    }
    assert_eq!(backend.given_up(), 0);
    drop((body, sender));
    connection.abort();
    let gone = async {
        while backend.given_up() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.unwrap();
}
