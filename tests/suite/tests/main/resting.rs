//! An upstream that is down: the service leaves its account alone, and the gateway's operator sees it.

use std::{net::TcpListener, time::Duration};

use ispbridge_kit::http1::get;
use ispbridge_parts::GRPCURL;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    caller::Call,
    harness::{Harness, MAIN, WRONG},
    script::run,
};

/// Failures to connect in a row after which a service leaves an account alone.
const PATIENCE: usize = 5;

fn call() -> Call<'static> {
    let premise = json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" });
    Call::new("aex.PremiseService/GetPremise", premise).with("x-ispbridge-account", WRONG)
}

async fn resting(harness: &Harness) -> Value {
    let status = get(harness.gateway.admin_addr().unwrap(), "/status.json").await;
    let (_, body) = status.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(body).unwrap();
    let providers = status["providers"].as_array().unwrap().iter();
    let resting = providers.flat_map(|one| one["resting"].as_array().unwrap().clone());
    resting.map(|rest| json!([rest["account"], rest["instance"]])).collect()
}

/// What grpcurl is told of a name of health, by the gateway and by the service; `None` where there is no grpcurl.
async fn grpcurl_health(harness: &Harness, name: &str) -> Option<[Value; 2]> {
    let (_, aex) = harness.services.iter().find(|(provider, _)| *provider == "aex").unwrap();
    let mut said = [Value::Null, Value::Null];
    for (said, address) in said.iter_mut().zip([harness.gateway.grpc_addr(), aex.grpc_addr()]) {
        let mut command = GRPCURL.command()?;
        command.args(["-plaintext", "-H", &format!("x-api-key: {}", harness.secrets.key)]);
        command.args(["-d", &json!({ "service": name }).to_string(), &address.to_string()]);
        command.arg("grpc.health.v1.Health/Check");
        *said = serde_json::from_str(&run(command).await).unwrap();
    }
    Some(said)
}

/// Waits until the gateway's health, and a service's own, say this.
async fn until_health(harness: &Harness, name: &str, expected: ServingStatus) {
    let (_, aex) = harness.services.iter().find(|(provider, _)| *provider == "aex").unwrap();
    for address in [format!("http://{}", aex.grpc_addr()), harness.address()] {
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        let mut client = HealthClient::new(channel);
        let said = async {
            loop {
                let mut request = Request::new(HealthCheckRequest { service: name.to_owned() });
                request.metadata_mut().insert("x-api-key", harness.secrets.key.parse().unwrap());
                if client.check(request).await.is_ok_and(|reply| reply.get_ref().status() == expected) {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(20), said).await.unwrap_or_else(|_| panic!("{name} is not {expected:?}"));
    }
}

#[tokio::test]
async fn an_account_whose_upstream_is_down_is_shown_until_it_answers() {
    let harness = Harness::open().await;
    let (_, aex) = harness.services.iter().find(|(provider, _)| *provider == "aex").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    aex.reload(harness.mended("aex", &format!("http://{nobody}"))).unwrap();
    for _ in 0..=PATIENCE {
        assert_eq!(harness.refused_call(call()).await.status.code(), Code::Unavailable);
    }
    assert_eq!(resting(&harness).await, json!([[WRONG, aex.grpc_addr().to_string()]]));
    let port = aex.admin_addr().unwrap();
    let verbose = get(port, "/readyz?verbose").await;
    assert!(verbose.starts_with("HTTP/1.1 200"), "the service itself is well: {verbose}");
    for told in [format!("[+]aex/{MAIN} up: "), format!("[-]aex/{WRONG} down: breaker open, 5 failures in a row")] {
        assert!(verbose.contains(&told), "{verbose}");
    }
    assert!(!get(port, "/readyz").await.contains("aex"));
    let account = format!("upstream/aex/{WRONG}");
    until_health(&harness, &account, ServingStatus::NotServing).await;
    for well in ["", "upstream/aex", &format!("upstream/aex/{MAIN}"), "ispbridge.aex.v1.PremiseService"] {
        until_health(&harness, well, ServingStatus::Serving).await;
    }
    for (name, status) in [(account.as_str(), "NOT_SERVING"), ("upstream/aex", "SERVING")] {
        if let Some(said) = grpcurl_health(&harness, name).await {
            assert_eq!(said, [json!({ "status": status }), json!({ "status": status })], "{name}");
        }
    }
    aex.reload(harness.mended("aex", "")).unwrap();
    harness.send(call()).await.unwrap();
    assert_eq!(resting(&harness).await, json!([]));
    until_health(&harness, &account, ServingStatus::Serving).await;
    harness.close().await;
}
