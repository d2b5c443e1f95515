//! The engine over real sockets: what is known of a call when the connection breaks, and what is repeated.

mod connecting;
mod dialects;
mod download;
mod sample;
mod sessions;
mod untyped;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridge::{
    Fault, Upstream,
    fault::{Kind, Outcome},
    http::Transport,
};
use ispbridge_kit::{
    Act, Hostile, Reply,
    clock::{self, comes},
    hostile::nobody,
};
use protocol::CallContext;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

use crate::contract::{ScalarsReply, ScalarsRequest};
pub(crate) use sample::transport;
use sample::{SECRET, half, json, reply, upstream, upstream_at};

type Answer = Result<Response<ScalarsReply>, Fault>;

fn request() -> Request<ScalarsRequest> {
    Request::new(ScalarsRequest { name: "n".into(), ..ScalarsRequest::default() })
}

/// A request whose caller waits this long.
fn within(wait: Duration) -> Request<ScalarsRequest> {
    let mut request = request();
    CallContext::of_mut(request.extensions_mut()).deadline = Instant::now() + wait;
    request
}

async fn read(upstream: &Upstream) -> Answer {
    upstream.call(&request())?.read("op", request().get_ref()).await
}

async fn write(upstream: &Upstream) -> Answer {
    upstream.call(&request())?.write("op", request().into_inner()).await
}

