//! More calls than there is room for (F24, F25 of the reliability plan).

use std::time::Duration;

use ispbridge_kit::clock::comes;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    KEY,
    backend::{Backend, Behaviour, GET},
    caller::{Answer, Suite, call_on},
    info, payload,
};

const OTHER_GET: &str = "/ispbridge.other_isp.v1.CustomerService/GetCustomer";

#[tokio::test]
async fn four_times_the_capacity_leaves_the_capacity() {
    let backend = Backend::start().await;
    backend.behave(&[Behaviour::Hang]);
    let limits = "limits = { gateway = { max = 8 }, provider = { mode = \"off\" } }";
    let suite = Suite::start_with(&backend, limits).await;
    for _ in 0..3 {
        let mut calls = JoinSet::new();
        for _ in 0..32 {
            let (sender, address) = (suite.sender.clone(), suite.running.grpc_addr());
            calls.spawn(async move { call_on(sender, address, GET, &[KEY], payload()).await });
        }
        // Those that have a place are held, so nobody who is refused can have waited for one.
        for _ in 0..24 {
            let refused = comes(calls.join_next()).await.unwrap().unwrap();
            assert_eq!((refused.code(), refused.info()), (Code::Unavailable, info("GATEWAY_BUSY", "NOT_SENT")));
            assert!(refused.status().get_details_retry_info().unwrap().retry_delay.is_some());
        }
        released(&backend, calls).await;
        assert_eq!(backend.arrivals().len(), 8);
    }
}

/// Lets a backend answer what it holds; all of it is answered well.
async fn released(backend: &Backend, mut calls: JoinSet<Answer>) {
    while !calls.is_empty() {
        backend.release.notify_waiters();
        if let Ok(Some(answer)) = tokio::time::timeout(Duration::from_millis(20), calls.join_next()).await {
            assert_eq!(answer.unwrap().code(), Code::Ok);
        }
    }
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
    released(&slow, hanging).await;
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
