//! An upstream that is down: the service leaves its account alone, and the gateway's operator sees it.

use std::net::TcpListener;

use ispbridge_kit::http1::get;
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    caller::Call,
    stage::{Stage, WRONG},
};

/// Failures to connect in a row after which a service leaves an account alone.
const PATIENCE: usize = 5;

fn call() -> Call<'static> {
    let premise = json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" });
    Call::new("aex.PremiseService/GetPremise", premise).with("x-ispbridge-account", WRONG)
}

async fn resting(stage: &Stage) -> Value {
    let status = get(stage.gateway.admin_addr().unwrap(), "/status.json").await;
    let (_, body) = status.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(body).unwrap();
    let providers = status["providers"].as_array().unwrap().iter();
    let resting = providers.flat_map(|one| one["resting"].as_array().unwrap().clone());
    resting.map(|rest| json!([rest["account"], rest["instance"]])).collect()
}

#[tokio::test]
async fn an_account_whose_upstream_is_down_is_shown_until_it_answers() {
    let stage = Stage::open().await;
    let (_, aex) = stage.services.iter().find(|(provider, _)| *provider == "aex").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    aex.reload(stage.mended("aex", &format!("http://{nobody}"))).unwrap();
    for _ in 0..=PATIENCE {
        assert_eq!(stage.refused_call(call()).await.status.code(), Code::Unavailable);
    }
    assert_eq!(resting(&stage).await, json!([[WRONG, aex.grpc_addr().to_string()]]));
    aex.reload(stage.mended("aex", "")).unwrap();
    stage.send(call()).await.unwrap();
    assert_eq!(resting(&stage).await, json!([]));
    stage.close().await;
}
