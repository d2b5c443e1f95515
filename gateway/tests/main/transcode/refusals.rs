//! Every way to fail that is not about the form of a request, over every protocol: the code, and exactly one `ErrorInfo` that
//! names the outcome, which [`Told`] demands of each answer.

use ispbridge_kit::http1::get;
use tonic::Code;

use super::told::{ALL_DOORS, ENVELOPED, Over, Told};
use crate::{
    KEY,
    backend::{ADD, Backend, Behaviour, GET, SERVICE},
    caller::{NOBODY, READER, Suite, config_with, frame},
    info, payload,
    shop::{self, Shop},
};

/// A refusal, and what it takes to be refused so.
struct Way {
    what: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    code: Code,
    outcome: &'static str,
}

fn way(what: &'static str, path: &str, headers: &[(&'static str, &'static str)], code: Code) -> Way {
    Way { what, path: path.to_owned(), headers: headers.to_vec(), code, outcome: "NOT_SENT" }
}

fn body(over: Over) -> Vec<u8> {
    if ENVELOPED.contains(&over) { frame(over.message()).to_vec() } else { over.message().to_vec() }
}

async fn told(over: Over, suite: &Suite, path: &str, headers: &[(&str, &str)]) -> Told {
    over.call(suite, path, headers, &body(over)).await.unwrap_or_else(|| panic!("{over:?} {path}: it went well"))
}

