//! Files that go to the caller while they come: whole or with a status that says how much came, and never faster than they are taken.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bridge::{Download, Fault, Upstream, fault::Kind, http::Transport};
use ispbridge_kit::{Act, Hostile, Reply};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status};

use super::{
    read, request, said,
    sample::{json, transport, upstream},
    within,
};
use crate::contract::ScalarsRequest;

/// A message of a method that downloads.
#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(message, optional, tag = "1")]
    chunk: Option<Chunk>,
}

#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(string, optional, tag = "1")]
    content_type: Option<String>,
    #[prost(string, optional, tag = "2")]
    file_name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    size: Option<u64>,
    #[prost(bytes = "vec", tag = "4")]
    data: Vec<u8>,
}

async fn open(upstream: &Upstream, request: Request<ScalarsRequest>) -> Result<Download<Piece>, Fault> {
    let opened = upstream.call(&request)?.download("file", request.get_ref()).await;
    opened.map(|response| {
        assert_eq!(response.metadata().get("x-ispbridge-download").expect("the mark"), "1");
        response.into_inner()
    })
}

/// The chunks that came, and how the stream ended.
async fn all(mut pieces: Download<Piece>) -> (Vec<Chunk>, Result<(), Status>) {
    let mut chunks = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => chunks.push(piece.chunk.expect("a chunk")),
            Err(status) => return (chunks, Err(status)),
        }
    }
    (chunks, Ok(()))
}

async fn file(act: Act) -> (Upstream, Hostile) {
    let server = Hostile::script(vec![act]).await;
    (upstream(server.address, transport(), false), server)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) >> 3) as u8).collect()
}

fn head(more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/gzip\r\ncontent-disposition: attachment; filename=\"b.gz\"\r\n{more}\r\n\r\n"
    )
    .into_bytes()
}

fn sized(body: &[u8], claimed: usize) -> Vec<u8> {
    [head(&format!("content-length: {claimed}")), body.to_vec()].concat()
}

