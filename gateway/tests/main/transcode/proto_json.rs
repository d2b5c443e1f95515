//! JSON by the mapping of protobuf (ProtoJSON), text by text.

use std::path::Path;

use http::Method;
use ispbridge_parts::PYTHON_PROTOBUF;
use prost::Message;

use super::{post, send, stream};
use crate::{
    backend::{ADD, GET, SERVICE},
    caller::ALL,
    suite,
};

const CORPUS: &str = include_str!("../../corpus/proto-json.txt");

/// Each text with what becomes of it.
fn corpus() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = CORPUS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let mut columns = line.split('\t');
        (columns.next().unwrap(), columns.next().unwrap())
    })
}

#[tokio::test]
async fn every_text_of_the_corpus_is_read_or_refused_with_its_field() {
    let (backend, suite) = suite().await;
    for (text, expected) in corpus() {
        let answer = post(&suite, ADD, "application/json", text).await;
        let found = answer.json();
        let Some(field) = expected.strip_prefix("! ") else {
            assert_eq!((answer.status.as_u16(), found), (200, serde_json::from_str(expected).unwrap()), "{text}");
            continue;
        };
        assert_eq!((answer.status.as_u16(), answer.error().1.as_str()), (400, "REQUEST_JSON"), "{text}: {found}");
        let details = found["details"].as_array().unwrap();
        let named = details.iter().find_map(|detail| detail["debug"]["fieldViolations"][0]["field"].as_str());
        assert_eq!(named.unwrap_or("-"), field, "{text}: {found}");
        assert!(field == "-" || found["message"].as_str().unwrap().contains(field), "{text}: {found}");
        assert!(details.iter().any(|detail| detail["debug"]["metadata"]["outcome"] == "NOT_SENT"), "{text}: {found}");
    }
    let read = corpus().filter(|(_, expected)| !expected.starts_with('!')).count();
    assert_eq!(backend.arrivals().len(), read);
    assert!(read > 70 && corpus().count() > 200);
}

#[tokio::test]
async fn every_door_that_takes_json_reads_alike() {
    let (backend, suite) = suite().await;
    let (good, bad) = (r#"{"balance_cents":"1e1"}"#, r#"{"parts":[{"balanceCents":1,"balance_cents":1}]}"#);
    for method in ["AddCustomer", "WatchCustomer"] {
        let streamed = async |text| {
            let path = format!("/{SERVICE}/{method}");
            let answer = post(&suite, &path, "application/connect+json", stream::envelope(0, text)).await;
            stream::split(&answer)
        };
        let (messages, end) = streamed(good).await;
        assert_eq!(messages, [r#"{"balanceCents":"10"}"#], "{method} {end}");
        let (messages, end) = streamed(bad).await;
        assert!(
            messages.is_empty() && end["error"]["message"] == "field parts[0].balance_cents is given twice",
            "{end}"
        );
    }
    assert_eq!(backend.arrivals().len(), 2);
    let get = async |text: &str| {
        let text: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("{GET}?connect=v1&encoding=json&message={text}");
        send(&suite, Method::GET, &path, &[("x-api-key", ALL)], "").await
    };
    assert_eq!(get(good).await.json(), serde_json::json!({ "balanceCents": "10" }));
    assert_eq!(get(bad).await.status, 400);
    assert_eq!(backend.arrivals().len(), 1);
}

#[tokio::test]
async fn json_that_is_nested_too_deeply_is_refused_and_harms_nobody() {
    let (_backend, suite) = suite().await;
    for (open, close) in
        [("{\"parts\":[", "]}"), ("{\"more\":{\"a\":[", "]}}"), ("{\"byNumber\":{\"1\":", "}}"), ("[", "]")]
    {
        for depth in [130, 20_000] {
            let text = format!("{}{}", open.repeat(depth), close.repeat(depth));
            let answer = post(&suite, ADD, "application/json", text).await;
            assert_eq!((answer.status.as_u16(), answer.error().1.as_str()), (400, "REQUEST_JSON"), "{open}");
        }
    }
    // JSON has room for it and protobuf has not.
    let text = format!("{{\"more\":{}1{}}}", "{\"a\":".repeat(60), "}".repeat(60));
    let answer = post(&suite, ADD, "application/json", text).await;
    assert!(answer.json()["message"].as_str().unwrap().contains("more is nested too deeply"), "{answer:?}");
}

#[tokio::test]
async fn pythons_json_format_reads_the_corpus_alike_but_where_the_corpus_says_why() {
    let Some(mut python) = PYTHON_PROTOBUF.command() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/proto", "../proto", "../proto/third_party"].map(|folder| root.join(folder));
    let files = protox::compile(["ispbridge/fake_isp/v1/customer.proto"], folders).unwrap();
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), files.encode_to_vec()).unwrap();
    python.arg(root.join("tests/python/proto_json.py")).arg(set.path()).arg(root.join("tests/corpus/proto-json.txt"));
    let output = tokio::task::spawn_blocking(move || python.output().unwrap()).await.unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", told(&output.stderr));
    assert_eq!(told(&output.stdout), "");
}
