//! Collectors that are away, mute, slow or full: calls do not notice, what is lost is counted, the end comes in time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ispbridge_kit::{
    Act, Collector, Manners,
    clock::comes,
    hostile::nobody,
    http1::{metric, until_metric},
};

use crate::wires::{Account, Apart, Verb, Wire};

/// Two spans each: enough to be worth a batch.
const FEW: usize = 240;
/// More than may wait and be on their way.
const MANY: usize = 1400;
const CALLERS: usize = 8;

/// Less than the ten seconds for which an exporter waits for its collector.
const PROMPT: Duration = Duration::from_secs(8);

/// Calls, each of which must be answered promptly: one that waited for a collector would not be.
async fn stream(apart: &Arc<Apart>, calls: usize) {
    let callers = (0..CALLERS).map(|_| {
        let apart = apart.clone();
        tokio::spawn(async move {
            for _ in 0..calls / CALLERS {
                apart.site.call(Verb::Read, "main", PROMPT).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

async fn service(more: &str) -> Apart {
    let wire = Wire::AEX;
    let upstream = wire.upstream(vec![Act::Answer(wire.reply(Verb::Read).bytes())]).await;
    Apart::start(wire, &[Account::at("main", &upstream)], more, &[]).await
}

/// A stream of calls; then the service is told to end, which it must do. The MiB that it grew by.
async fn grown(more: &str, calls: usize, is_lost: bool) -> usize {
    let apart = Arc::new(service(more).await);
    stream(&apart, FEW / 2).await;
    let before = apart.child.number("VmRSS");
    stream(&apart, calls).await;
    let grown = apart.child.number("VmRSS").saturating_sub(before) / 1024;
    if is_lost {
        until_metric(apart.site.admin, "ispbridge_spans_lost_total{", &[], |spans| spans > 0.0).await;
    }
    let mut apart = Arc::into_inner(apart).unwrap();
    assert!(comes(tokio::task::spawn_blocking(move || apart.child.end())).await.unwrap().success());
    grown
}

fn telemetry(address: SocketAddr) -> String {
    format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_in_trouble_costs_calls_nothing() {
    let away = grown(&telemetry(nobody().await), FEW, true).await;
    assert!(away <= 20, "{away} MiB");
    // Who refuses loses at once, who is silent when the queue is full, who is slow perhaps never.
    for (manners, calls, is_lost) in [
        (Manners::Exhausted, FEW, true),
        (Manners::TooLarge, FEW, true),
        (Manners::Deaf, MANY, true),
        (Manners::Mute, FEW, false),
        (Manners::TakesAfter(Duration::from_millis(500)), FEW, false),
    ] {
        let collector = Collector::start(manners).await;
        let grown = grown(&telemetry(collector.address), calls, is_lost).await;
        assert!(grown <= 20, "{manners:?}: {grown} MiB");
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
