//! The program itself, as a person uses it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use ispbridge::suite::Suite;

use crate::caller::started;

const GET: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";

/// Runs the program against a suite, with a text on its standard input.
async fn run(suite: &Suite, words: &[&str], input: &'static str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge"));
    command.args(words).args(["--address", &suite.target().address]).env_remove("ISPBRIDGE_KEY");
    let output = tokio::task::spawn_blocking(move || finished(command, input)).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn finished(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn the_contract_is_listed_and_described() {
    let suite = started().await;
    let (code, services, _) = run(&suite, &["list"], "").await;
    assert_eq!(code, 0);
    assert!(services.lines().any(|line| line == "ispbridge.aex.v1.CustomerService"), "{services}");
    let (_, methods, _) = run(&suite, &["list", "ispbridge.aex.v1.ProductService"], "").await;
    assert_eq!(methods, "ispbridge.aex.v1.ProductService/ListAvailableProducts\n");
    let (_, method, _) = run(&suite, &["describe", GET], "").await;
    for line in [
        "  rpc GetCustomer(ispbridge.aex.v1.GetCustomerRequest) returns (ispbridge.aex.v1.GetCustomerResponse) {",
        "    option idempotency_level = NO_SIDE_EFFECTS;",
        "  string customer_id = 1 [(google.api.field_behavior) = REQUIRED];",
        "  optional string parent_id = 2;",
        "  google.protobuf.Struct extra_fields = 1000 [(ispbridge.type.v1.sensitive) = true];",
    ] {
        assert!(method.lines().any(|seen| seen == line), "{line} is not in\n{method}");
    }
    suite.stop().await;
}

#[tokio::test]
async fn a_call_takes_its_message_from_an_argument_or_from_standard_input() {
    let suite = started().await;
    let json = "{\"customerId\": \"FC65F24E-AADD-440E-AF96-9CBBDFA50349\"}";
    let (code, from_argument, _) = run(&suite, &["call", GET, json], "").await;
    assert_eq!(code, 0);
    assert!(from_argument.contains("\"portalUserId\": \"AABDE29F-B2B2-456F-916E-699D0BD28CFC\""), "{from_argument}");
    let (_, from_input, _) = run(&suite, &["call", GET, "-", "--account", "sandbox"], json).await;
    assert_eq!(from_input, from_argument);
    suite.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_everything_that_is_known() {
    let suite = started().await;
    let cases = [
        (&["call", GET][..], ["INVALID_ARGUMENT: ", "\n  field customer_id: is required", "\n  outcome: NOT_SENT"]),
        (&["call", GET, "--key", "ispb_x"], ["UNAUTHENTICATED: ", "CREDENTIALS_INVALID", "\n  request id: "]),
        (&["call", GET, "--account", "other"], ["PERMISSION_DENIED: ", "(gateway.ispbridge)", "\n  request id: "]),
        (&["call", GET, "{\"id\": 1}"], ["is not a ispbridge.aex.v1.GetCustomerRequest", "'id'", "line 1"]),
        (&["call", "ispbridge.aex.v1.CustomerService/Nothing"], ["there is no ", "Nothing", "`ispbridge list`"]),
        (&["describe", "ispbridge.aex.v1.Nothing"], ["there is no ", "Nothing", "`ispbridge list`"]),
    ];
    for (words, parts) in cases {
        let (code, out, error) = run(&suite, words, "").await;
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}");
        assert!(parts.iter().all(|part| error.contains(part)), "{words:?}: {error}");
    }
    suite.stop().await;
}
