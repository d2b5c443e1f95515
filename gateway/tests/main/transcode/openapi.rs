//! The OpenAPI document, as a caller and as a command get it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use http::Method;
use serde_json::Value;

use super::{send, unpacked};
use crate::{
    backend::{ADD, DESCRIPTORS, GET},
    caller::{ALL, NOBODY, READER, Suite},
    suite,
};

fn openapi(source: &str, key: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"))
        .args(["openapi", source])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who reads a file does not wait for a key.
    let _ = writeln!(child.stdin.take().unwrap(), "{key}");
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_needs_a_key_and_names_the_methods() {
    let (_backend, suite) = suite().await;
    let refused = send(&suite, Method::GET, "/openapi.json", &[], "").await;
    assert_eq!((refused.status.as_u16(), refused.error().0.as_str()), (401, "unauthenticated"));
    let answer = send(&suite, Method::GET, "/openapi.json", &[("x-api-key", ALL)], "").await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (200, "application/json"));
    let document = answer.json();
    assert!(document["paths"][GET]["post"].is_object());
    assert_eq!(document["components"]["schemas"]["ispbridge.fake_isp.v1.Thing"]["required"][0], "name");

    let address = format!("http://{}", suite.running.grpc_addr());
    let (fetched, refused) =
        tokio::task::spawn_blocking(move || (openapi(&address, ALL), openapi(&address, "ispb_x"))).await.unwrap();
    assert_eq!((fetched.0, serde_json::from_str::<Value>(&fetched.1).unwrap()), (true, document));
    assert!(!refused.0 && refused.1.contains("401"), "{}", refused.1);
}

#[tokio::test]
async fn the_document_has_a_head_and_no_other_method() {
    let (_backend, suite) = suite().await;
    let key = [("x-api-key", ALL)];
    let whole = send(&suite, Method::GET, "/openapi.json", &key, "").await;
    let head = send(&suite, Method::HEAD, "/openapi.json", &key, "").await;
    assert_eq!((head.status.as_u16(), head.kind(), head.body.len()), (200, "application/json", 0));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    let refused = send(&suite, Method::HEAD, "/openapi.json", &[], "").await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (401, 0));
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let answer = send(&suite, method, "/openapi.json", &key, "{}").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn a_caller_reads_of_the_methods_that_it_may_call() {
    let (_backend, suite) = suite().await;
    let read = async |key: &str| send(&suite, Method::GET, "/openapi.json", &[("x-api-key", key)], "").await.json();
    let paths = |document: &Value| document["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (all, reader, nobody) = (read(ALL).await, read(READER).await, read(NOBODY).await);
    assert_eq!(paths(&all), [ADD.to_owned(), GET.to_owned(), ADD.replace("/Add", "/OldAdd")]);
    assert_eq!(paths(&reader), [GET]);
    assert!(reader["components"]["schemas"]["ispbridge.fake_isp.v1.Thing"].is_object());
    assert_eq!((paths(&nobody), &nobody["tags"]), (Vec::<String>::new(), &Value::Array(Vec::new())));
    assert!(!nobody.to_string().contains("fake_isp"));
    // What one may read is not kept for the other.
    assert_eq!((read(READER).await, read(ALL).await), (reader, all));
}

#[tokio::test]
async fn it_is_packed_for_who_takes_it() {
    let (_backend, suite) = suite().await;
    let headers = [("x-api-key", ALL), ("accept-encoding", "gzip, deflate, br")];
    let packed = send(&suite, Method::GET, "/openapi.json", &headers, "").await;
    let plain = send(&suite, Method::GET, "/openapi.json", &headers[..1], "").await;
    assert_eq!((packed.header("content-encoding"), unpacked(&packed.body)), ("gzip", plain.body.to_vec()));
    assert_eq!((plain.header("vary"), plain.header("content-encoding")), ("accept-encoding", ""));
}

#[tokio::test]
async fn it_is_public_where_reflection_is_and_gone_where_it_is_closed() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, "public_reflection = true").await;
    for headers in [&[][..], &[("x-api-key", NOBODY)]] {
        let answer = send(&suite, Method::GET, "/openapi.json", headers, "").await;
        assert!(answer.status == 200 && answer.json()["paths"][ADD].is_object());
    }
    let suite = Suite::start_with(&backend, "doors.openapi = false").await;
    assert_eq!(send(&suite, Method::GET, "/openapi.json", &[("x-api-key", ALL)], "").await.status, 404);
}

#[test]
fn a_file_of_descriptors_is_enough() {
    let file = std::env::temp_dir().join(format!("ispbridge-gateway-descriptors-{}", std::process::id()));
    std::fs::write(&file, &*DESCRIPTORS).unwrap();
    let (succeeded, text) = openapi(file.to_str().unwrap(), "");
    std::fs::remove_file(&file).unwrap();
    assert!(succeeded, "{text}");
    assert!(serde_json::from_str::<Value>(&text).unwrap()["paths"][GET].is_object());
    assert!(!openapi("/nowhere", "").0);
}
