//! More calls than there is room for (F24, F25 of the reliability plan).

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    KEY,
    backend::{Backend, Behaviour, GET},
    caller::{Suite, call_on, frame},
    info, payload,
};

const OTHER_GET: &str = "/ispbridge.other_isp.v1.CustomerService/GetCustomer";

/// What became of the calls of some callers.
#[derive(Debug, Default)]
struct Tally {
    answered: usize,
    /// Milliseconds that the answered calls had a place at the gateway, as the gateway says.
    busy: f64,
    took: Duration,
    /// Milliseconds that each refusal took at the gateway, as the gateway says.
    refused: Vec<f64>,
}

impl Tally {
    fn used(&self, places: f64) -> f64 {
        self.busy / (places * self.took.as_secs_f64() * 1000.0)
    }
}

fn own_time(headers: &http::HeaderMap) -> f64 {
    let timing = headers["x-ispbridge-timing"].to_str().unwrap();
    timing.split(',').next().and_then(|own| own.strip_prefix("gateway;dur=")).unwrap().parse().unwrap()
}

/// So many callers, each making one call after the other for a while; who is refused comes again when told.
async fn load(suite: &Suite, callers: usize, time: Duration) -> Tally {
    let begun = Instant::now();
    let end = begun + time;
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (sender, address) = (suite.sender.clone(), suite.running.grpc_addr());
        tasks.spawn(async move {
            let mut tally = Tally::default();
            while Instant::now() < end {
                let answer = call_on(sender.clone(), address, GET, &[KEY], frame(b"")).await;
                match answer.code() {
                    Code::Ok => {
                        tally.answered += 1;
                        tally.busy += own_time(&answer.trailers);
                    }
                    code => {
                        assert_eq!((code, answer.info()), (Code::Unavailable, info("GATEWAY_BUSY", "NOT_SENT")));
                        tally.refused.push(own_time(&answer.headers));
                        let wait = answer.status().get_details_retry_info().unwrap().retry_delay;
                        tokio::time::sleep(wait.unwrap()).await;
                    }
                }
            }
            tally
        });
    }
    let mut sum = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        let tally = tally.unwrap();
        sum.answered += tally.answered;
        sum.busy += tally.busy;
        sum.refused.extend(tally.refused);
    }
    sum.took = begun.elapsed();
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_times_the_capacity_leaves_the_capacity() {
    let backend = Backend::start().await;
    backend.behave(&[Behaviour::Slow(400)]);
    let limits = "limits = { gateway = { max = 8 }, provider = { mode = \"off\" } }";
    let suite = Suite::start_with(&backend, limits).await;
    let time = Duration::from_millis(3000);
    let capacity = load(&suite, 8, time).await;
    assert!(capacity.refused.is_empty());
    let mut overload = load(&suite, 32, time).await;
    // On a machine that is busy with something else calls take longer; how much the places were in use is what counts.
    let (used, could) = (overload.used(8.0), capacity.used(8.0));
    assert!(used >= could * 0.8, "{used:.2} of the places are used, {could:.2} without overload");
    assert!(overload.refused.len() > 40, "{}", overload.refused.len());
    overload.refused.sort_by(f64::total_cmp);
    let median = overload.refused[overload.refused.len() / 2];
    assert!(median < 5.0, "{median} ms");
}

#[tokio::test]
async fn a_slow_provider_takes_only_its_own_share() {
    let (slow, healthy) = (Backend::start().await, Backend::start().await);
    let limits = "limits = { gateway = { max = 16 }, provider = { max = 8 } }";
    let suite = Suite::before_two(&slow, &healthy, limits).await;
    slow.behave(&[Behaviour::Hang]);
    let mut hanging = JoinSet::new();
    for _ in 0..40 {
        let (sender, address) = (suite.sender.clone(), suite.running.grpc_addr());
        hanging.spawn(async move { call_on(sender, address, GET, &[KEY], payload()).await });
    }
    for _ in 0..32 {
        let refused = hanging.join_next().await.unwrap().unwrap();
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.info(), info("PROVIDER_BUSY", "NOT_SENT"));
    }
    for _ in 0..50 {
        assert_eq!(suite.call(OTHER_GET, &[KEY], payload()).await.code(), Code::Ok);
    }
    assert_eq!(healthy.arrivals().len(), 50);
    while !hanging.is_empty() {
        slow.release.notify_waiters();
        if let Ok(Some(answer)) = tokio::time::timeout(Duration::from_millis(20), hanging.join_next()).await {
            assert_eq!(answer.unwrap().code(), Code::Ok);
        }
    }
    assert_eq!(slow.arrivals().len(), 8);
}

#[tokio::test]
async fn a_caller_beyond_its_rate_is_refused_and_others_are_not() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "limits = { rate_per_principal = 0.01, burst_per_principal = 3 }").await;
    for _ in 0..3 {
        assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    }
    let refused = suite.call(GET, &[KEY], payload()).await;
    assert_eq!((refused.code(), refused.info()), (Code::ResourceExhausted, info("RATE_LIMITED", "NOT_SENT")));
    let wait = refused.status().get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!((Duration::from_secs(50)..=Duration::from_secs(100)).contains(&wait), "{wait:?}");
    assert!(refused.status().get_details_quota_failure().is_some());
    let single = ("x-api-key", crate::caller::SINGLE);
    assert_eq!(suite.call(GET, &[single], payload()).await.code(), Code::Ok);
}
