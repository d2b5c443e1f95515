//! Collectors that are away, mute, slow or full: calls do not notice, what is lost is counted, the end comes in time.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ispbridge_kit::{
    Act, Collector, Manners,
    hostile::nobody,
    http1::{metric, until_metric},
};

use crate::wires::{Account, Apart, Verb, Wire};

/// Two spans each: enough to be worth a batch.
const FEW: usize = 240;
/// More than may wait and be on their way.
const MANY: usize = 1400;
const CALLERS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(25);

/// What a stream of calls cost.
#[derive(Debug)]
struct Cost {
    /// A call of one of the callers, on average.
    mean: Duration,
    slowest: Duration,
    /// MiB that the service grew by.
    grown: usize,
}

async fn stream(apart: &Arc<Apart>, calls: usize) -> (Duration, Duration) {
    let begun = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let apart = apart.clone();
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for _ in 0..calls / CALLERS {
                let begun = Instant::now();
                apart.site.call(Verb::Read, "main", PATIENCE).await.unwrap();
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        })
    });
    let mut slowest = Duration::ZERO;
    for caller in callers.collect::<Vec<_>>() {
        slowest = slowest.max(caller.await.unwrap());
    }
    (begun.elapsed(), slowest)
}

async fn service(more: &str) -> Apart {
    let wire = Wire::Aex;
    let upstream = wire.upstream(vec![Act::Answer(wire.reply(Verb::Read).bytes())]).await;
    Apart::start(wire, &[Account::at("main", &upstream)], more, &[]).await
}

/// A stream of calls; then the service is told to end, which must not take long.
async fn cost(more: &str, calls: usize, is_lost: bool) -> Cost {
    let apart = Arc::new(service(more).await);
    stream(&apart, FEW / 2).await;
    let before = apart.child.number("VmRSS");
    let (took, slowest) = stream(&apart, calls).await;
    let grown = apart.child.number("VmRSS").saturating_sub(before) / 1024;
    if is_lost {
        until_metric(apart.site.admin, "ispbridge_spans_lost_total{", &[], |spans| spans > 0.0).await;
    }
    let mut apart = Arc::into_inner(apart).unwrap();
    let begun = Instant::now();
    assert!(tokio::task::spawn_blocking(move || apart.child.end()).await.unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(6), "the end took {:?}", begun.elapsed());
    let mean = took / u32::try_from(calls / CALLERS).unwrap();
    Cost { mean, slowest, grown }
}

fn telemetry(address: SocketAddr) -> String {
    format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_in_trouble_costs_calls_nothing() {
    let without = cost("", FEW, false).await;
    let mut costs = vec![("away".to_owned(), cost(&telemetry(nobody().await), FEW, true).await)];
    // Who refuses loses at once, who is silent when the queue is full, who is slow perhaps never.
    for (manners, calls, is_lost) in [
        (Manners::Exhausted, FEW, true),
        (Manners::TooLarge, FEW, true),
        (Manners::Deaf, MANY, true),
        (Manners::Mute, FEW, false),
        (Manners::TakesAfter(Duration::from_millis(500)), FEW, false),
    ] {
        let collector = Collector::start(manners).await;
        costs.push((format!("{manners:?}"), cost(&telemetry(collector.address), calls, is_lost).await));
    }
    println!("{without:?} {costs:?}");
    for (what, cost) in costs {
        assert!(cost.grown <= 20, "{what}: {cost:?}");
        // Both are at the mercy of the machine; a call that waits for a collector waits for ten seconds.
        assert!(cost.mean < without.mean * 3 + Duration::from_millis(200), "{what}: {cost:?}, without {without:?}");
        assert!(cost.slowest < without.slowest * 3 + Duration::from_secs(3), "{what}: {cost:?}, without {without:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_well_gets_every_span() {
    let collector = Collector::start(Manners::Takes).await;
    let apart = Arc::new(service(&telemetry(collector.address)).await);
    let calls = 400;
    stream(&apart, calls).await;
    assert_eq!(metric(apart.site.admin, "ispbridge_spans_lost_total{", &[]).await, 0.0);
    let mut apart = Arc::into_inner(apart).unwrap();
    assert!(tokio::task::spawn_blocking(move || apart.child.end()).await.unwrap().success());
    assert_eq!(collector.spans(), 2 * calls);
}