#[tokio::test]
async fn every_refusal_has_one_error_info_with_an_outcome() {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    let ways = [
        way("no key", GET, &[("x-api-key", "")], Code::Unauthenticated),
        way("a wrong key", GET, &[("x-api-key", "ispb_wrong")], Code::Unauthenticated),
        way("no grant", GET, &[("x-api-key", NOBODY)], Code::PermissionDenied),
        way("no account among two", GET, &[("x-api-key", READER)], Code::InvalidArgument),
        way("a bad account", GET, &[("x-ispbridge-account", "../x")], Code::InvalidArgument),
        way("another's account", ADD, &[("x-ispbridge-account", "other")], Code::PermissionDenied),
        way("an unknown provider", "/ispbridge.none.v1.S/Get", &[], Code::Unimplemented),
    ];
    for over in ALL_DOORS {
        for Way { what, path, headers, code, outcome } in &ways {
            let told = told(over, &suite, path, headers).await;
            assert_eq!((told.code, told.outcome.as_str()), (*code, *outcome), "{over:?}: {what}");
        }
        let soon = if over.soon().0 == "grpc-timeout" { ("grpc-timeout", "20m") } else { ("connect-timeout-ms", "20") };
        let late = told(over, &suite, ADD, &[soon]).await;
        assert_eq!((late.code, late.outcome.as_str()), (Code::DeadlineExceeded, "NOT_SENT"), "{over:?}: no time");
    }
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn a_timeout_that_is_none_is_told_over_every_door() {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    for over in ALL_DOORS {
        let (name, _) = over.soon();
        let bad: &[&str] = match name {
            "grpc-timeout" => &["5x", "5", "-5S", "999999999S", "S", " "],
            _ => &["5S", "-5", "1.5", "1e3", "12345678901", "+5", " "],
        };
        for value in bad {
            let found = told(over, &suite, ADD, &[(name, value)]).await;
            assert_eq!(found, Told::callers(Code::InvalidArgument, "HEADER_INVALID"), "{over:?} {value}");
        }
        let found = told(over, &suite, ADD, &[over.soon(), over.soon()]).await;
        assert_eq!(found, Told::callers(Code::InvalidArgument, "HEADER_INVALID"), "{over:?} twice");
    }
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn every_failure_behind_the_gateway_has_one_error_info_with_an_outcome() {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    let unknown = format!("/{SERVICE}/Strange");
    for over in ALL_DOORS {
        for behaviour in [Behaviour::Die, Behaviour::NoStatus, Behaviour::BadGateway, Behaviour::DieInReply] {
            backend.behave(&[behaviour]);
            let write = told(over, &suite, ADD, &[]).await;
            assert_eq!((write.code, write.outcome.as_str()), (Code::Aborted, "UNKNOWN"), "{over:?}: {behaviour:?}");
        }
        // What a service says without a word of ours gets one, and the outcome that is safe.
        for behaviour in [Behaviour::Fail, Behaviour::Denied] {
            backend.behave(&[behaviour]);
            let told = told(over, &suite, ADD, &[]).await;
            assert_eq!(told.outcome, "UNKNOWN", "{over:?}: {behaviour:?}");
        }
        backend.behave(&[Behaviour::Hang]);
        let late = told(over, &suite, ADD, &[over.soon()]).await;
        assert_eq!((late.code, late.outcome.as_str()), (Code::Aborted, "UNKNOWN"), "{over:?}: late");
        backend.behave(&[Behaviour::Refuse]);
        let refused = told(over, &suite, ADD, &[]).await;
        assert_eq!((refused.code, refused.outcome.as_str()), (Code::Unavailable, "NOT_SENT"), "{over:?}: refused");
        if matches!(over, Over::Json | Over::StreamJson) {
            let told = told(over, &suite, &unknown, &[]).await;
            assert_eq!((told.code, told.outcome.as_str()), (Code::Unimplemented, "NOT_SENT"), "{over:?}");
        }
        backend.arrivals();
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_over_every_door() {
    let reserved = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let suite = Suite::over(address).await;
    for over in ALL_DOORS {
        let told = told(over, &suite, ADD, &[]).await;
        assert_eq!((told.code, told.outcome.as_str()), (Code::Unavailable, "NOT_SENT"), "{over:?}");
    }
}

#[tokio::test]
async fn gzip_is_known_in_any_case_and_media_types_have_none() {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    let kinds = [
        (Over::Web, "Application/gRPC-Web"),
        (Over::Json, "Application/JSON; charset=utf8"),
        (Over::Connect, "APPLICATION/PROTO"),
    ];
    for (over, kind) in kinds {
        assert_eq!(over.call(&suite, GET, &[("content-type", kind)], &body(over)).await, None, "{kind}");
    }
    for (over, name) in [(Over::Grpc, "GZIP"), (Over::Web, "Gzip")] {
        assert_eq!(over.call(&suite, GET, &[(over.encoding(), name)], &body(over)).await, None, "{over:?}");
    }
}

#[tokio::test]
async fn a_verdict_with_details_that_nobody_can_read_stays_a_verdict() {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    for over in ALL_DOORS {
        for (in_trailers, path) in [(false, GET), (true, GET), (false, ADD), (true, ADD)] {
            backend.behave(&[Behaviour::Garbled { in_trailers }]);
            let found = told(over, &suite, path, &[]).await;
            assert_eq!((found.code, found.outcome.as_str()), (Code::NotFound, "UNKNOWN"), "{over:?} {in_trailers}");
        }
    }
    let status = suite.call(GET, &[KEY], payload()).await.status();
    assert!(status.message().starts_with("no such "), "{status}");
    let metrics = get(suite.running.admin_addr().unwrap(), "/metrics").await;
    assert!(
        !metrics.lines().any(|line| line.starts_with("ispbridge_panics_total") && !line.ends_with(" 0")),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_write_that_cannot_be_written_down_is_refused_over_every_door() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "audit = { file = \"/dev/full\", on_loss = \"refuse\" }").await;
    for over in ALL_DOORS {
        let refused = told(over, &suite, ADD, &[]).await;
        let said = (refused.code, refused.reason.as_str(), refused.outcome.as_str());
        assert_eq!(said, (Code::Unavailable, "AUDIT_UNAVAILABLE", "NOT_SENT"), "{over:?}");
        assert!(backend.arrivals().is_empty(), "{over:?}: nothing was sent");
    }
    for over in ALL_DOORS {
        assert_eq!(over.call(&suite, GET, &[], &body(over)).await, None, "{over:?}: reads go on");
    }
}

#[tokio::test]
async fn a_service_that_panics_in_a_write_leaves_its_outcome_unknown_over_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let shop = shop::config(address, &folder.path().join("ledger"), "panics = true");
    let shop = chassis::start::<Shop>(shop.parse().unwrap()).await.unwrap();
    let suite = Suite::serving(config_with(shop.grpc_addr(), "")).await;
    suite.until_learnt().await;
    for over in ALL_DOORS {
        let found = told(over, &suite, ADD, &[]).await;
        let said = (found.code, found.reason.as_str(), found.outcome.as_str());
        assert_eq!(said, (Code::Internal, "PANIC", "UNKNOWN"), "{over:?}");
    }
}

#[tokio::test]
async fn a_service_that_describes_itself_unreadably_is_asked_again() {
    let backend = Backend::start().await;
    backend.garble(true);
    let suite = Suite::serving(config_with(backend.address, "")).await;
    let read = async || suite.call(GET, &[("x-api-key", READER), ("x-ispbridge-account", "main")], payload()).await;
    while read().await.info() != info("CATALOG_NOT_READY", "NOT_SENT") {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_ne!(suite.health("", &[]).await, suite.health(SERVICE, &[KEY]).await);
    backend.garble(false);
    suite.until_learnt().await;
    assert_eq!((read().await.code(), suite.health(SERVICE, &[KEY]).await), (Code::Ok, Ok(1)));
}
