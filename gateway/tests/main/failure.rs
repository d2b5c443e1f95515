//! What a caller is told when the service, or the way to it, fails.

use std::{net::SocketAddr, time::Duration};

use ispbridge_kit::clock::comes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    KEY,
    backend::{ADD, Backend, Behaviour, GET},
    caller::{READER, Suite, instances},
    info, payload, suite,
};

#[tokio::test]
async fn of_a_write_whose_connection_dies_the_outcome_is_unknown() {
    let (backend, suite) = suite().await;
    for behaviour in [Behaviour::Die, Behaviour::DieInReply] {
        backend.behave(&[behaviour]);
        let answer = suite.call(ADD, &[KEY], payload()).await;
        assert_eq!(answer.code(), Code::Aborted, "{behaviour:?}");
        assert_eq!(answer.info(), info("OUTCOME_UNKNOWN", "UNKNOWN"));
        assert_eq!(backend.arrivals().len(), 1, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_read_whose_connection_dies_is_sent_once_more() {
    // The backend cuts all of its connections: with another one beside it the read could meet the same end there.
    let backend = Backend::start().await;
    let suite = Suite::routed(&instances(&[backend.address]), "").await;
    backend.behave(&[Behaviour::Die, Behaviour::Echo]);
    let answer = suite.call(GET, &[KEY], payload()).await;
    assert_eq!((answer.code(), answer.body), (Code::Ok, payload()));
    let bodies: Vec<_> = backend.arrivals().into_iter().map(|arrival| arrival.body).collect();
    assert_eq!(bodies, [payload(), payload()]);

    backend.behave(&[Behaviour::Die]);
    let answer = suite.call(GET, &[KEY], payload()).await;
    assert_eq!(answer.code(), Code::Unavailable);
    assert_eq!(backend.arrivals().len(), 2);

    backend.behave(&[Behaviour::DieInReply]);
    let answer = suite.call(GET, &[KEY], payload()).await;
    assert_eq!((answer.code(), answer.body.clone()), (Code::Unavailable, payload()));
    assert_eq!(answer.info(), info("SERVICE_LOST", "UNKNOWN"));
    assert_eq!(backend.arrivals().len(), 1, "a reply that has begun cannot be begun again");
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_even_for_a_write() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Refuse, Behaviour::Echo]);
    let answer = suite.call(ADD, &[KEY], payload()).await;
    assert_eq!((answer.code(), answer.body), (Code::Ok, payload()));

    backend.behave(&[Behaviour::Refuse]);
    let answer = suite.call(ADD, &[KEY], payload()).await;
    assert_eq!(answer.code(), Code::Unavailable);
    assert_eq!(answer.info(), info("SERVICE_UNREACHABLE", "NOT_SENT"));
}

#[tokio::test]
async fn a_missed_deadline_is_told_in_time_and_by_idempotency() {
    let (backend, suite) = suite().await;
    for behaviour in [Behaviour::Hang, Behaviour::HangInReply] {
        backend.behave(&[behaviour]);
        let deadline = ("grpc-timeout", "300m");
        let read = comes(suite.call(GET, &[KEY, deadline], payload())).await;
        let write = comes(suite.call(ADD, &[KEY, deadline], payload())).await;
        assert_eq!(read.code(), Code::DeadlineExceeded, "{behaviour:?}");
        assert_eq!(read.info(), info("DEADLINE_EXCEEDED", "UNKNOWN"));
        assert_eq!(write.code(), Code::Aborted, "{behaviour:?}");
        assert_eq!(write.info(), info("OUTCOME_UNKNOWN", "UNKNOWN"));
    }
    backend.arrivals();
    let answer = suite.call(ADD, &[KEY, ("grpc-timeout", "20m")], payload()).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
    assert_eq!(answer.info(), info("DEADLINE_EXCEEDED", "NOT_SENT"));
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn a_reply_that_is_not_grpc_becomes_a_status() {
    let (backend, suite) = suite().await;
    for behaviour in [Behaviour::NoStatus, Behaviour::BadGateway] {
        backend.behave(&[behaviour]);
        assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Unavailable, "{behaviour:?}");
        let write = suite.call(ADD, &[KEY], payload()).await;
        assert_eq!(write.code(), Code::Aborted, "{behaviour:?}");
        assert_eq!(write.info(), info("OUTCOME_UNKNOWN", "UNKNOWN"));
    }
}

#[tokio::test]
async fn without_an_instance_nothing_is_sent_and_an_instance_that_comes_is_found() {
    let reserved = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let suite = Suite::over(address).await;
    let answer = suite.call(ADD, &[KEY], payload()).await;
    assert_eq!(answer.code(), Code::Unavailable);
    assert_eq!(answer.info(), info("SERVICE_UNREACHABLE", "NOT_SENT"));
    assert!(answer.status().get_details_retry_info().is_some());
    let reader = suite.call(GET, &[("x-api-key", READER)], payload()).await;
    assert_eq!((reader.code(), reader.info().0.as_str()), (Code::Unavailable, "CATALOG_NOT_READY"));

    let backend = Backend::start_at(address).await;
    let found = async {
        while suite.call(ADD, &[KEY], payload()).await.code() != Code::Ok {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), found).await.expect("the instance is found");
    assert_eq!(backend.arrivals().len(), 1);
}

/// A peer that answers the first request of every connection with a GOAWAY and closes.
async fn leaver(last_stream: u8, reason: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(leave(stream, last_stream, reason));
        }
    });
    address
}

async fn leave(mut stream: TcpStream, last_stream: u8, reason: u8) {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    stream.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await.unwrap();
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_stream, 0, 0, 0, reason];
    stream.write_all(&goaway).await.unwrap();
    // Closing with unread bytes would reset the connection before the frame is read.
    stream.shutdown().await.unwrap();
    while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
}

#[tokio::test]
async fn a_goaway_tells_which_calls_were_not_processed() {
    const NO_ERROR: u8 = 0;
    const ENHANCE_YOUR_CALM: u8 = 11;
    for reason in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let suite = Suite::over(leaver(0, reason).await).await;
        let answer = suite.call(ADD, &[KEY], payload()).await;
        assert_eq!(answer.code(), Code::Unavailable, "{reason}");
        assert_eq!(answer.info(), info("SERVICE_UNREACHABLE", "NOT_SENT"));

        let suite = Suite::over(leaver(255, reason).await).await;
        let answer = suite.call(ADD, &[KEY], payload()).await;
        assert_eq!(answer.code(), Code::Aborted, "{reason}");
        assert_eq!(answer.info(), info("OUTCOME_UNKNOWN", "UNKNOWN"));
    }
}
