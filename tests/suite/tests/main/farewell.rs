//! A gateway that is told to end while calls are on their way.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ispbridge_gateway::KeyHash;
use ispbridge_kit::{Act, Hostile, clock::comes, hostile::nobody, http1::get};
use protocol::caller::Root;
use tempfile::TempDir;
use tonic::transport::Endpoint;

use crate::{
    caller::Call,
    child::Running,
    wires::{SECRET, Verb, Wire, calls},
};

const ROOT: &str = "a root of the caller context for tests";
const KEY: &str = "ispb_test_farewell";
const CALLERS: usize = 24;
const WIRE: Wire = Wire::AEX;

fn program(name: &str, folder: &TempDir, config: &str) -> (Running, String) {
    let file = folder.path().join(format!("{name}.toml"));
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
    let child = Running::start(command.arg0(format!("ispbridge-{name}")).arg("--config").arg(file));
    let address = format!("http://{}", child.after("\"address\":\"", '"'));
    (child, address)
}

fn keep(folder: &TempDir, name: &str, secret: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, secret).unwrap();
    format!("{{ file = {path:?} }}")
}

fn service(folder: &TempDir, upstream: &Hostile) -> String {
    let key = Root::new("k", ROOT).unwrap().derive("ispbridge-aex").to_text();
    let (key, token) = (keep(folder, "key", &key), keep(folder, "token", SECRET));
    let account = WIRE.account(&format!("http://{}", upstream.address), &token);
    format!(
        "server.listen = \"127.0.0.1:0\"\ncallers.keys = [{{ id = \"k\", secret = {key} }}]\n\
         [accounts.main]\n{account}\n[accounts.main.transport]\n{}",
        WIRE.transport("in_flight = 100")
    )
}

fn gateway(folder: &TempDir, admin: std::net::SocketAddr, service: &str) -> String {
    let (root, key) = (keep(folder, "root", ROOT), KeyHash::of(KEY).to_string());
    format!(
        "server = {{ listen = \"127.0.0.1:0\", announce_seconds = 1, drain_seconds = 10 }}\nadmin.listen = \"{admin}\"\n\
         signing = {{ id = \"k\", secret = {root} }}\n\
         principals = [{{ name = \"tester\", api_keys = [{key:?}] }}]\n\
         grants = [{{ principals = [\"tester\"], methods = [\"*\"], accounts = [\"*\"] }}]\n\
         routes = [{{ provider = \"aex\", instances = [{service:?}] }}]\n"
    )
}

/// Calls on a connection of its own until the gateway takes no more.
async fn caller(address: String, is_ending: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Result<(), String> {
    let Ok(channel) = Endpoint::from_shared(address).unwrap().connect().await else { return Ok(()) };
    for verb in [Verb::Read, Verb::Write].into_iter().cycle() {
        let call = Call::new(WIRE.method(verb), WIRE.request(verb)).with("x-api-key", KEY);
        match call.within(Duration::from_secs(20)).send_over(channel.clone()).await {
            Ok(_) => drop(answered.fetch_add(1, Ordering::SeqCst)),
            Err(_) if is_ending.load(Ordering::SeqCst) => return Ok(()),
            Err(status) => return Err(format!("{verb:?}: {status:?}")),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_a_gateway_took_is_answered_before_it_ends() {
    let (folder, admin) = (TempDir::new().unwrap(), nobody().await);
    // Calls take from nothing to a second and a half, in no order that matters.
    let [read, write] = [Verb::Read, Verb::Write].map(|verb| WIRE.reply(verb).bytes());
    let turn = AtomicUsize::new(0);
    let upstream = Hostile::start(move |asked| {
        let wait = [0, 3, 15, 1, 7, 0, 12, 2][turn.fetch_add(1, Ordering::SeqCst) % 8] * 100;
        let reply = if asked.text.contains(WIRE.operation(Verb::Read)) { &read } else { &write };
        Act::Late(Duration::from_millis(wait), reply.clone())
    })
    .await;
    let (_service, service) = program("aex", &folder, &service(&folder, &upstream));
    let (mut gateway, address) = program("gateway", &folder, &gateway(&folder, admin, &service));
    let (is_ending, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    known(&address, &answered).await;
    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(caller(address.clone(), is_ending.clone(), answered.clone()))).collect();
    upstream.until(CALLERS * 4).await;
    assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 200"));
    is_ending.store(true, Ordering::SeqCst);
    let ended = tokio::task::spawn_blocking(move || gateway.end());
    // It says that it will end while it still takes calls.
    let said = async { while !get(admin, "/readyz").await.starts_with("HTTP/1.1 503") {} };
    tokio::time::timeout(Duration::from_secs(5), said).await.unwrap();
    let before = calls(&upstream);
    upstream.until(before + 1).await;
    assert!(comes(ended).await.unwrap().success());
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(answered.load(Ordering::SeqCst), calls(&upstream), "of those that reached the supplier");
}

/// Calls until the gateway has found the service.
async fn known(address: &str, answered: &Arc<AtomicUsize>) {
    let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
    let found = async {
        loop {
            let call = Call::new(WIRE.method(Verb::Read), WIRE.request(Verb::Read)).with("x-api-key", KEY);
            if call.send_over(channel.clone()).await.is_ok() {
                return answered.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap();
}
