//! Malformed requests over every protocol: their caller is told what is wrong, no instance hears of them, and nobody else
//! is the worse for it.

use http::{Request, Version};
use serde_json::json;
use tonic::Code;

use super::told::{ALL_DOORS, ENVELOPED, Over, Told};
use crate::{
    KEY,
    backend::{ADD, Backend, GET},
    caller::{ALL, Suite, frame, instances},
    payload,
    status::status,
    streaming,
};

/// An envelope with this flag.
fn flagged(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &frame(message)[1..]].concat()
}

/// A gateway before two instances, of which one would rest after five failures in a row.
async fn suite() -> ([Backend; 2], Suite) {
    suite_with("").await
}

async fn suite_with(more: &str) -> ([Backend; 2], Suite) {
    let backends = [Backend::start().await, Backend::start().await];
    let addresses = [backends[0].address, backends[1].address];
    let suite = Suite::routed(&instances(&addresses), more).await;
    (backends, suite)
}

/// Makes one call that is well, and checks that nothing was held against anybody.
async fn all_is_well(backends: &[Backend], suite: &Suite) {
    assert!(backends.iter().all(|one| one.arrivals().is_empty()), "a malformed request reached a service");
    let now = status(suite).await;
    assert_eq!((&now["failures"], &now["gateway"]["failures_per_second"]), (&json!([]), &json!(0.0)), "{now}");
    for instance in now["providers"][0]["instances"].as_array().unwrap() {
        assert_eq!(instance["state"], "up", "{now}");
    }
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
}

async fn expect(suite: &Suite, over: Over, case: &str, headers: &[(&str, &str)], body: &[u8], told: &Told) {
    for path in [GET, ADD] {
        let found = over.call(suite, path, headers, body).await;
        assert_eq!(found.as_ref(), Some(told), "{over:?}: {case}");
    }
}

