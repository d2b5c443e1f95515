//! Callers who go away: what they began is finished if it may count, and nothing of them stays behind.

use std::{sync::Arc, time::Duration};

use ispbridge_kit::{Act, Hostile, http1::until_metric};

use crate::wires::{Account, Apart, Verb, Wire, calls};

const CALLERS: usize = 1000;
const AT_A_TIME: usize = 20;
const PATIENCE: Duration = Duration::from_secs(25);

/// An upstream that takes its time.
async fn slow(wire: Wire, verb: Verb) -> Hostile {
    wire.upstream(vec![Act::Late(Duration::from_millis(20), wire.reply(verb).bytes())]).await
}

/// Some callers at once, who go before anything was sent, while the upstream works, or after the answer.
async fn wave(apart: &Arc<Apart>, verb: Verb, alias: &'static str, upstream: &Hostile) {
    let before = calls(upstream);
    let callers: Vec<_> = (0..AT_A_TIME)
        .map(|_| {
            let apart = apart.clone();
            tokio::spawn(async move { apart.site.call(verb, alias, PATIENCE).await.is_ok() })
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        match number % 3 {
            0 => caller.abort(),
            1 => {
                // One of those who stay has reached the upstream, so the others are about to.
                upstream.until(before + 1).await;
                caller.abort();
            }
            _ => assert!(caller.await.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_thousand_callers_who_go_away_leave_nothing_behind() {
    let wire = Wire::AEX;
    let (read, write) = (slow(wire, Verb::Read).await, slow(wire, Verb::Write).await);
    let accounts = [("read", &read), ("write", &write)].map(|(alias, upstream)| Account {
        transport: format!("in_flight = {AT_A_TIME}\nkeep_alive = false"),
        ..Account::at(alias, upstream)
    });
    let apart = Arc::new(Apart::start(wire, &accounts, "", &[]).await);
    let rest = async || {
        until_metric(apart.site.admin, "ispbridge_calls_in_flight{", &[], |calls| calls == 0.0).await;
        read.until_closed().await;
        write.until_closed().await;
        (apart.child.descriptors(), apart.child.number("Threads"))
    };
    wave(&apart, Verb::Read, "read", &read).await;
    wave(&apart, Verb::Write, "write", &write).await;
    let (files, threads) = rest().await;
    for _ in 0..CALLERS / AT_A_TIME / 2 {
        wave(&apart, Verb::Read, "read", &read).await;
        rest().await;
        wave(&apart, Verb::Write, "write", &write).await;
        rest().await;
    }
    let (files_after, threads_after) = rest().await;
    // Name look-ups have threads of their own, which end by and by.
    assert!(files_after <= files + 2 && threads_after <= threads + 4, "{files_after} {threads_after}");
    // What reached the upstream as a write was waited for, whoever had gone.
    assert_eq!(write.answered(), calls(&write));
    assert!(calls(&write) >= CALLERS / 6, "{}", calls(&write));
}
