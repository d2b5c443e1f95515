use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tonic_types::StatusExt;

use super::*;
use crate::config::LimitMode;

const WIDE: QuotaLimits = QuotaLimits { in_flight: 100, rate: None, burst: 1.0 };

fn limits(text: &str) -> (Arc<Limits>, LimitsConfig) {
    let config: LimitsConfig = toml::from_str(text).unwrap();
    let meter = SdkMeterProvider::builder().build().meter("test");
    (Limits::new(&config, &["a", "b"], 32, &meter), config)
}

fn admit(limits: &Limits, quota: &Arc<Quota>, provider: &str) -> Result<CallPermit, Box<Answer>> {
    limits.admit(limits.enter(quota)?, provider)
}

fn reason(answer: Box<Answer>) -> (Code, String) {
    let status = answer.status();
    let details = status.get_error_details();
    assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some_and(|delay| !delay.is_zero())));
    let info = details.error_info().unwrap();
    assert_eq!(info.metadata["outcome"], "NOT_SENT");
    assert_eq!(details.quota_failure().is_some(), status.code() == Code::ResourceExhausted);
    (status.code(), info.reason.clone())
}

fn exhausted(reason: &str) -> (Code, String) {
    (Code::ResourceExhausted, reason.to_owned())
}

fn unavailable(reason: &str) -> (Code, String) {
    (Code::Unavailable, reason.to_owned())
}

