//! F16: instances from Consul, while Consul is away, wrong or wild.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::{
    KEY,
    backend::{Backend, GET},
    caller::{Suite, config},
    fake_consul::{FakeConsul, Word},
    payload,
};

const ROUTE: &str = "[{ provider = \"fake-isp\", consul = true }]";

fn section(consul: SocketAddr) -> String {
    format!("consul = {{ address = \"{consul}\", register = false }}")
}

/// Calls until one reaches the backend; every answer is kept.
async fn until_reached(suite: &Suite, backend: &Backend) -> Vec<Code> {
    let mut codes = Vec::new();
    let reached = async {
        while backend.arrivals().is_empty() {
            codes.push(suite.call(GET, &[KEY, ("grpc-timeout", "500m")], payload()).await.code());
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), reached).await.expect("the backend is reached");
    codes
}

async fn works(suite: &Suite) -> bool {
    suite.call(GET, &[KEY], payload()).await.code() == Code::Ok
}

/// That nobody was asked more than twice a second, but for a first question.
fn assert_calm(consul: &FakeConsul) {
    let times: Vec<_> = consul.questions().into_iter().map(|(at, ..)| at).collect();
    for pair in times.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between > Duration::from_millis(490), "{between:?} between two questions");
    }
}

#[tokio::test]
async fn the_instances_follow_consul_and_what_is_known_stays_when_it_fails() {
    let (one, other) = (Backend::start().await, Backend::start().await);
    let consul = FakeConsul::start(Word::Instances(vec![one.address], 7)).await;
    let suite = Suite::routed(ROUTE, &section(consul.address)).await;
    until_reached(&suite, &one).await;
    let words = [
        Word::Status(500),
        Word::Garbage,
        Word::Huge(10 << 20),
        Word::Instances(Vec::new(), 8),
        // An index that goes backwards is asked from the beginning.
        Word::Instances(vec![one.address], 3),
    ];
    for word in words {
        consul.say(word.clone());
        consul.until_asked(1).await;
        assert!(works(&suite).await, "{word:?}");
    }
    let reset = consul.questions().iter().rev().take(3).any(|(_, target, _)| target.contains("index=0&"));
    assert!(reset, "{:?}", consul.questions());
    consul.say(Word::Instances(vec![other.address], 9));
    let codes = until_reached(&suite, &other).await;
    assert!(codes.iter().all(|code| *code == Code::Ok), "{codes:?}");
    assert_calm(&consul);
    let (_, target, token) = consul.questions().remove(0);
    assert_eq!(target, "/v1/health/service/ispbridge-fake-isp?index=0&wait=60s&passing=true");
    assert_eq!(token, None);
}

#[tokio::test]
async fn an_index_that_runs_wild_makes_no_busy_loop() {
    let backend = Backend::start().await;
    let consul = FakeConsul::start(Word::Wild(vec![backend.address])).await;
    let suite = Suite::routed(ROUTE, &section(consul.address)).await;
    consul.until_asked(3).await;
    assert!(works(&suite).await);
    assert_calm(&consul);
}

#[tokio::test]
async fn a_consul_that_is_down_at_the_start_is_found_later_and_a_list_helps_until_then() {
    let (listed, registered) = (Backend::start().await, Backend::start().await);
    // An address that nobody listens at, and that can be taken later.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let route = format!("[{{ provider = \"fake-isp\", consul = true, instances = [\"http://{}\"] }}]", listed.address);
    let suite = Suite::routed(&route, &section(address)).await;
    until_reached(&suite, &listed).await;
    let consul = FakeConsul::start_at(address, Word::Silence).await;
    consul.until_asked(1).await;
    assert!(works(&suite).await, "a silent agent changes nothing");
    consul.say(Word::Instances(vec![registered.address], 1));
    let codes = until_reached(&suite, &registered).await;
    assert!(codes.iter().all(|code| *code == Code::Ok), "{codes:?}");
    assert_calm(&consul);
}

#[tokio::test]
async fn without_any_word_calls_are_refused_in_time_and_the_token_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let consul = FakeConsul::start(Word::Status(403)).await;
    let more = format!(
        "consul = {{ address = \"http://{}\", register = false, datacenter = \"dc2\", passing_only = false, \
         token = {{ file = {token:?} }} }}",
        consul.address
    );
    let suite = Suite::serving(config(ROUTE, &more)).await;
    let answer = suite.call(GET, &[KEY, ("grpc-timeout", "30S")], payload()).await;
    assert_eq!(answer.code(), Code::Unavailable);
    consul.until_asked(1).await;
    let (_, target, shown) = consul.questions().remove(0);
    assert_eq!(target, "/v1/health/service/ispbridge-fake-isp?index=0&wait=60s&dc=dc2");
    assert_eq!(shown.as_deref(), Some("s3cret"));
}
