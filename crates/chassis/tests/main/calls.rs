//! What every call gets from the layers.

use std::time::Duration;

use ispbridge_kit::http1::get;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::probe::{READ, WRITE, ask, connected, drink, send, started, until_metric};

fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn a_call_is_answered_and_carries_an_id() {
    let running = started("").await;
    let answer = ask(running.grpc_addr(), READ, "hello").await.unwrap();
    assert_eq!(answer.get_ref(), "hello");
    assert_eq!(answer.metadata().get("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn the_callers_id_is_seen_by_the_handler_and_returned_with_an_error_too() {
    let running = started("").await;
    let channel = connected(running.grpc_addr()).await;
    let with_id = |text: &str| {
        let mut request = Request::new(text.to_owned());
        request.metadata_mut().insert("x-request-id", "order-17".parse().unwrap());
        request
    };
    let answer = send(channel.clone(), READ, with_id("show x-request-id")).await.unwrap();
    assert_eq!(
        (answer.get_ref().as_str(), answer.metadata().get("x-request-id").unwrap().to_str().unwrap()),
        ("order-17", "order-17")
    );
    let status = send(channel, READ, with_id("panic")).await.unwrap_err();
    assert_eq!(status.metadata().get("x-request-id").unwrap(), "order-17");
}

#[tokio::test]
async fn a_missed_deadline_says_whether_something_may_have_happened() {
    let running = started("[server]\ndefault_deadline_seconds = 0.05").await;
    let read = ask(running.grpc_addr(), READ, "sleep 5000").await.unwrap_err();
    assert_eq!((read.code(), reason(&read).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    let write = ask(running.grpc_addr(), WRITE, "sleep 5000").await.unwrap_err();
    assert_eq!((write.code(), reason(&write).as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
    assert_eq!(write.get_details_error_info().unwrap().metadata["outcome"], "UNKNOWN");
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_too() {
    let running = started("[server]\ndefault_deadline_seconds = 0.2").await;
    let (messages, status) = drink(connected(running.grpc_addr()).await, Request::new("hang".to_owned())).await;
    assert_eq!(messages, ["first"]);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn a_panic_in_the_middle_of_a_reply_ends_it_with_a_status() {
    let running = started("[admin]\nlisten = \"127.0.0.1:0\"").await;
    let channel = connected(running.grpc_addr()).await;
    let (_, status) = drink(channel.clone(), Request::new("panic".to_owned())).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "PANIC"));
    assert!(send(channel, READ, Request::new("hello".to_owned())).await.is_ok());
    until_metric(running.admin_addr().unwrap(), "ispbridge_panics_total", " 1").await;
}

#[tokio::test]
async fn the_handler_knows_the_deadline() {
    let running = started("[server]\ndefault_deadline_seconds = 20\nmax_deadline_seconds = 40").await;
    let channel = connected(running.grpc_addr()).await;
    for (timeout, around) in [(None, 20_000), (Some(5), 5_000), (Some(3_600), 40_000)] {
        let mut request = Request::new("show deadline".to_owned());
        if let Some(seconds) = timeout {
            request.metadata_mut().insert("grpc-timeout", format!("{seconds}S").parse().unwrap());
        }
        let left: i64 = send(channel.clone(), READ, request).await.unwrap().into_inner().parse().unwrap();
        assert!((around - 2_000..=around).contains(&left), "{timeout:?}: {left}");
    }
}

#[tokio::test]
async fn a_panic_costs_one_call_and_says_nothing() {
    let running = started("[admin]\nlisten = \"127.0.0.1:0\"").await;
    let channel = connected(running.grpc_addr()).await;
    let status = send(channel.clone(), READ, Request::new("panic".to_owned())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "PANIC"));
    let id = status.metadata().get("x-request-id").unwrap().to_str().unwrap();
    assert!(status.message().contains(id) && !status.message().contains("hunter2"), "{}", status.message());
    assert!(send(channel, READ, Request::new("hello".to_owned())).await.is_ok());
    let metrics = get(running.admin_addr().unwrap(), "/metrics").await;
    assert!(
        metrics.lines().any(|line| line.starts_with("ispbridge_panics_total") && line.ends_with(" 1")),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_unknown_method_is_told_so() {
    let running = started("").await;
    let status = ask(running.grpc_addr(), "/nobody.v1.NobodyService/Ask", "hello").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"));
    assert_eq!(status.message(), "there is no such method here");
}

#[tokio::test]
async fn what_is_too_large_is_refused_in_both_directions() {
    let running = started("[server]\nmax_request_bytes = 1000\nmax_reply_bytes = 1000").await;
    let address = running.grpc_addr();
    assert!(ask(address, READ, &"y".repeat(900)).await.is_ok());
    let request = ask(address, READ, &"y".repeat(1100)).await.unwrap_err();
    assert_eq!((request.code(), reason(&request).as_str()), (Code::ResourceExhausted, "REQUEST_TOO_LARGE"));
    let reply = ask(address, READ, "large 1100").await.unwrap_err();
    assert_eq!((reply.code(), reason(&reply).as_str()), (Code::ResourceExhausted, "REPLY_TOO_LARGE"));
    let write = ask(address, WRITE, "large 1100").await.unwrap_err();
    assert_eq!((write.code(), reason(&write).as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
    for status in [reply, write] {
        let limit = status.get_details_error_info().unwrap().metadata["limit"].clone();
        assert_eq!(limit, "server.max_reply_bytes", "{status:?}");
    }
}

#[tokio::test]
async fn a_call_too_many_is_refused_at_once() {
    let running = started("[server]\nmax_in_flight = 1").await;
    let channel = connected(running.grpc_addr()).await;
    let busy = tokio::spawn(send(channel.clone(), READ, Request::new("sleep 60000".to_owned())));
    // The busy call is on its way on the same connection; until it has arrived, others still get in.
    let refused = async {
        loop {
            match send(channel.clone(), READ, Request::new("hello".to_owned())).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(status) => break status,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "TOO_MANY_CALLS"));
    assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    busy.abort();
}
