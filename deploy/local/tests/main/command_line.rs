//! The program itself, as a person uses it.

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

use ispbridge::suite::Suite;

use crate::caller::started;

const GET: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";

/// Runs the program against a suite, with a text on its standard input.
async fn run(suite: &Suite, words: &[&str], input: &'static str) -> (i32, String, String) {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let variables = [("ISPBRIDGE_ADDRESS", suite.target().address), ("ISPBRIDGE_API_KEY", suite.key().to_owned())];
    ran(words, &variables, input).await
}

/// Runs the program with no other variables of its own, and with a text on its standard input.
pub(crate) async fn ran(
    words: Vec<String>,
    variables: &[(&str, String)],
    input: &'static str,
) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge"));
    let own = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ISPBRIDGE_"));
    for (name, _) in own {
        command.env_remove(name);
    }
    command.args(words).envs(variables.iter().map(|(name, value)| (name, value)));
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

/// What stands before a line: the comments of what it declares.
fn comments<'t>(text: &'t str, line: &str) -> Vec<&'t str> {
    let before: Vec<_> = text.lines().take_while(|seen| !seen.starts_with(line)).collect();
    let is_comment = |line: &&str| line.trim_start().starts_with("// ");
    before.into_iter().rev().take_while(is_comment).map(|line| line.trim_start().trim_start_matches("// ")).collect()
}

#[tokio::test]
async fn what_is_described_comes_with_its_comments() {
    let suite = started().await;
    let declared =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/ispbridge/aex/v1/customer_service.proto"));
    let declared = declared.unwrap();
    let (_, service, _) = run(&suite, &["describe", "ispbridge.aex.v1.CustomerService"], "").await;
    let (_, method, _) = run(&suite, &["describe", GET], "").await;
    let (_, message, _) = run(&suite, &["describe", "ispbridge.aex.v1.GetCustomerRequest"], "").await;
    for (text, line, origin) in [
        (&service, "service ispbridge.aex.v1.CustomerService {", "service CustomerService {"),
        (&service, "  rpc GetCustomer(", "  rpc GetCustomer("),
        (&method, "  rpc GetCustomer(", "  rpc GetCustomer("),
        (&method, "message ispbridge.aex.v1.GetCustomerResponse {", "message GetCustomerResponse {"),
        (&message, "message ispbridge.aex.v1.GetCustomerRequest {", "message GetCustomerRequest {"),
        (&message, "  string customer_id = 1", "  string customer_id = 1"),
    ] {
        let expected = comments(&declared, origin);
        assert!(!expected.is_empty(), "{origin}");
        assert_eq!(comments(text, line), expected, "{text}");
    }
    suite.stop().await;
}

#[tokio::test]
async fn a_call_tells_its_times_if_asked() {
    let suite = started().await;
    let json = "{\"customerId\": \"FC65F24E-AADD-440E-AF96-9CBBDFA50349\"}";
    let (code, reply, told) = run(&suite, &["call", GET, json, "-v", "-H", "x-request-id: order-7"], "").await;
    assert!(code == 0 && reply.starts_with('{'), "{told}");
    for part in
        ["code: OK\n", "took: ", "header x-request-id: order-7\n", "x-ispbridge-timing: gateway;dur=", "upstream;dur="]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (code, reply, told) = run(&suite, &["call", GET, "--verbose"], "").await;
    assert_eq!((code, reply.as_str()), (67, ""));
    assert!(told.starts_with("code: INVALID_ARGUMENT\n") && told.contains("\nINVALID_ARGUMENT: "), "{told}");
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
        (67, &["call", GET][..], ["INVALID_ARGUMENT: ", "\n  field customer_id: is required", "\n  outcome: NOT_SENT"]),
        (80, &["call", GET, "--api-key", "ispb_x"], ["UNAUTHENTICATED: ", "CREDENTIALS_INVALID", "\n  request id: "]),
        (71, &["call", GET, "--account", "other"], ["PERMISSION_DENIED: ", "(gateway.ispbridge)", "\n  request id: "]),
        (64, &["call", GET, "{\"id\": 1}"], ["is not a ispbridge.aex.v1.GetCustomerRequest", "'id'", "line 1"]),
        (64, &["call", "ispbridge.aex.v1.CustomerService/Nothing"], ["there is no ", "Nothing", "`ispbridge list`"]),
        (64, &["call", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"], ["streams", "", "grpcurl"]),
        (64, &["describe", "ispbridge.aex.v1.Nothing"], ["there is no ", "Nothing", "`ispbridge list`"]),
    ];
    for (expected, words, parts) in cases {
        let (code, out, error) = run(&suite, words, "").await;
        assert_eq!((code, out.as_str()), (expected, ""), "{words:?}: {error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{words:?}: {error}");
    }
    suite.stop().await;
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_was_said() {
    // The kernel accepts, and nobody answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let words = ["list", "--timeout", "0.2", "--address", &address].map(str::to_owned);
    let (code, _, error) = ran(words.into(), &[], "").await;
    assert!(code == 68 && error.starts_with("DEADLINE_EXCEEDED: no answer within 0.2 s"), "{error}");
    drop(silent);
    let words = ["list", "--address", &address].map(str::to_owned);
    let (code, _, error) = ran(words.into(), &[], "").await;
    assert!(code == 78 && error.starts_with("cannot reach "), "{error}");
}
