//! A mended account works without a restart, and a broken configuration changes nothing.

use serde_json::json;
use tonic::Code;

use crate::{
    caller::Call,
    stage::{Stage, WRONG},
};

fn calls() -> [Call<'static>; 3] {
    let premise = json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" });
    let calls = [
        Call::new("aex.PremiseService/GetPremise", premise),
        Call::new("azotel.SystemService/PingApi", json!({})),
        Call::new("freeside.AgentService/AgentInfo", json!({})),
    ];
    calls.map(|call| call.with("x-ispbridge-account", WRONG))
}

#[tokio::test]
async fn a_mended_credential_is_taken_while_the_service_runs() {
    let stage = Stage::open().await;
    for call in calls() {
        assert_eq!(stage.refused_call(call).await.status.code(), Code::FailedPrecondition);
    }
    for (provider, service) in &stage.services {
        let broken = stage.mended(provider, "ftp://nowhere.example.com/");
        assert!(service.reload(broken).unwrap_err().to_string().contains("base_url"), "{provider}");
        service.reload(stage.mended(provider, "")).unwrap();
    }
    for call in calls() {
        stage.send(call).await.unwrap();
    }
    stage.close().await;
}
