//! Several instances: who gets the calls, who rests, and what a change of routes does to calls in flight.

use std::{net::SocketAddr, time::Duration};

use ispbridge_kit::clock::comes;
use tonic::Code;

use crate::{
    KEY,
    backend::{ADD, Backend, Behaviour, GET},
    caller::{Answer, Suite, instances, route},
    info, payload,
};

async fn backends<const N: usize>() -> ([Backend; N], Vec<SocketAddr>) {
    let mut started = Vec::new();
    for _ in 0..N {
        started.push(Backend::start().await);
    }
    let addresses = started.iter().map(|backend| backend.address).collect();
    (started.try_into().unwrap(), addresses)
}

/// Waits until every instance has had a call, so that all are connected.
async fn until_all_called(suite: &Suite, backends: &[Backend]) {
    let mut waiting: Vec<_> = backends.iter().collect();
    let called = async {
        while !waiting.is_empty() {
            four(suite).await;
            waiting.retain(|backend| backend.arrivals().is_empty());
        }
    };
    tokio::time::timeout(Duration::from_secs(20), called).await.expect("every instance is called");
    for backend in backends {
        backend.arrivals();
    }
}

/// Makes four calls at a time.
async fn four(suite: &Suite) -> [Answer; 4] {
    let call = || suite.call(GET, &[KEY], payload());
    tokio::join!(call(), call(), call(), call()).into()
}

/// Makes calls in groups of four at a time; how many ended with OK.
async fn calls(suite: &Suite, groups: usize) -> usize {
    let mut well = 0;
    for _ in 0..groups {
        let answers = four(suite).await;
        well += answers.iter().filter(|answer| answer.code() == Code::Ok).count();
    }
    well
}

#[tokio::test]
async fn a_slow_instance_gets_few_calls() {
    let (backends, addresses) = backends::<2>().await;
    let suite = Suite::routed(&instances(&addresses), "").await;
    until_all_called(&suite, &backends).await;
    backends[0].behave(&[Behaviour::Slow(150)]);
    assert_eq!(calls(&suite, 50).await, 200);
    let (slow, fast) = (backends[0].arrivals().len(), backends[1].arrivals().len());
    assert_eq!(slow + fast, 200);
    assert!(slow < 50, "{slow} calls to the slow one");
}

#[tokio::test]
async fn a_failing_instance_gets_few_calls_and_rests() {
    let (backends, addresses) = backends::<2>().await;
    let suite = Suite::routed(&instances(&addresses), "").await;
    until_all_called(&suite, &backends).await;
    // The other one is so slow that a failure is an advantage in speed.
    backends[0].behave(&[Behaviour::Fail]);
    backends[1].behave(&[Behaviour::Slow(100)]);
    calls(&suite, 30).await;
    let called = backends[0].arrivals().len();
    assert!(called <= 12, "five in a row, and those that were on their way: {called}");
}

#[tokio::test]
async fn what_the_upstream_denies_is_not_held_against_an_instance() {
    let (backends, addresses) = backends::<2>().await;
    let suite = Suite::routed(&instances(&addresses), "").await;
    until_all_called(&suite, &backends).await;
    backends.iter().for_each(|backend| backend.behave(&[Behaviour::Denied]));
    for _ in 0..40 {
        for answer in four(&suite).await {
            assert_eq!(answer.status().message(), "the upstream is down");
        }
    }
    let called = backends.map(|backend| backend.arrivals().len());
    assert!(called.iter().all(|calls| *calls > 16), "{called:?}");
}

#[tokio::test]
async fn of_two_failing_instances_one_still_takes_calls() {
    let (backends, addresses) = backends::<2>().await;
    let suite = Suite::routed(&instances(&addresses), "").await;
    until_all_called(&suite, &backends).await;
    backends.iter().for_each(|backend| backend.behave(&[Behaviour::Fail]));
    for _ in 0..40 {
        assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Internal, "an instance's own word");
    }
    backends.iter().for_each(|backend| backend.behave(&[Behaviour::Echo]));
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_read_whose_instance_dies_goes_to_another() {
    let (backends, addresses) = backends::<2>().await;
    let suite = Suite::routed(&instances(&addresses), "").await;
    until_all_called(&suite, &backends).await;
    backends[0].behave(&[Behaviour::Die]);
    assert_eq!(calls(&suite, 10).await, 40);
}

