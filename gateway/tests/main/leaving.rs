//! A gateway that is told to stop while calls come in (F14 of the reliability plan).

use std::time::{Duration, Instant};

use http::Request;
use http_body_util::{BodyExt, Full};
use ispbridge_kit::clock::comes;
use tokio::task::JoinSet;

use crate::{
    KEY,
    backend::{Backend, Behaviour, GET},
    caller::{Suite, call_on},
    payload,
};

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Answered,
    /// The connection was told to go away: a client sends the call elsewhere, if nobody took it.
    NotTaken,
    Failed(String),
}

#[tokio::test]
async fn no_call_that_was_taken_fails_when_a_gateway_stops() {
    let backend = Backend::start().await;
    let settings = "server.announce_seconds = 0.3\nserver.drain_seconds = 300\nlimits.in_flight_per_principal = 200";
    let suite = Suite::start_with(&backend, settings).await;
    backend.behave(&[0, 400, 5, 20, 1000, 50].map(Behaviour::Slow).repeat(100));
    let Suite { running, sender } = suite;
    let address = running.grpc_addr();
    let mut calls = JoinSet::new();
    let load = async {
        // 200 a second, until half a second after the order to stop.
        let begun = Instant::now();
        for number in 0..200 {
            calls.spawn(call(sender.clone(), address));
            tokio::time::sleep_until((begun + Duration::from_millis(5 * (number + 1))).into()).await;
        }
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        running.announce().await;
        comes(running.drain()).await;
    };
    tokio::join!(load, stop);
    let ends = calls.join_all().await;
    let count = |end: &End| ends.iter().filter(|one| *one == end).count();
    let failed: Vec<_> = ends.iter().filter(|end| matches!(end, End::Failed(_))).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(count(&End::Answered) >= 60, "{}", count(&End::Answered));
    assert!(count(&End::NotTaken) > 0);
    // What a client calls not taken has come nowhere.
    assert_eq!(backend.arrivals().len(), count(&End::Answered));
}

async fn call(
    mut sender: hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>,
    address: std::net::SocketAddr,
) -> End {
    let request = Request::post(format!("http://{address}{GET}"))
        .header("content-type", "application/grpc")
        .header(KEY.0, KEY.1)
        .header("te", "trailers");
    let Ok(response) = sender.send_request(request.body(Full::new(payload())).unwrap()).await else {
        return End::NotTaken;
    };
    if let Some(status) = tonic::Status::from_header_map(response.headers()) {
        return End::Failed(status.to_string());
    }
    match response.into_body().collect().await {
        Ok(body) => match body.trailers().and_then(|trailers| trailers.get("grpc-status")) {
            Some(status) if status == "0" => End::Answered,
            other => End::Failed(format!("{other:?}")),
        },
        Err(error) => End::Failed(error.to_string()),
    }
}

#[tokio::test]
async fn health_says_it_before_anything_is_refused() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "server.announce_seconds = 0.2").await;
    let announced = suite.running.announce();
    let seen = async {
        while suite.health("", &[]).await == Ok(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (suite.health("", &[]).await, suite.call(GET, &[KEY], payload()).await.code())
    };
    let ((), seen) = tokio::join!(announced, seen);
    assert_eq!(seen, (Ok(2), tonic::Code::Ok));
    let (sender, address) = (suite.sender.clone(), suite.running.grpc_addr());
    assert_eq!(call_on(sender, address, GET, &[KEY], payload()).await.code(), tonic::Code::Ok);
    suite.running.drain().await;
}
