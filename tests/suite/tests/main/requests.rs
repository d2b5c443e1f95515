//! Malformed requests to real services, through the gateway and asked directly: their caller is told, no supplier hears of
//! them, and no instance, account or other caller is the worse for it.

use std::net::SocketAddr;

use ispbridge_kit::{
    Act,
    http1::get,
    http2::{call_with, framed, peer},
    reply::{bomb, gzip, gzip_with_wrong_sum},
};
use protocol::caller::Root;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    harness::{Harness, MAIN},
    wires::{Account, Apart, Verb, Wire},
};

/// A provider with one read and one write, and what the supplier calls them.
type Methods = (&'static str, &'static str, [(&'static str, &'static str); 2]);

const METHODS: [Methods; 3] = [
    (
        "aex",
        "aex",
        [("CustomerService/ListCustomers", "GET /customers"), ("CustomerService/CreateCustomer", "POST /customers")],
    ),
    (
        "azotel",
        "azotel",
        [("CustomerService/SearchCustomer", "searchCustomer"), ("CustomerService/AddCustomer", "addCustomer")],
    ),
    ("freeside", "freeside", [("AgentService/AgentInfo", "agent_info"), ("SignupService/NewProspect", "new_prospect")]),
];

const GZIP: &[(&str, &str)] = &[("grpc-encoding", "gzip")];

/// A message with this flag.
fn flagged(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &framed(message)[1..]].concat()
}

type Case = (&'static str, &'static [(&'static str, &'static str)], Vec<u8>, Code, &'static str);

fn cases() -> Vec<Case> {
    let two = framed(b"").repeat(2);
    vec![
        ("no protobuf", &[], framed(&[0xff, 0xff]), Code::InvalidArgument, "REQUEST_UNREADABLE"),
        ("packed, no protobuf", GZIP, flagged(1, &gzip(&[0xff, 0xff])), Code::InvalidArgument, "REQUEST_UNREADABLE"),
        ("nothing", &[], vec![], Code::Unimplemented, "MESSAGE_COUNT"),
        ("two messages", &[], two, Code::Unimplemented, "MESSAGE_COUNT"),
        ("half a message", &[], framed(b"abc")[..6].to_vec(), Code::InvalidArgument, "REQUEST_BROKEN"),
        ("2 MiB", &[], framed(&vec![0; 2 << 20]), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("4 MiB", &[], framed(&vec![0; 4 << 20]), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("a bomb", GZIP, flagged(1, &bomb(100)), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("no such flag", &[], flagged(2, b""), Code::Internal, "REQUEST_FRAMING"),
        ("no gzip", GZIP, flagged(1, b"text"), Code::Internal, "REQUEST_COMPRESSION"),
        ("a wrong sum", GZIP, flagged(1, &gzip_with_wrong_sum(b"abc")), Code::Internal, "REQUEST_COMPRESSION"),
        ("unknown encoding", &[("grpc-encoding", "br")], framed(b""), Code::Unimplemented, "COMPRESSION_UNKNOWN"),
        ("JSON", &[("content-type", "application/grpc+json")], framed(b"{}"), Code::Unimplemented, "CODEC_UNKNOWN"),
    ]
}

/// Makes every case of a method and checks what is told.
async fn expect(address: SocketAddr, path: &str, credentials: &[(&str, &str)]) {
    let (mut sender, _connection) = peer(address, 1 << 16).await;
    for (name, headers, body, code, reason) in cases() {
        let headers = [headers, credentials].concat();
        let response = call_with(&mut sender, path, &headers, body).await.await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap_or_else(|| panic!("{path}: {name}"));
        let info = status.get_details_error_info().unwrap();
        let told = (status.code(), &*info.reason, &*info.metadata["outcome"], &*info.domain);
        assert_eq!(told, (code, reason, "NOT_SENT", "caller.ispbridge"), "{path}: {name}");
    }
}

async fn status(harness: &Harness) -> Value {
    let status = get(harness.gateway.admin_addr().unwrap(), "/status.json").await;
    serde_json::from_str(status.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn malformed_requests_are_their_callers_at_the_gateway_and_at_every_service() {
    let harness = Harness::open().await;
    let credentials = [("x-api-key", &*harness.secrets.key), ("x-ispbridge-account", MAIN)];
    for (upstream, provider, methods) in METHODS {
        let service = harness.services.iter().find(|(name, _)| *name == provider).unwrap().1.grpc_addr();
        let signer = Root::new("harness", &harness.secrets.root).unwrap().signer(&format!("ispbridge-{provider}"));
        for (method, operation) in methods {
            let path = format!("/ispbridge.{provider}.v1.{method}");
            expect(harness.gateway.grpc_addr(), &path, &credentials).await;
            let context = signer.sign("tester", MAIN, &path[1..], "r1");
            let context = [("x-ispbridge-context", context.to_str().unwrap()), ("x-request-id", "r1")];
            expect(service, &path, &context).await;
            assert_eq!(harness.sandbox.received(upstream, operation), 0, "{operation}");
        }
    }
    let now = status(&harness).await;
    assert_eq!(now["failures"], json!([]));
    for provider in now["providers"].as_array().unwrap() {
        assert_eq!(
            (&provider["instances"][0]["state"], &provider["resting"]),
            (&json!("up"), &json!([])),
            "{provider}"
        );
    }
    harness.ask("azotel.SystemService/PingApi", json!({})).await;
    harness.close().await;
}

/// A request that reads one premise, with so many bytes in a field that nobody knows.
fn long_read(bytes: usize) -> Vec<u8> {
    let mut length = bytes;
    let mut message = [&b"\x0a\x01x"[..], &[0xc2, 0x3e]].concat();
    while length >= 0x80 {
        message.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap());
    message.resize(message.len() + bytes, b'x');
    message
}

#[tokio::test]
async fn the_limit_that_counts_is_the_configured_one_also_beyond_the_usual_of_libraries() {
    let reply = Act::Answer(Wire::AEX.reply(Verb::Read).bytes());
    let upstream = Wire::AEX.upstream(vec![reply.clone(), reply]).await;
    let limit = [("ISPBRIDGE__SERVER__MAX_REQUEST_BYTES", "8388608")];
    let service = Apart::start(Wire::AEX, &[Account::at(MAIN, &upstream)], "", &limit).await;
    let (mut sender, _connection) = peer(service.site.address, 1 << 16).await;
    let path = "/ispbridge.aex.v1.PremiseService/GetPremise";
    let headers = [("x-ispbridge-account", MAIN)];
    let mut ask = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let response = call_with(&mut sender, path, headers, body).await.await.unwrap();
        Status::from_header_map(response.headers()).map(|status| status.get_details_error_info().unwrap().reason)
    };
    assert_eq!(ask(&headers, framed(&long_read(6 << 20))).await, None);
    let packed = flagged(1, &gzip(&long_read(6 << 20)));
    assert_eq!(ask(&[headers[0], GZIP[0]], packed).await, None);
    assert_eq!(ask(&headers, framed(&long_read(9 << 20))).await.as_deref(), Some("REQUEST_TOO_LARGE"));
    let packed = flagged(1, &gzip(&long_read(9 << 20)));
    assert_eq!(ask(&[headers[0], GZIP[0]], packed).await.as_deref(), Some("REQUEST_TOO_LARGE"));
    assert_eq!(upstream.requests().len(), 2);
}