fn ok() -> Vec<u8> {
    json(200, r#"{"id":"7"}"#)
}

/// An upstream and its server, which does `acts`.
async fn pair(acts: Vec<Act>) -> (Upstream, Hostile) {
    let server = Hostile::script(acts).await;
    (upstream(server.address, transport(), false), server)
}

fn said(answer: Answer) -> (Kind, Outcome, &'static str) {
    let fault = answer.expect_err("a fault");
    (fault.kind(), fault.outcome(), fault.reason())
}

#[tokio::test]
async fn a_call_goes_there_and_back() {
    let (upstream, server) = pair(vec![Act::Answer(ok())]).await;
    assert_eq!(read(&upstream).await.expect("an answer").get_ref().id, "7");
    assert_eq!(write(&upstream).await.expect("an answer").get_ref().id, "7");
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /op?token=") && request.ends_with(r#"{"fullname":"n"}"#), "{request}");
}

#[tokio::test]
async fn a_write_that_breaks_after_it_left_is_unknown_and_sent_once() {
    let broken = [Act::Close(vec![]), Act::Close(half()), Act::Reset(vec![]), Act::Reset(half())];
    for act in broken {
        let (upstream, server) = pair(vec![act]).await;
        assert_eq!(said(write(&upstream).await), (Kind::Unavailable, Outcome::Unknown, "UPSTREAM_CONNECTION"));
        assert_eq!(server.requests().len(), 1);
        let status: Status = upstream.write::<_, ScalarsReply>("op", request()).await.expect_err("a fault");
        let info = status.get_error_details().error_info().expect("an ErrorInfo").clone();
        assert_eq!((status.code(), info.reason.as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
        assert_eq!((info.domain.as_str(), info.metadata["probe"].as_str()), ("sample.ispbridge", "SampleService/Rest"));
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_read_that_breaks_is_repeated_within_the_budget() {
    let (upstream, server) = pair(vec![Act::Close(vec![]), Act::Reset(half()), Act::Answer(ok())]).await;
    assert_eq!(read(&upstream).await.expect("the third answer").get_ref().id, "7");
    assert_eq!(server.requests().len(), 3);
    let (upstream, server) = pair(vec![Act::Close(vec![])]).await;
    assert_eq!(said(read(&upstream).await).1, Outcome::Unknown);
    assert_eq!(server.requests().len(), 3, "and no more");
}

#[tokio::test]
async fn a_server_error_is_repeated_for_a_read_only() {
    let (upstream, server) = pair(vec![Act::Answer(json(503, "{}")), Act::Answer(ok())]).await;
    assert!(read(&upstream).await.is_ok());
    assert_eq!(server.requests().len(), 2);
    let (upstream, server) = pair(vec![Act::Answer(json(503, "{}")), Act::Answer(ok())]).await;
    assert_eq!(said(write(&upstream).await).1, Outcome::Unknown);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_means_nothing_was_sent() {
    let upstream = upstream(nobody().await, transport(), false);
    assert_eq!(said(write(&upstream).await), (Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE"));
}

#[tokio::test]
async fn a_wrong_request_is_not_sent() {
    let (upstream, server) = pair(vec![Act::Answer(ok())]).await;
    let call = upstream.call(&request()).expect("the one account");
    let answer: Answer = call.write("op", ScalarsRequest::default()).await;
    assert_eq!(said(answer), (Kind::InvalidArgument, Outcome::NotSent, "INVALID_REQUEST"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_deadline_ends_a_call() {
    let (upstream, server) = pair(vec![Act::Late(Duration::from_secs(300), ok())]).await;
    let call = upstream.call(&within(Duration::from_millis(250))).expect("the one account");
    let answer: Answer = comes(call.write("op", request().into_inner())).await;
    assert_eq!(said(answer), (Kind::DeadlineExceeded, Outcome::Unknown, "UPSTREAM_TIMEOUT"));
    let call = upstream.call(&within(Duration::ZERO)).expect("the one account");
    let answer: Answer = call.write("op", request().into_inner()).await;
    assert_eq!(said(answer), (Kind::DeadlineExceeded, Outcome::NotSent, "DEADLINE_TOO_SHORT"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn silence_before_and_inside_a_reply_ends_a_call() {
    let (upstream, server) = pair(vec![Act::Late(Duration::from_secs(300), ok())]).await;
    assert_eq!(said(write(&upstream).await), (Kind::Unavailable, Outcome::Unknown, "UPSTREAM_TIMEOUT"));
    assert_eq!(server.requests().len(), 1);
    let (upstream, _server) = pair(vec![Act::Answer(half())]).await;
    assert_eq!(said(write(&upstream).await), (Kind::Unavailable, Outcome::Unknown, "UPSTREAM_TIMEOUT"));
}

#[tokio::test]
async fn a_reply_over_its_cap_is_not_read_and_not_asked_for_again() {
    let zeros = format!("\"{}\"", "0".repeat(100 << 10));
    let large = json(200, &zeros);
    let packed = Reply::new(200).with("content-type", "application/json").with_body(zeros).packed().bytes();
    assert!(packed.len() < 16 << 10, "the packed reply is within the cap");
    for bytes in [large, packed] {
        let (upstream, server) = pair(vec![Act::Answer(bytes)]).await;
        assert_eq!(said(read(&upstream).await), (Kind::TooLarge, Outcome::Unknown, "UPSTREAM_BODY_TOO_LARGE"));
        assert_eq!(server.requests().len(), 1);
        assert!(server.requests()[0].contains("accept-encoding: gzip\r\n"));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Hostile::script(vec![Act::Answer(ok())]).await;
    let location = format!("http://{}/op?token={SECRET}", target.address);
    for status in [301, 302, 303, 307, 308] {
        let (upstream, server) = pair(vec![Act::Answer(reply(status, ("location", &location), b""))]).await;
        assert_eq!(said(read(&upstream).await).2, "UPSTREAM_REDIRECT");
        assert_eq!((server.requests().len(), target.connections()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_name_that_leads_home_is_not_called() {
    let server = Hostile::script(vec![Act::Answer(ok())]).await;
    // A name says nothing when the configuration is read; what it leads to is looked at with every connection.
    let address = format!("http://localhost:{}/", server.address.port());
    let strict = || upstream_at(address.clone(), Transport { allow_private: false, ..transport() }, false);
    for answer in [read(&strict()).await, write(&strict()).await] {
        assert_eq!(said(answer), (Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE"));
    }
    assert_eq!(server.connections(), 0);
    assert!(read(&upstream_at(address, transport(), false)).await.is_ok());
}

#[tokio::test]
async fn no_error_tells_the_query() {
    let location = format!("/op?token={SECRET}");
    let acts = [
        Act::Close(vec![]),
        Act::Close(half()),
        Act::Close(b"HTTP/9 garbage\r\n\r\n".to_vec()),
        Act::Reset(vec![]),
        Act::Late(Duration::from_secs(300), ok()),
        Act::Answer(reply(302, ("location", &location), b"")),
        Act::Answer(json(401, "{}")),
        Act::Answer(json(500, "{}")),
        Act::Answer(json(200, "{")),
        Act::Answer(json(200, "{}")),
        Act::Answer(json(200, &format!("\"{}\"", "0".repeat(100 << 10)))),
    ];
    let mut upstreams = vec![upstream(nobody().await, transport(), false)];
    let mut servers = Vec::new();
    for act in acts {
        let (upstream, server) = pair(vec![act]).await;
        upstreams.push(upstream);
        servers.push(server);
    }
    for upstream in upstreams {
        let fault = write(&upstream).await.expect_err("a fault");
        let told = format!("{fault} {fault:?} {:?}", Status::from(fault.clone()));
        assert!(!told.contains(SECRET), "{told}");
    }
    assert!(servers.iter().all(|server| server.requests()[0].contains(SECRET)), "it was sent");
}

/// A server with sessions: `login` gives `key1`, `key2` and so on, of which those below `dead` are over.
async fn with_sessions(dead: Arc<AtomicUsize>) -> (Upstream, Hostile) {
    let logins = AtomicUsize::new(0);
    let server = Hostile::start(move |asked| {
        if asked.text.starts_with("POST /login?") {
            let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return Act::Late(Duration::from_millis(50), json(200, &format!(r#"{{"key":"key{number}"}}"#)));
        }
        let over = |number| asked.text.contains(&format!("x-session: key{number}\r\n"));
        let alive = !(1..dead.load(Ordering::SeqCst)).any(over);
        Act::Answer(if alive { ok() } else { json(200, r#"{"error":"session"}"#) })
    })
    .await;
    (upstream(server.address, transport(), true), server)
}

#[tokio::test]
async fn many_calls_share_one_login() {
    let (upstream, server) = with_sessions(Arc::default()).await;
    let calls: Vec<_> =
        (0..8).map(|_| upstream.clone()).map(|upstream| tokio::spawn(async move { read(&upstream).await })).collect();
    for call in calls {
        assert!(call.await.expect("no panic").is_ok());
    }
    assert_eq!((server.count("POST /login?"), server.count("POST /op?")), (1, 8));
}

#[tokio::test]
async fn a_dead_session_is_replaced_and_the_call_made_once_more() {
    for (over, replayed) in [(2, true), (3, false)] {
        let dead = Arc::new(AtomicUsize::new(0));
        let (upstream, server) = with_sessions(dead.clone()).await;
        assert!(write(&upstream).await.is_ok());
        // Nothing is on its way while the clock jumps over the pace of logins.
        clock::skip(Duration::from_secs(11)).await;
        dead.store(over, Ordering::SeqCst);
        let answer = write(&upstream).await;
        assert_eq!((server.count("POST /login?"), server.count("POST /op?")), (2, 3), "{answer:?}");
        match answer {
            Ok(answer) => assert!(replayed && answer.get_ref().id == "7"),
            Err(fault) => assert_eq!((replayed, fault.outcome()), (false, Outcome::NotSent), "{fault}"),
        }
    }
}

#[tokio::test]
async fn a_login_that_fails_leaves_the_call_unsent() {
    let server = Hostile::script(vec![Act::Close(vec![])]).await;
    let upstream = upstream(server.address, transport(), true);
    let (_, outcome, _) = said(write(&upstream).await);
    assert_eq!((outcome, server.count("POST /op?")), (Outcome::NotSent, 0));
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_stop_a_write() {
    let (upstream, server) = pair(vec![Act::Late(Duration::from_millis(300), ok())]).await;
    let places = Arc::new(Semaphore::new(1));
    let mut request = request();
    let place = places.clone().acquire_owned().await.expect("a place");
    CallContext::of_mut(request.extensions_mut()).permit = Some(place.into());
    let caller = tokio::spawn(async move { upstream.write::<_, ScalarsReply>("op", request).await });
    server.until(1).await;
    caller.abort();
    assert!(caller.await.expect_err("the caller is gone").is_cancelled());
    assert_eq!(server.answered(), 0);
    let _place = timeout(Duration::from_secs(2), places.acquire()).await.expect("the write ends").expect("open");
    assert_eq!(server.answered(), 1, "the place is held until the answer is there");
}

#[tokio::test]
async fn calls_beyond_the_cap_are_refused_at_once() {
    let server = Hostile::script(vec![Act::Late(Duration::from_millis(300), ok())]).await;
    let upstream = upstream(server.address, Transport { in_flight: 1, ..transport() }, false);
    let first = tokio::spawn({
        let upstream = upstream.clone();
        async move { read(&upstream).await }
    });
    server.until(1).await;
    assert_eq!(said(write(&upstream).await), (Kind::ResourceExhausted, Outcome::NotSent, "ACCOUNT_BUSY"));
    assert!(first.await.expect("no panic").is_ok());
    assert!(write(&upstream).await.is_ok(), "the place is free again");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn three_refused_credentials_stop_the_account() {
    let (upstream, server) = pair(vec![Act::Answer(json(401, "{}"))]).await;
    for _ in 0..3 {
        assert_eq!(said(write(&upstream).await), (Kind::UpstreamAuth, Outcome::Rejected, "UPSTREAM_AUTH"));
    }
    assert_eq!(said(write(&upstream).await), (Kind::UpstreamAuth, Outcome::NotSent, "UPSTREAM_AUTH"));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn writes_take_fresh_connections_and_reads_share() {
    let (upstream, server) = pair(vec![Act::Answer(ok())]).await;
    for _ in 0..3 {
        read(&upstream).await.expect("an answer");
    }
    assert_eq!(server.connections(), 1);
    for _ in 0..2 {
        write(&upstream).await.expect("an answer");
    }
    assert_eq!(server.connections(), 3);
    let server = Hostile::script(vec![Act::Answer(ok())]).await;
    let single = self::upstream(server.address, Transport { keep_alive: false, ..transport() }, false);
    for _ in 0..2 {
        read(&single).await.expect("an answer");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_unreadable_field_is_named_and_a_missing_id_is_a_fault() {
    let unreadable = json(200, r#"{"id":"7","small":"many"}"#);
    let (upstream, _server) = pair(vec![Act::Answer(unreadable), Act::Answer(json(200, "{}"))]).await;
    let answer = write(&upstream).await.expect("an answer");
    assert_eq!(answer.metadata().get(protocol::headers::UNREADABLE_FIELDS.as_str()).expect("the header"), "small");
    assert_eq!(said(write(&upstream).await), (Kind::Unreadable, Outcome::Unknown, "UPSTREAM_REPLY_UNREADABLE"));
}
