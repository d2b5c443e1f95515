//! How a process ends.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use ispbridge_kit::{
    clock::{comes, goes_on},
    http1::get,
    http2::{deaf_call, peer},
};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tonic::{Code, Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::probe::{LINGERED, READ, WRITE, ask, connected, drink, last_acts, send, started, until_metric};

/// Starts a call and waits until its handler has it.
async fn begun(
    running: &chassis::Running,
    text: &str,
) -> tokio::task::JoinHandle<Result<tonic::Response<String>, tonic::Status>> {
    let admin = running.admin_addr().unwrap();
    let call = tokio::spawn(send(connected(running.grpc_addr()).await, READ, Request::new(text.to_owned())));
    until_metric(admin, "ispbridge_calls_in_flight{", " 1").await;
    call
}

#[tokio::test]
async fn the_program_does_its_last_act_after_its_last_call() {
    let running = started(ADMIN).await;
    let acts = last_acts(running.process());
    let call = begun(&running, "sleep 300").await;
    assert!(acts.lock().unwrap().is_empty());
    running.drain().await;
    assert!(call.await.unwrap().is_ok());
    assert_eq!(*acts.lock().unwrap(), [1]);
}

#[tokio::test]
async fn a_last_act_without_an_end_does_not_keep_the_process() {
    let running = started("word = \"hang at the end\"\n[server]\ndrain_seconds = 0.2").await;
    let acts = last_acts(running.process());
    tokio::time::timeout(Duration::from_secs(20), running.drain()).await.unwrap();
    assert_eq!(*acts.lock().unwrap(), [0]);
}

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

#[tokio::test]
async fn a_call_that_is_being_worked_on_is_answered() {
    let running = started(&format!("{ADMIN}[server]\ndrain_seconds = 300")).await;
    let address = running.grpc_addr();
    let call = begun(&running, "sleep 300").await;
    comes(running.drain()).await;
    assert_eq!(call.await.unwrap().unwrap().get_ref(), "sleep 300");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn whoever_watches_learns_of_the_end_and_does_not_hold_it_up() {
    let running = started("[server]\ndefault_deadline_seconds = 0.05\ndrain_seconds = 300").await;
    let mut client = HealthClient::new(connected(running.grpc_addr()).await);
    let mut watches = Vec::new();
    for service in ["", "chassis.test.v1.ProbeService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watched = client.watch(request).await.unwrap().into_inner();
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        watches.push(watched);
    }
    // A watch has no deadline unless it asks for one.
    goes_on(&mut pin!(watches[0].message()), Duration::from_millis(150)).await;
    comes(running.drain()).await;
    for mut watched in watches {
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        assert!(watched.message().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_end_comes_though_peers_are_silent_and_what_is_open_is_answered() {
    let running = started(&format!("{ADMIN}[server]\ndrain_seconds = 0.3")).await;
    let address = running.grpc_addr();
    let _silent = TcpStream::connect(address).await.unwrap();
    let (mut deaf, _deaf_connection) = peer(address, 0).await;
    let _deaf_reply = deaf_call(&mut deaf, READ, "large 100000").await;
    let channel = connected(address).await;
    let read = tokio::spawn(send(channel.clone(), READ, Request::new("sleep 60000".to_owned())));
    let write = tokio::spawn(send(channel.clone(), WRITE, Request::new("sleep 60000".to_owned())));
    let stream = tokio::spawn(drink(channel, Request::new("hang".to_owned())));
    until_metric(running.admin_addr().unwrap(), "ispbridge_calls_in_flight{", " 4").await;
    comes(running.drain()).await;
    let reason = |status: &tonic::Status| status.get_details_error_info().unwrap().reason;
    let read = read.await.unwrap().unwrap_err();
    assert_eq!((read.code(), reason(&read).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    let write = write.await.unwrap().unwrap_err();
    assert_eq!((write.code(), reason(&write).as_str()), (Code::Aborted, "OUTCOME_UNKNOWN"));
    let (messages, end) = stream.await.unwrap();
    assert_eq!((messages.len(), end.code(), reason(&end).as_str()), (1, Code::Unavailable, "SHUTTING_DOWN"));
}

#[tokio::test]
async fn work_that_outlives_its_call_is_waited_for() {
    let running = started("[server]\ndrain_seconds = 300").await;
    ask(running.grpc_addr(), WRITE, "linger 400").await.unwrap();
    let done = LINGERED.load(Ordering::SeqCst);
    comes(running.drain()).await;
    assert_eq!((done, LINGERED.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn the_end_is_announced_while_calls_are_still_answered() {
    let running = started(&format!("{ADMIN}[server]\nannounce_seconds = 0")).await;
    let admin = running.admin_addr().unwrap();
    assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 200"));
    running.announce().await;
    assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(get(admin, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(ask(running.grpc_addr(), READ, "hello").await.is_ok());
    running.drain().await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_let_go() {
    let running = started("[server]\npreface_seconds = 0.1").await;
    let mut silent = TcpStream::connect(running.grpc_addr()).await.unwrap();
    let mut half = TcpStream::connect(running.grpc_addr()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"PRI * HTTP/2.0").await.unwrap();
    let good = connected(running.grpc_addr()).await;
    for stream in [&mut silent, &mut half] {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "still open");
    }
    assert!(send(good, READ, Request::new("hello".to_owned())).await.is_ok());
}

#[tokio::test]
async fn one_address_gets_so_many_connections() {
    let running = started("[server]\nmax_connections_per_ip = 1").await;
    let kept = connected(running.grpc_addr()).await;
    send(kept.clone(), READ, Request::new("hello".to_owned())).await.unwrap();
    let mut second = TcpStream::connect(running.grpc_addr()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), second.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "still open");
    assert!(send(kept, READ, Request::new("hello".to_owned())).await.is_ok());
}

#[tokio::test]
async fn an_old_connection_is_asked_to_go_once_its_call_is_answered() {
    let running = started("[server]\nmax_connection_age_seconds = 0.05\nmax_connections_per_ip = 1").await;
    let old = connected(running.grpc_addr()).await;
    let answer = send(old.clone(), READ, Request::new("sleep 300".to_owned())).await.unwrap();
    assert_eq!(answer.get_ref(), "sleep 300");
    // A second connection gets in only when the first, which its client still holds, has gone.
    let second = async {
        while attempt(running.grpc_addr()).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), second).await.unwrap();
    drop(old);
}

async fn attempt(address: std::net::SocketAddr) -> Option<()> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.ok()?;
    let mut client = HealthClient::new(channel);
    client.check(HealthCheckRequest { service: String::new() }).await.ok().map(|_| ())
}
