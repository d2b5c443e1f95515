//! A mended account works without a restart, and a broken configuration changes nothing.

use tonic::Code;

use crate::{
    caller::Call,
    harness::{Harness, WRONG},
    wires::{Verb, WIRES, Wire},
};

fn calls() -> impl Iterator<Item = Call<'static>> {
    let wires = WIRES.iter().copied().filter(|wire| wire.is_of_sandbox());
    let call = |wire: Wire| Call::new(wire.method(Verb::Read), wire.request(Verb::Read));
    wires.map(move |wire| call(wire).with("x-ispbridge-account", WRONG))
}

#[tokio::test]
async fn a_mended_credential_is_taken_while_the_service_runs() {
    let harness = Harness::open().await;
    for call in calls() {
        assert_eq!(harness.refused_call(call).await.status.code(), Code::FailedPrecondition);
    }
    for (provider, service) in &harness.services {
        let broken = harness.mended(provider, "ftp://nowhere.example.com/");
        assert!(service.reload(broken).unwrap_err().to_string().contains("base_url"), "{provider}");
        service.reload(harness.mended(provider, "")).unwrap();
    }
    for call in calls() {
        harness.send(call).await.unwrap();
    }
    harness.close().await;
}
