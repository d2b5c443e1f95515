//! A new process that takes the place of an old one at the same address.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use tonic::Request;

use crate::probe::{Probe, READ, connected, send};

fn config(address: SocketAddr) -> toml::Table {
    let text = format!(
        "callers = {{ mode = \"open\" }}\n[server]\nlisten = \"{address}\"\nreuse_port = true\nannounce_seconds = 0.1"
    );
    text.parse().unwrap()
}

/// Calls one after the other, a few of them on each connection, until told to stop; none may fail.
async fn calls(address: SocketAddr, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let channel = connected(address).await;
        for millis in [0, 1, 5] {
            let text = format!("sleep {millis}");
            let answer = send(channel.clone(), READ, Request::new(text.clone())).await;
            assert_eq!(answer.unwrap().get_ref(), &text);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_fails_no_call() {
    let old = chassis::start::<Probe>(config(([127, 0, 0, 1], 0).into())).await.unwrap();
    let address = old.grpc_addr();
    let (stop, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        callers.spawn(calls(address, stop.clone(), count.clone()));
    }
    let mut running = old;
    for _ in 0..3 {
        let before = count.load(Ordering::Relaxed);
        let new = chassis::start::<Probe>(config(address)).await.unwrap();
        running.announce().await;
        running.drain().await;
        running = new;
        let more = async {
            while count.load(Ordering::Relaxed) < before + 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), more).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    running.drain().await;
}

#[tokio::test]
async fn without_the_option_an_address_is_taken_once() {
    let running = crate::probe::started("").await;
    let error = chassis::start::<Probe>({
        let mut config = config(running.grpc_addr());
        config["server"].as_table_mut().unwrap().remove("reuse_port");
        config
    })
    .await
    .unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on"), "{error}");
}
