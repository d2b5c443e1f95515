//! A new process that takes the place of an old one at the same address.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet};
use tonic::{Request, Status, transport::Endpoint};

use crate::probe::{Probe, READ, connected, send};

fn config(address: SocketAddr) -> toml::Table {
    let text = format!(
        "callers = {{ mode = \"open\" }}\n[server]\nlisten = \"{address}\"\nreuse_port = true\nannounce_seconds = 0.1"
    );
    text.parse().unwrap()
}

/// Calls one after the other, a few of them on each connection, until told to stop; none may fail. What was certainly not
/// begun, because the connection was asked to go just before, is sent again, as gRPC's own libraries do (its retry design,
/// "transparent retries") and tonic does not.
async fn calls(address: SocketAddr, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        // Without `net.ipv4.tcp_migrate_req` the kernel resets who connects in the very moment of the old listener's end.
        let Ok(channel) = endpoint.connect().await else { continue };
        for millis in [0, 1, 5] {
            let text = format!("sleep {millis}");
            match send(channel.clone(), READ, Request::new(text.clone())).await {
                Ok(answer) => assert_eq!(answer.get_ref(), &text),
                Err(status) if was_not_begun(&status) => break,
                Err(status) => panic!("{status:?}"),
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether hyper's client gave a call back, or the server said that it lies beyond the last one that it took.
fn was_not_begun(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let goes = error.downcast_ref::<h2::Error>().is_some_and(|error| error.is_remote() && error.is_go_away());
        if goes || error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
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

/// Whoever connected while the old process listened has no other to call, and may need a moment to say what it wants.
#[tokio::test]
async fn who_has_connected_may_call_though_the_process_drains() {
    let running = crate::probe::started("").await;
    let stream = TcpStream::connect(running.grpc_addr()).await.unwrap();
    // Another call over another connection shows that this one is accepted as well.
    send(connected(running.grpc_addr()).await, READ, Request::new("hello".to_owned())).await.unwrap();
    let drained = tokio::spawn(running.drain());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    // Time to read a GOAWAY, if there were one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let response = ispbridge_kit::http2::deaf_call(&mut sender, READ, "hello").await.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!drained.is_finished());
    drained.await.unwrap();
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