#[tokio::test]
async fn wrong_envelopes_are_their_callers() {
    let (backends, suite) = suite().await;
    for over in ENVELOPED {
        let one = frame(over.message()).to_vec();
        let cases = [
            ("nothing", vec![], Code::Unimplemented, "MESSAGE_COUNT"),
            ("two", one.repeat(2), Code::Unimplemented, "MESSAGE_COUNT"),
            ("bytes behind", [&one[..], &[0]].concat(), Code::Unimplemented, "MESSAGE_COUNT"),
            ("an empty one first", [&[0; 5], &one[..]].concat(), Code::Unimplemented, "MESSAGE_COUNT"),
            ("half a head", one[..3].to_vec(), Code::InvalidArgument, "REQUEST_BROKEN"),
            ("half a message", one[..7].to_vec(), Code::InvalidArgument, "REQUEST_BROKEN"),
            ("4 GiB", vec![0, 0xff, 0xff, 0xff, 0xff, 1], Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
            ("no such flag", flagged(4, over.message()), Code::Internal, "REQUEST_FRAMING"),
            ("the flag of an end", flagged(2, b"{}"), Code::Internal, "REQUEST_FRAMING"),
            ("packed by nobody knows what", flagged(1, over.message()), Code::Internal, "REQUEST_FRAMING"),
        ];
        for (case, body, code, reason) in cases {
            expect(&suite, over, case, &[], &body, &Told::callers(code, reason)).await;
        }
    }
    all_is_well(&backends, &suite).await;
}

#[tokio::test]
async fn the_size_limit_is_told_over_every_door() {
    let (backends, suite) = suite().await;
    let told = Told::callers(Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    for over in ALL_DOORS {
        for size in [(1 << 20) + 1, 2 << 20, 4 << 20] {
            let message = match over {
                Over::Json | Over::StreamJson => format!("{{\"name\":\"{}\"}}", "x".repeat(size)).into_bytes(),
                _ => vec![7; size],
            };
            let body = if ENVELOPED.contains(&over) { frame(&message).to_vec() } else { message };
            expect(&suite, over, &format!("{size} bytes"), &[], &body, &told).await;
        }
    }
    all_is_well(&backends, &suite).await;
    // The limit is the message's own: what it is packed in does not count.
    for over in [Over::Grpc, Over::Web, Over::Stream] {
        let found = over.call(&suite, GET, &[], &frame(&vec![7; 1 << 20])).await;
        assert_eq!(found, None, "{over:?}");
    }
}

#[tokio::test]
async fn unknown_and_broken_encodings_are_told() {
    let (backends, suite) = suite().await;
    for over in ALL_DOORS {
        let told = Told::callers(Code::Unimplemented, "COMPRESSION_UNKNOWN");
        let body = if ENVELOPED.contains(&over) { frame(over.message()).to_vec() } else { over.message().to_vec() };
        expect(&suite, over, "br", &[(over.encoding(), "br")], &body, &told).await;
    }
    let answer = suite.call(GET, &[KEY, ("grpc-encoding", "br")], payload()).await;
    assert_eq!(answer.headers["grpc-accept-encoding"], "identity,gzip");
    // Of protobuf in envelopes the gateway unpacks nothing: there it is the service that says so.
    for over in [Over::StreamJson, Over::Connect, Over::Json] {
        let body = if ENVELOPED.contains(&over) { flagged(1, b"no gzip") } else { b"no gzip".to_vec() };
        let told = Told::callers(Code::Internal, "REQUEST_COMPRESSION");
        expect(&suite, over, "no gzip", &[(over.encoding(), "gzip")], &body, &told).await;
        let bomb = ispbridge_kit::reply::bomb(100);
        let body = if ENVELOPED.contains(&over) { flagged(1, &bomb) } else { bomb };
        let told = Told::callers(Code::ResourceExhausted, "REQUEST_TOO_LARGE");
        expect(&suite, over, "a bomb", &[(over.encoding(), "gzip")], &body, &told).await;
    }
    all_is_well(&backends, &suite).await;
}

#[tokio::test]
async fn a_request_that_breaks_off_or_never_ends_did_nothing() {
    // How long what remains of a request is waited for.
    let (backends, suite) = suite_with("server.preface_seconds = 0.5").await;
    for over in ALL_DOORS.into_iter().filter(|over| *over != Over::Grpc) {
        let whole = if ENVELOPED.contains(&over) { frame(over.message()).to_vec() } else { over.message().to_vec() };
        for part in [&whole[..0], &whole[..3], &whole[..whole.len() - 1], &whole] {
            let broken = over.begin(&suite, ADD, part, true).await;
            assert_eq!(broken, Told::callers(Code::InvalidArgument, "REQUEST_BROKEN"), "{over:?} {part:?}");
        }
        for path in [GET, ADD] {
            let waiting = over.begin(&suite, path, &whole[..3], false).await;
            assert_eq!(waiting, Told::callers(Code::DeadlineExceeded, "REQUEST_INCOMPLETE"), "{over:?}");
        }
    }
    all_is_well(&backends, &suite).await;
}

#[tokio::test]
async fn a_grpc_request_that_never_ends_did_nothing_and_takes_no_place_of_its_provider() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "limits.providers.fake-isp = 1").await;
    let mut waiting = Vec::new();
    for path in [GET, ADD, ADD] {
        let (frames, body) = streaming::body();
        frames.send(Ok(http_body::Frame::data(payload().slice(..7)))).await.unwrap();
        let address = suite.running.grpc_addr();
        let request = Request::post(format!("http://{address}{path}")).version(Version::HTTP_2);
        let request = request.header("content-type", "application/grpc").header("x-api-key", ALL);
        let request = request.header("grpc-timeout", "500m").body(body).unwrap();
        let mut sender = streaming::connected(address).await;
        waiting.push((tokio::spawn(async move { sender.send_request(request).await }), frames));
    }
    // The one place of the provider is free for others.
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    for (answer, _frames) in waiting {
        let answer = answer.await.unwrap().unwrap();
        let status = tonic::Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(Told::of_status(&status), Told::callers(Code::DeadlineExceeded, "REQUEST_INCOMPLETE"));
    }
    assert_eq!(backend.arrivals().len(), 1);
    assert_eq!(status(&suite).await["failures"], json!([]));
}
