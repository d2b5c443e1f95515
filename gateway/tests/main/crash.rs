//! F13: a service's process is killed again and again while calls are on it.

use std::{net::SocketAddr, time::Duration};

use ispbridge_kit::clock::comes;
use tokio::time::sleep;
use tonic::Code;

use crate::{
    KEY,
    backend::GET,
    caller::{Suite, config, instances},
    load::Load,
    payload,
    shop::{self, Apart},
};

/// How often it is killed.
const KILLS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_duplicates_no_write_and_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut service = Apart::start(&shop::config(any, &ledger, ""));
    let address = service.address;
    let suite = Suite::serving(config(&instances(&[address]), "log.level = \"warn\"")).await;
    suite.until_learnt().await;
    let load = Load::begin(&suite, 50);
    for _ in 0..KILLS {
        load.more(15).await;
        service.kill();
        load.more(5).await;
        service = Apart::start(&shop::config(address, &ledger, ""));
        let back = async {
            while suite.call(GET, &[KEY], payload()).await.code() != Code::Ok {
                sleep(Duration::from_millis(10)).await;
            }
        };
        comes(back).await;
    }
    let tally = load.end().await;
    tally.check_writes(&ledger);
    let reasons = ["SERVICE_UNREACHABLE", "SERVICE_LOST"];
    for (code, reason) in tally.failed_reads() {
        assert_eq!(*code, Code::Unavailable, "{reason}");
        assert!(reasons.contains(&reason.as_str()), "{reason}");
    }
    assert!(tally.reads.len() > 100, "{}", tally.reads.len());
    service.stop().await;
}
