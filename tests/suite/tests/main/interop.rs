//! Cases of gRPC's interoperability tests through the gateway, from clients in other languages.

#[path = "interop/service.rs"]
mod service;

use std::{path::PathBuf, time::Duration};

use chassis::Running;
use ispbridge::{client::Client, reflection::Reflection, target::Target};
use ispbridge_gateway::{Gateway, KeyHash};

use self::service::PACKAGE;
use ispbridge_parts::PYTHON_GRPC;

use crate::script::{node, path, run};

const KEY: &str = "ispb_interop";

/// A gateway in front of the test service, once it has learnt its methods.
async fn gateway() -> Running {
    let service = service::start().await;
    let root: PathBuf = std::env::temp_dir().join(format!("ispbridge-interop-root-{}", std::process::id()));
    std::fs::write(&root, "a root of the caller context for tests").unwrap();
    let hash = KeyHash::of(KEY);
    let text = format!(
        r#"
        server = {{ listen = "127.0.0.1:0", drain_seconds = 2 }}
        signing = {{ id = "interop", secret = {{ file = {root:?} }} }}
        principals = [{{ name = "tester", api_keys = ["{hash}"] }}]
        grants = [{{ principals = ["tester"], methods = ["*"], accounts = ["interop/main"] }}]
        routes = [{{ provider = "interop", instances = ["http://{service}"] }}]
        "#
    );
    let gateway = chassis::start::<Gateway>(text.parse().unwrap()).await.unwrap();
    let address = format!("http://{}", gateway.grpc_addr());
    let client = Client::connect(&Target::new(address).with_key(KEY).unwrap()).await;
    let client = client.unwrap();
    let known = async {
        while !has_learnt(&client).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.unwrap();
    gateway
}

async fn has_learnt(client: &Client) -> bool {
    let reflection = Reflection::open(client).await;
    reflection.is_ok_and(|reflection| reflection.services().iter().any(|name| name.starts_with(PACKAGE)))
}

#[tokio::test]
async fn grpcio_holds_every_case() {
    let Some(mut script) = PYTHON_GRPC.command() else { return };
    let gateway = gateway().await;
    script.arg(path("python/interop.py")).args([gateway.grpc_addr().to_string(), KEY.to_owned()]);
    let held = run(script).await;
    assert_eq!(held.lines().count(), 7, "{held}");
    gateway.drain().await;
}

#[tokio::test]
async fn grpc_js_holds_every_case_and_connect_its_streams() {
    let Some(mut script) = node() else { return };
    let gateway = gateway().await;
    script.arg(path("node/interop.mjs")).args([gateway.grpc_addr().to_string(), KEY.to_owned()]);
    let held = run(script).await;
    assert_eq!(held.lines().count(), 7 + 5, "{held}");
    gateway.drain().await;
}
