//! The one line per call.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tonic::Request;
use tracing_subscriber::fmt::MakeWriter;

use crate::probe::{READ, connected, send, started};

const REQUEST_ID: &str = "order-of-the-log-test";

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn of_calls(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // The other tests log as well.
        lines.filter(|line| line["request_id"] == REQUEST_ID).collect()
    }
}

#[tokio::test]
async fn a_call_is_one_line_with_its_facts_and_without_its_content() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
    // For the whole test program: a subscriber of one thread misses call sites that another thread met first.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let running = started("").await;
    let channel = connected(running.grpc_addr()).await;
    for text in ["hello hunter2", "panic"] {
        let mut request = Request::new(text.to_owned());
        request.metadata_mut().insert("x-request-id", REQUEST_ID.parse().unwrap());
        request.metadata_mut().insert("x-ispbridge-account", "main".parse().unwrap());
        request.metadata_mut().insert("authorization", "Bearer hunter2".parse().unwrap());
        let _ = send(channel.clone(), READ, request).await;
    }
    running.drain().await;
    let calls = lines.of_calls();
    let [good, bad] = calls.as_slice() else { panic!("{calls:?}") };
    let expected = [
        ("level", "INFO"),
        ("process", "chassis-probe"),
        ("method", "chassis.test.v1.ProbeService/Read"),
        ("code", "OK"),
        ("target", "ispbridge::call"),
        ("account", "main"),
    ];
    for (name, value) in expected {
        assert_eq!(good[name], value, "{good}");
    }
    assert!(good["duration_ms"].as_f64().unwrap() >= 0.0, "{good}");
    assert_eq!((bad["level"].as_str(), bad["code"].as_str()), (Some("WARN"), Some("INTERNAL")));
    assert!(!String::from_utf8_lossy(&lines.0.lock().unwrap()).contains("hunter2"));
}
