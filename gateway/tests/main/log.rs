//! What the log says of the life of a gateway and of its providers.

use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    apart::Apart,
    backend::{ADD, Backend, Behaviour},
    caller::{self, ALL, route},
    payload,
};
use ispbridge_gateway::KeyHash;

const KNOWN: &str = "the provider has an instance";
const AWAY: &str = "no instance of the provider can be reached";
const LOST: &str = "the provider lost its last instance";
const AGAIN: &str = "the provider has an instance again";

#[tokio::test]
async fn a_provider_that_comes_and_goes_is_told_once_each_time() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Apart::start(folder.path(), &format!("routes = {}", route(address)));
    assert_eq!(gateway.says(AWAY, 0).await["provider"], "fake-isp");
    for round in 0..2 {
        let mut connections = JoinSet::new();
        let backend = Backend::start_in(address, &mut connections).await;
        assert_eq!(gateway.says(AGAIN, round).await["provider"], "fake-isp");
        gateway.says("provider described", 0).await;
        drop((backend, connections));
        assert_eq!(gateway.says(LOST, round).await["level"], "WARN");
    }
    let told = [AWAY, KNOWN, AGAIN, LOST].map(|message| gateway.said(message).len());
    assert_eq!(told, [1, 0, 2, 2]);
}

#[tokio::test]
async fn a_drain_says_why_it_begins_and_what_it_cut() {
    let backend = Backend::start().await;
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "server.announce_seconds = 0\nserver.drain_seconds = 1\nroutes = {}\n\
         principals = [{{ name = \"all\", api_keys = [\"{}\"] }}]\n\
         grants = [{{ principals = [\"all\"], methods = [\"*\"], accounts = [\"fake-isp/main\"] }}]\n",
        route(backend.address),
        KeyHash::of(ALL)
    );
    let gateway = Apart::start(folder.path(), &more);
    gateway.says("provider described", 0).await;
    backend.behave(&[Behaviour::Hang]);
    let (sender, address) = (caller::connect(gateway.grpc).await, gateway.grpc);
    let call = async move { caller::call_on(sender, address, ADD, &[("x-api-key", ALL)], payload()).await };
    let call = tokio::spawn(call);
    while backend.arrivals().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    gateway.signal("TERM");
    let announced = gateway.says("stopping is announced; calls are still served", 0).await;
    let begun = gateway.says("the drain begins", 0).await;
    let ended = gateway.says("the drain ends; calls ran out of its time", 0).await;
    assert!([&announced, &begun, &ended].iter().all(|line| line["reason"] == "SIGTERM"), "{announced} {begun} {ended}");
    assert_eq!((&begun["calls"], &ended["cut"], &ended["level"]), (&1.into(), &1.into(), &"WARN".into()), "{ended}");
    assert!(ended["took_ms"].is_u64(), "{ended}");
    assert_eq!(call.await.unwrap().code(), tonic::Code::Aborted);

    let folder = tempfile::tempdir().unwrap();
    let idle = Apart::start(folder.path(), "server.announce_seconds = 0");
    idle.signal("INT");
    let ended = idle.says("the drain ends", 0).await;
    assert_eq!((&ended["reason"], &ended["cut"], &ended["level"]), (&"SIGINT".into(), &0.into(), &"INFO".into()));
    assert!(idle.said("stopping is announced; calls are still served").is_empty());
}
