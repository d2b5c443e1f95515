//! A process in the catalogue of an agent that does what a test tells it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, http::Uri};
use serde_json::Value;
use tokio::{net::TcpListener, time::timeout};

use crate::probe::started;

/// An agent.
#[derive(Clone, Default)]
struct Agent {
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    /// What the agent answers instead of 200.
    refusal: Arc<Mutex<Option<(&'static str, u16)>>>,
}

impl Agent {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(hear).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    /// Answers paths that begin so with a status.
    fn refuse(&self, refusal: Option<(&'static str, u16)>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    /// Paths that begin so, in the order that they came in.
    fn heard(&self, start: &str) -> Vec<(String, Value)> {
        self.heard.lock().unwrap().iter().filter(|(path, _)| path.starts_with(start)).cloned().collect()
    }

    async fn until_heard(&self, start: &str, times: usize) -> Vec<(String, Value)> {
        let heard = async {
            while self.heard(start).len() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.heard(start)
        };
        timeout(Duration::from_secs(20), heard).await.expect("the agent hears it")
    }
}

async fn hear(State(agent): State<Agent>, uri: Uri, body: Bytes) -> StatusCode {
    let path = uri.path().to_owned();
    let refusal = agent.refusal.lock().unwrap().filter(|(start, _)| path.starts_with(start));
    agent.heard.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap_or_default()));
    refusal.map_or(StatusCode::OK, |(_, code)| StatusCode::from_u16(code).unwrap())
}

const REGISTER: &str = "/v1/agent/service/register";
const PASS: &str = "/v1/agent/check/pass/";
const DEREGISTER: &str = "/v1/agent/service/deregister/";

#[tokio::test]
async fn a_process_registers_speaks_is_registered_again_and_leaves_first() {
    let agent = Agent::default();
    agent.refuse(Some((REGISTER, 500)));
    let address = agent.start().await;
    let section = format!(
        "[consul]\naddress = \"{address}\"\nttl_seconds = 1\ntags = [\"blue\"]\n[server]\nannounce_seconds = 0.5"
    );
    let running = started(&section).await;
    let port = running.grpc_addr().port();
    // A refusal is no end: it is tried again.
    agent.until_heard(REGISTER, 2).await;
    agent.refuse(None);
    let passed = agent.until_heard(PASS, 1).await;
    let (_, told) = agent.heard(REGISTER).pop().unwrap();
    let id = format!("chassis-probe-127-0-0-1-{port}");
    assert_eq!((&told["ID"], &told["Name"]), (&id.as_str().into(), &"chassis-probe".into()));
    assert_eq!((&told["Address"], &told["Port"]), (&"127.0.0.1".into(), &port.into()));
    assert_eq!(told["Tags"], serde_json::json!(["grpc", "blue"]));
    assert_eq!(told["Meta"]["services"], "chassis.test.v1.ProbeService");
    assert_eq!(told["Checks"][0]["GRPC"], format!("127.0.0.1:{port}"));
    assert_eq!((&told["Checks"][0]["GRPCUseTLS"], &told["Checks"][0]["TLSSkipVerify"]), (&false.into(), &false.into()));
    assert_eq!(told["Checks"][0].get("TLSServerName"), None, "an agent before 1.10 refuses it");
    assert_eq!(
        (&told["Checks"][1]["TTL"], &told["Checks"][1]["CheckID"]),
        (&"1000ms".into(), &format!("{id}:ttl").into())
    );
    assert_eq!(passed[0].0, format!("{PASS}{id}:ttl"));

    // An agent that forgot the process is told again.
    let times = agent.heard(REGISTER).len();
    agent.refuse(Some((PASS, 404)));
    agent.until_heard(REGISTER, times + 1).await;
    agent.refuse(None);

    let announced = tokio::spawn(async move {
        running.announce().await;
        running
    });
    agent.until_heard(DEREGISTER, 1).await;
    assert!(!announced.is_finished(), "the process still serves when it is found no more");
    let running = announced.await.unwrap();
    let after = agent.heard("/").len();
    running.drain().await;
    assert_eq!(agent.heard(DEREGISTER), [(format!("{DEREGISTER}{id}"), Value::Null)]);
    assert_eq!(agent.heard("/").len(), after, "nothing is said after that");
}

#[tokio::test]
async fn an_agent_that_is_away_keeps_no_process_from_serving_or_ending() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let running = started(&format!("[consul]\naddress = \"{nobody}\"")).await;
    timeout(Duration::from_secs(10), running.drain()).await.expect("it ends");
}