fn chunked(body: &[u8], is_whole: bool) -> Vec<u8> {
    let mut all = head("transfer-encoding: chunked");
    for chunk in body.chunks(50_000) {
        all.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        all.extend_from_slice(chunk);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(if is_whole { b"0\r\n\r\n" } else { b"" });
    all
}

#[tokio::test]
async fn a_file_comes_whole_in_pieces_and_the_first_says_what_it_is() {
    for length in [0, 1, 64 << 10, 300_001] {
        let body = bytes(length);
        for (reply, size) in [(sized(&body, length), Some(length as u64)), (chunked(&body, true), None)] {
            let (upstream, server) = file(Act::Answer(reply)).await;
            let (chunks, end) = all(open(&upstream, request()).await.expect("a file")).await;
            assert!(end.is_ok(), "{end:?}");
            let first = &chunks[0];
            assert_eq!(
                (first.content_type.as_deref(), first.file_name.as_deref()),
                (Some("application/gzip"), Some("b.gz"))
            );
            assert_eq!(first.size, size);
            let rest = chunks.iter().skip(1);
            assert!(
                rest.clone()
                    .all(|chunk| chunk.content_type.is_none() && chunk.size.is_none() && !chunk.data.is_empty())
            );
            assert!(chunks.iter().all(|chunk| chunk.data.len() <= 64 << 10));
            assert!(chunks.into_iter().flat_map(|chunk| chunk.data).eq(body.iter().copied()));
            assert!(server.requests()[0].contains("accept-encoding: identity\r\n"), "{}", server.requests()[0]);
        }
    }
}

#[tokio::test]
async fn a_stored_coding_is_left_as_it_is() {
    let body = bytes(500);
    let reply = [head("content-encoding: x-gzip\r\ncontent-length: 500"), body.clone()].concat();
    let (upstream, _server) = file(Act::Answer(reply)).await;
    let (chunks, end) = all(open(&upstream, request()).await.expect("a file")).await;
    assert!(end.is_ok() && chunks[0].data == body);
}

#[tokio::test]
async fn a_file_that_breaks_off_ends_with_a_status_that_says_how_much_came() {
    let body = bytes(100_000);
    for act in [
        Act::Close(sized(&body, 100_001)),
        Act::Reset(sized(&body, 200_000)),
        Act::Close(chunked(&body, false)),
        Act::Close([chunked(&body, false), b"ffff\r\nhalf".to_vec()].concat()),
    ] {
        let (upstream, _server) = file(act).await;
        let (chunks, end) = all(open(&upstream, request()).await.expect("a file")).await;
        let status = end.expect_err("not a clean end");
        let came: usize = chunks.iter().map(|chunk| chunk.data.len()).sum();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            came >= 100_000 && status.message().contains(&format!("{came} bytes of the body came before")),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_in_place_of_a_file_is_the_fault_that_it_tells() {
    let missing = Reply::new(404).with_body("gone").bytes();
    let login = Reply::new(200).with("content-type", "text/html").with_body("<input type=\"password\">").bytes();
    for (reply, kind) in [
        (missing, Kind::NotFound),
        (json(200, r#"{"error":"no such file"}"#), Kind::NotFound),
        (json(200, r#"{"id":"7"}"#), Kind::Unreadable),
        (login, Kind::UpstreamAuth),
    ] {
        let (upstream, _server) = file(Act::Answer(reply)).await;
        assert_eq!(open(&upstream, request()).await.err().expect("a fault").kind(), kind);
    }
    let whole = Act::Answer(sized(b"x", 1));
    let server = Hostile::script(vec![Act::Close(vec![]), Act::Answer(json(503, "{}")), whole]).await;
    let upstream = upstream(server.address, transport(), false);
    assert!(all(open(&upstream, request()).await.expect("the third answer")).await.1.is_ok());
}

#[tokio::test]
async fn a_file_beyond_the_cap_does_not_begin_or_ends_with_the_cap() {
    let small = Transport { max_download_bytes: 100_000, ..transport() };
    let server =
        Hostile::script(vec![Act::Answer(sized(&[], 100_001)), Act::Answer(chunked(&bytes(400_000), true))]).await;
    let upstream = upstream(server.address, small, false);
    let fault = open(&upstream, request()).await.err().expect("too large");
    assert_eq!(fault.kind(), Kind::TooLarge);
    let (chunks, end) = all(open(&upstream, request()).await.expect("it does not say how large it is")).await;
    let status = end.expect_err("too large");
    assert!(status.message().contains("transport.max_download_bytes"), "{status:?}");
    assert!(chunks.iter().map(|chunk| chunk.data.len()).sum::<usize>() <= 100_000);
    server.until_closed().await;
    // An answer that is read as a whole keeps its own limit, which a file may pass.
    assert!(transport().max_reply_bytes < 100_000);
}

#[tokio::test]
async fn silence_ends_a_file_by_its_limit_or_the_deadline() {
    let act = || Act::Drip(sized(&bytes(1000), 2000), Duration::from_secs(60), bytes(1));
    for (wait, code) in [(20_000, Code::Unavailable), (600, Code::DeadlineExceeded)] {
        let request = within(Duration::from_millis(wait));
        let (upstream, server) = file(act()).await;
        let (_, end) = all(open(&upstream, request).await.expect("a file")).await;
        let status = end.expect_err("an end");
        assert_eq!(status.code(), code);
        assert!(status.message().contains("1000 bytes"), "{status:?}");
        server.until_closed().await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_frees_the_connection_and_its_place() {
    let server = Hostile::script(vec![Act::Drip(sized(&bytes(10), 2000), Duration::from_secs(60), bytes(1))]).await;
    let upstream = upstream(server.address, Transport { in_flight: 1, ..transport() }, false);
    let mut pieces = open(&upstream, request()).await.expect("a file");
    pieces.next().await.expect("a piece").expect("no fault");
    assert_eq!(said(read(&upstream).await).2, "ACCOUNT_BUSY");
    drop(pieces);
    server.until_closed().await;
    let again = open(&upstream, request()).await;
    assert!(again.is_ok(), "the place is free");
}

/// Sends without an end, and counts what the socket takes.
async fn endless() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, sent) = (listener.local_addr().expect("an address"), Arc::<AtomicUsize>::default());
    let count = sent.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(&head(&format!("content-length: {}", 1_u64 << 29))).await;
        let piece = vec![7; 16 << 10];
        while stream.write_all(&piece).await.is_ok() {
            count.fetch_add(piece.len(), SeqCst);
        }
    });
    (address, sent)
}

/// What is sent when nothing more is.
async fn standstill(sent: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = sent.load(SeqCst);
        if now == before {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_slow_caller_slows_the_supplier_down() {
    /// What the kernel's buffers and one piece hold; the file is 512 MiB.
    const MOST: usize = 24 << 20;
    let (address, sent) = endless().await;
    let patient = Transport { idle_seconds: 60.0, ..transport() };
    let upstream = upstream(address, patient, false);
    let mut pieces = open(&upstream, within(Duration::from_secs(600))).await.expect("a file");
    let mut taken = 0;
    for goal in [0, 30 << 20, 60 << 20] {
        while taken < goal {
            taken += pieces.next().await.expect("a piece").expect("no fault").chunk.expect("a chunk").data.len();
        }
        let stopped = timeout(Duration::from_secs(60), standstill(&sent)).await.expect("it stops");
        assert!(stopped - taken <= MOST, "{stopped} bytes left the supplier, {taken} were taken");
    }
}

#[test]
fn the_message_is_that_of_the_contract() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([root]).expect("the folder exists");
    compiler.include_imports(true).open_file("ispbridge/type/v1/chunk.proto").expect("it compiles");
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("descriptors");
    let chunk = pool.get_message_by_name("ispbridge.type.v1.Chunk").expect("the message");
    let ours =
        Chunk { content_type: Some("a/b".into()), file_name: Some("n".into()), size: Some(3), data: vec![1, 2, 3] };
    let read = DynamicMessage::decode(chunk, ours.encode_to_vec().as_slice()).expect("the same form");
    assert_eq!(read.unknown_fields().count(), 0);
    let field = |name: &str| read.get_field_by_name(name).expect("a field").into_owned();
    assert_eq!((field("content_type").as_str(), field("file_name").as_str()), (Some("a/b"), Some("n")));
    assert_eq!(
        (field("size").as_u64(), field("data").as_bytes().map(|data| data.to_vec())),
        (Some(3), Some(vec![1, 2, 3]))
    );
    assert_eq!(read.descriptor().fields().count(), 4);
}
