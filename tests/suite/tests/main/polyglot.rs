//! A client in another language, with its own gRPC stack, through the gateway.

use std::{
    path::Path,
    process::{Command, Output},
};

use ispbridge_sandbox::Provider;

use crate::stage::Stage;

/// What the script needs: grpcio, grpcio-reflection, grpcio-status, googleapis-common-protos.
const MODULES: &str = "import grpc, grpc_reflection, grpc_status, google.rpc.error_details_pb2";

/// The interpreter of `ISPBRIDGE_PYTHON`, or the one in the path.
#[allow(clippy::disallowed_methods, reason = "which interpreter runs a test is no setting of the suite")]
fn python() -> Command {
    Command::new(std::env::var("ISPBRIDGE_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
}

#[tokio::test]
async fn python_calls_aex() {
    if !python().args(["-c", MODULES]).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: python grpcio is not installed");
        return;
    }
    let stage = Stage::open().await;
    let mut script = python();
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/aex.py"));
    script.args([stage.gateway.grpc_addr().to_string(), stage.secrets.key.clone(), stage.secrets.stranger.clone()]);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let (held, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{held}{error}");
    assert!(held.lines().count() >= 15, "{held}");
    for write in ["POST /customers", "POST /services/full"] {
        assert_eq!(stage.sandbox.executed(Provider::Aex, write), 1, "{write}");
    }
    stage.close().await;
}