#[tokio::test]
async fn a_place_is_free_again_when_its_ticket_is_dropped() {
    let (limits, _) = limits("");
    let quota = limits.quotas().of(&"one".into(), QuotaLimits { in_flight: 1, ..WIDE });
    let ticket = admit(&limits, &quota, "a").unwrap();
    assert_eq!(reason(admit(&limits, &quota, "a").unwrap_err()), exhausted("TOO_MANY_CALLS"));
    drop(ticket);
    drop(admit(&limits, &quota, "a").unwrap());
    assert_eq!((limits.gateway().in_flight, limits.provider("a").unwrap().in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_principal_beyond_its_rate_is_told_when_to_come_again() {
    let (limits, _) = limits("");
    let quota = limits.quotas().of(&"one".into(), QuotaLimits { rate: Some(2.0), burst: 2.0, ..WIDE });
    let other = limits.quotas().of(&"other".into(), WIDE);
    (0..2).for_each(|_| drop(admit(&limits, &quota, "a").unwrap()));
    let refused = admit(&limits, &quota, "a").unwrap_err().status();
    assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(500)));
    assert_eq!(reason(admit(&limits, &quota, "a").unwrap_err()), exhausted("RATE_LIMITED"));
    assert!(admit(&limits, &other, "a").is_ok());
    tokio::time::advance(Duration::from_millis(500)).await;
    assert!(admit(&limits, &quota, "a").is_ok());
}

#[tokio::test]
async fn a_provider_takes_its_share_and_no_more() {
    let (limits, _) = limits("providers = { b = 3 }\n[gateway]\nmax = 20");
    let quota = limits.quotas().of(&"one".into(), WIDE);
    let a: Vec<_> = (0..10).map(|_| admit(&limits, &quota, "a").unwrap()).collect();
    assert_eq!(reason(admit(&limits, &quota, "a").unwrap_err()), unavailable("PROVIDER_BUSY"));
    let b: Vec<_> = (0..3).map(|_| admit(&limits, &quota, "b").unwrap()).collect();
    assert_eq!(reason(admit(&limits, &quota, "b").unwrap_err()), unavailable("PROVIDER_BUSY"));
    assert_eq!(limits.gateway(), Usage { in_flight: 13, limit: Some(20) });
    drop((a, b));
    assert_eq!(limits.principals(), [("one".into(), Usage { in_flight: 0, limit: Some(100) })]);
}

#[tokio::test]
async fn the_gateway_takes_so_many_in_all() {
    let (limits, _) = limits("[gateway]\nmax = 3\n[provider]\nmode = \"off\"");
    let quota = limits.quotas().of(&"one".into(), WIDE);
    let _held: Vec<_> = ["a", "b", "a"].map(|provider| admit(&limits, &quota, provider).unwrap()).into();
    assert_eq!(reason(admit(&limits, &quota, "b").unwrap_err()), unavailable("GATEWAY_BUSY"));
    assert_eq!(limits.provider("a").unwrap(), Usage { in_flight: 2, limit: None });
    // What was refused by the last limit has left the others.
    assert_eq!((limits.provider("b").unwrap().in_flight, limits.principals()[0].1.in_flight), (1, 3));
}

#[tokio::test]
async fn numbers_outlive_a_reload() {
    let (limits, mut config) = limits("[gateway]\nmax = 4");
    let quota = limits.quotas().of(&"one".into(), WIDE);
    let _held: Vec<_> = ["a", "b"].map(|provider| admit(&limits, &quota, provider).unwrap()).into();
    config.gateway.max = NonZeroUsize::new(2);
    limits.apply(&config, &["a"]);
    let again = limits.quotas().of(&"one".into(), QuotaLimits { in_flight: 3, ..WIDE });
    assert!(Arc::ptr_eq(&quota, &again));
    assert_eq!(reason(admit(&limits, &again, "a").unwrap_err()), unavailable("PROVIDER_BUSY"));
    assert_eq!(limits.gateway(), Usage { in_flight: 2, limit: Some(2) });
    assert_eq!(limits.provider("b"), None);
    config.gateway.mode = LimitMode::Off;
    config.provider.mode = LimitMode::Off;
    limits.apply(&config, &["a"]);
    let _third = admit(&limits, &again, "a").unwrap();
    assert_eq!(reason(admit(&limits, &again, "a").unwrap_err()), exhausted("TOO_MANY_CALLS"));
}

#[tokio::test]
async fn without_a_number_the_limits_follow_the_process() {
    let (limits, _) = limits("");
    assert_eq!(limits.gateway().limit, Some(30));
    assert_eq!(limits.provider("a").unwrap().limit, Some(15));
}

#[tokio::test]
async fn principals_that_are_gone_are_forgotten() {
    let (limits, _) = limits("");
    (0..1000).for_each(|index| drop(limits.quotas().of(&format!("p{index}").into(), WIDE)));
    assert!(limits.quotas().remembered() < 20);
    assert!(limits.principals().is_empty());
}

/// F24: callers that always want four times the capacity of a provider, which answers slower the more it carries.
#[tokio::test(start_paused = true)]
async fn an_adaptive_share_keeps_a_provider_at_its_capacity() {
    let (limits, _) = limits("[gateway]\nmax = 400\n[provider]\nmode = \"adaptive\"\nmax = 400\nmin = 4");
    let quota = limits.quotas().of(&"one".into(), QuotaLimits { in_flight: 400, ..WIDE });
    let slots = Arc::new(tokio::sync::Semaphore::new(20));
    let answered = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    // Unloaded: what is usual is learnt.
    for _ in 0..100 {
        let ticket = admit(&limits, &quota, "a").unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(ticket);
    }
    // 20 slots of 50 ms are 400 calls a second; 1600 a second want in.
    for _ in 0..16_000 {
        tokio::time::sleep(Duration::from_micros(625)).await;
        let Ok(ticket) = admit(&limits, &quota, "a") else { continue };
        let (slots, answered) = (Arc::clone(&slots), Arc::clone(&answered));
        tokio::spawn(async move {
            let _slot = slots.acquire_owned().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            drop(ticket);
        });
    }
    let goodput = answered.load(std::sync::atomic::Ordering::Relaxed);
    assert!(goodput >= 3200, "{goodput} of 4000");
    let limit = limits.provider("a").unwrap().limit.unwrap();
    assert!((10..200).contains(&limit), "{limit}");
}