#[tokio::test]
async fn new_routes_are_used_at_once_and_calls_on_removed_instances_finish() {
    let ([old, new], _) = backends::<2>().await;
    let suite = Suite::routed(&route(old.address), "").await;
    old.behave(&[Behaviour::Hang]);
    let hanging = suite.call(ADD, &[KEY], payload());
    let meanwhile = async {
        while old.arrivals().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        suite.reroute(&route(new.address), "").unwrap();
        let taken = async {
            while new.arrivals().is_empty() {
                suite.call(GET, &[KEY, ("grpc-timeout", "200m")], payload()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), taken).await.expect("the new instance is used");
        old.arrivals();
        for _ in 0..20 {
            assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
        }
        assert!(old.arrivals().is_empty(), "the old one gets no more calls");
        // A route that cannot be taken changes nothing.
        let refused = suite.reroute("[{ provider = \"fake-isp\", consul = true }]", "").unwrap_err();
        assert!(refused.to_string().contains("routes[0].consul"), "{refused}");
        assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
        old.release.notify_one();
    };
    let (answer, ()) = tokio::join!(hanging, meanwhile);
    assert_eq!(answer.code(), Code::Ok);
}

#[tokio::test]
async fn a_provider_comes_and_goes_with_its_route() {
    let ([backend], _) = backends::<1>().await;
    let one = route(backend.address);
    let suite = Suite::routed(&one, "").await;
    let entry = one.trim_start_matches('[').strip_suffix(']').unwrap();
    let two = format!("[{entry}, {}]", entry.replace("fake-isp", "other"));
    let other = || suite.call("/ispbridge.other.v1.CustomerService/Get", &[KEY], payload());
    for _ in 0..3 {
        assert_eq!(other().await.info(), info("PROVIDER_UNKNOWN", "NOT_SENT"));
        suite.reroute(&two, "").unwrap();
        assert_eq!(other().await.code(), Code::PermissionDenied, "known, and granted to nobody");
        suite.reroute(&one, "").unwrap();
        assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
    }
}

#[tokio::test]
async fn a_slow_read_is_asked_of_a_second_instance_and_a_write_never() {
    let (backends, addresses) = backends::<2>().await;
    let hedging = "hedging = [{ methods = [\"*\"], after_ms = 60 }]";
    let suite = Suite::routed(&instances(&addresses), hedging).await;
    until_all_called(&suite, &backends).await;
    backends[0].behave(&[Behaviour::Hang]);
    for _ in 0..10 {
        assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    }
    let asked = backends[0].arrivals().len();
    let cancelled = async {
        while backends[0].given_up() < asked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), cancelled).await.expect("the call that lost is cancelled");
    backends.iter().for_each(|backend| drop(backend.arrivals()));
    backends.iter().for_each(|backend| backend.behave(&[Behaviour::Slow(300)]));
    assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
    let writes: usize = backends.iter().map(|backend| backend.arrivals().len()).sum();
    assert_eq!(writes, 1);
}

#[tokio::test]
async fn a_method_has_no_longer_than_its_timeout() {
    let ([backend], _) = backends::<1>().await;
    let timeouts = "timeouts = [{ methods = [\"reads\"], seconds = 0.4 }]";
    let suite = Suite::routed(&route(backend.address), timeouts).await;
    backend.behave(&[Behaviour::Hang]);
    let read = comes(suite.call(GET, &[KEY], payload())).await;
    assert_eq!(read.code(), Code::DeadlineExceeded);
    let told = backend.arrivals()[0].headers["grpc-timeout"].to_str().unwrap().to_owned();
    assert!(told.trim_end_matches('m').parse::<u32>().unwrap() <= 330, "{told}");
}

#[tokio::test]
async fn a_service_may_ask_for_a_read_once_more_and_clients_are_told() {
    let ([backend], _) = backends::<1>().await;
    let suite = Suite::routed(&route(backend.address), "").await;
    backend.behave(&[Behaviour::Pushback(20), Behaviour::Echo]);
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    for (path, pushback) in [(GET, -1), (ADD, 20)] {
        backend.behave(&[Behaviour::Pushback(pushback), Behaviour::Echo]);
        let answer = suite.call(path, &[KEY], payload()).await;
        assert_eq!(answer.code(), Code::Unavailable);
        assert_eq!(answer.headers["grpc-retry-pushback-ms"], pushback.to_string());
        backend.behave(&[Behaviour::Echo]);
    }
    backend.behave(&[Behaviour::Die]);
    let lost = suite.call(ADD, &[KEY], payload()).await;
    assert_eq!(lost.info(), info("OUTCOME_UNKNOWN", "UNKNOWN"));
    assert_eq!(lost.headers["grpc-retry-pushback-ms"], "-1");
}

#[tokio::test]
async fn an_instance_that_accepts_and_says_nothing_gets_no_calls() {
    let ([backend], _) = backends::<1>().await;
    // The kernel accepts for it, as it does for a process that is stopped.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [mute.local_addr().unwrap(), backend.address];
    let suite = Suite::routed(&instances(&addresses), "").await;
    for _ in 0..20 {
        assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
    }
    assert_eq!(backend.arrivals().len(), 20);
    let metrics = crate::streaming::metrics(&suite).await;
    let counted = |state: &str| {
        let mut lines = metrics.lines().filter(|line| line.starts_with("ispbridge_instances{"));
        lines.find(|line| line.contains(&format!("\"{state}\""))).unwrap().rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!((counted("up"), counted("resting")), ("1".to_owned(), "0".to_owned()), "{metrics}");
}
