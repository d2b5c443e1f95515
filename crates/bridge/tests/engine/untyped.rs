//! A contract that is loaded while the program runs: read and written without a type of its messages.

use std::{path::PathBuf, sync::Arc};

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Telemetry, Upstream,
    http::{BaseUrl, HttpReply, HttpRequest},
    table::{Tables, TextRule, Vocabulary},
    wire::rest::{self, Arguments},
};
use bumpalo::Bump;
use bytes::Bytes;
use ispbridge_kit::{Act, Hostile};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, Value, prost::Message};
use tonic::{Code, Request};
use tonic_types::StatusExt;
use url::Url;

use super::sample::{json, transport};

const CONTRACT: &str = r#"
    syntax = "proto3";
    package isp.cyber.v1;
    import "google/protobuf/empty.proto";
    import "google/type/date.proto";
    import "ispbridge/type/v1/options.proto";

    service LineService {
      rpc GetLine(GetLineRequest) returns (Line) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc Stop(Line) returns (google.protobuf.Empty) { option (ispbridge.type.v1.probe) = "LineService/GetLine"; }
      rpc Nest(google.protobuf.Empty) returns (Inner.Tree);
    }
    message GetLineRequest { string id = 1; repeated google.type.Date on = 2; }
    message Line { string id = 1; repeated bool ports = 2; bytes key = 3; int32 speed = 4; }
    message Inner { message Tree { repeated Tree below = 1; } }
"#;

const VOCABULARY: &str = r#"
    [message.GetLineRequest]
    on = { name = "dates", list = "joined ;", format = "date DD/MM/YYYY" }
    [message.Line]
    ports = { name = "port*", list = "numbered 1", format = "boolean up/down" }
"#;

/// The contract as an operator brings it: a text that is compiled here and now.
fn pool() -> (Vec<u8>, DescriptorPool) {
    let folder = tempfile();
    std::fs::write(folder.join("cyber.proto"), CONTRACT).expect("a folder of our own");
    let protos = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let includes = [folder.clone(), protos.clone(), protos.join("third_party")];
    let mut compiler = protox::Compiler::new(includes).expect("the folders exist");
    compiler.include_imports(true).open_files(["cyber.proto"]).expect("a right contract");
    std::fs::remove_dir_all(folder).expect("our own folder");
    let descriptors = compiler.encode_file_descriptor_set();
    let pool = DescriptorPool::decode(descriptors.as_slice()).expect("descriptors");
    (descriptors, pool)
}

fn tempfile() -> PathBuf {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("contract-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// An upstream whose operations are the texts of a vocabulary, not of a program.
struct Loaded {
    url: Url,
    check: String,
}

impl Provider for Loaded {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let call = rest::build(&self.url, call.operation, call.arguments, Arguments::ByMethod);
        Ok(call.map_err(Fault::invalid)?.into_request())
    }

    fn reply<'t>(&self, _: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        match reply.status_fault() {
            Some(fault) => Err(fault),
            None => Ok(reply.json(arena)?),
        }
    }

    fn check(&self) -> (&str, &[(&str, Node<'_>)]) {
        (&self.check, &[])
    }
}

struct Stage {
    upstream: Upstream,
    server: Hostile,
    pool: DescriptorPool,
}

impl Stage {
    async fn new(acts: Vec<Act>) -> Self {
        let (descriptors, pool) = pool();
        let vocabulary = Vocabulary::parse(VOCABULARY).expect("a vocabulary");
        let tables = Tables::build(&descriptors, "isp.cyber.v1", &vocabulary, None, TextRule::Any).expect("tables");
        let server = Hostile::script(acts).await;
        let base_url = BaseUrl::try_from(format!("http://{}/", server.address)).expect("an address");
        let provider = Box::new(Loaded { url: base_url.url().clone(), check: "GET /ping".to_owned() });
        let setup = AccountSetup { base_url, transport: transport(), tables: Arc::new(tables).into(), provider };
        let tracer = SdkTracerProvider::default().tracer("test");
        let name = "cyber".to_owned();
        let telemetry = Telemetry::new(name.clone(), &tracer, &SdkMeterProvider::default().meter("test"));
        let accounts = [("main".to_owned(), setup)];
        let upstream = Upstream::new(format!("{name}.ispbridge"), accounts, telemetry).expect("one account");
        Self { upstream, server, pool }
    }

    fn method(&self, name: &str) -> MethodDescriptor {
        let service = self.pool.get_service_by_name("isp.cyber.v1.LineService").expect("the service");
        service.methods().find(|method| method.name() == name).expect("a method")
    }

    fn message(&self, name: &str, fields: Vec<(&str, Value)>) -> DynamicMessage {
        let mut message = DynamicMessage::new(self.pool.get_message_by_name(name).expect("a message"));
        fields.into_iter().for_each(|(name, value)| message.set_field_by_name(name, value));
        message
    }

    async fn call(
        &self,
        operation: &str,
        method: &str,
        request: impl Into<Bytes>,
    ) -> Result<DynamicMessage, tonic::Status> {
        let method = self.method(method);
        let request = Request::new(request.into());
        let reply = self.upstream.call_bytes(operation.to_owned(), &method, request).await?;
        Ok(DynamicMessage::decode(method.output(), reply.into_inner()).expect("a whole message"))
    }

    fn line(&self) -> DynamicMessage {
        let ports = Value::List([true, false, true].map(Value::Bool).to_vec());
        let (id, key) = (Value::String("L 1".into()), Value::Bytes(Bytes::from_static(b"\xff\x00")));
        self.message("isp.cyber.v1.Line", vec![("id", id), ("ports", ports), ("key", key), ("speed", Value::I32(50))])
    }
}

fn answer(body: &str) -> Act {
    Act::Answer(json(200, body))
}

#[tokio::test]
async fn a_read_goes_there_and_back() {
    // The ports come in any order and with gaps.
    let body = r#"{"id":"L 1","port10":"up","port2":"down","port1":"up","key":"/wA=","speed":50}"#;
    let stage = Stage::new(vec![answer(body), answer("{}")]).await;
    let date = |day| {
        stage.message(
            "google.type.Date",
            vec![("year", Value::I32(2026)), ("month", Value::I32(2)), ("day", Value::I32(day))],
        )
    };
    let dates = Value::List([date(3), date(14)].map(Value::Message).to_vec());
    let request =
        stage.message("isp.cyber.v1.GetLineRequest", vec![("id", Value::String("L 1".into())), ("on", dates)]);
    let reply = stage.call("GET /lines/{id}", "GetLine", request.encode_to_vec()).await.expect("an answer");
    assert_eq!(reply, stage.line());
    let sent = &stage.server.requests()[0];
    assert!(sent.starts_with("GET /lines/L%201?dates=03%2F02%2F2026%3B14%2F02%2F2026 HTTP/1.1"), "{sent}");
    assert!(stage.upstream.check("main").await.is_ok());
}

#[tokio::test]
async fn a_write_of_unknown_outcome_names_its_probe() {
    let stage = Stage::new(vec![answer("{}"), Act::Mute]).await;
    let empty = stage.call("POST /stop", "Stop", stage.line().encode_to_vec()).await.expect("an answer");
    assert_eq!(empty.descriptor().full_name(), "google.protobuf.Empty");
    let sent = &stage.server.requests()[0];
    assert!(
        sent.ends_with(r#"{"id":"L 1","port1":"up","port2":"down","port3":"up","key":"/wA=","speed":50}"#),
        "{sent}"
    );
    let status = stage.call("POST /stop", "Stop", stage.line().encode_to_vec()).await.expect_err("no answer");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), &*info.reason, &*info.domain), (Code::Aborted, "OUTCOME_UNKNOWN", "cyber.ispbridge"));
    assert_eq!(info.metadata["probe"], "LineService/GetLine");
}

/// Writers of protobuf may repeat a field, mix fields, and write them in any order; the last of a single one counts.
#[tokio::test]
async fn bytes_of_any_writer_say_the_same() {
    let stage = Stage::new(vec![answer("{}")]).await;
    let line = [
        &b"\x20\x07"[..],        // speed = 7, replaced below
        b"\x10\x01",             // ports = true, not packed
        b"\x1a\x02\xff\x00",     // key
        b"\x12\x02\x00\x01",     // ports = false, true, packed
        b"\x0a\x01X\x0a\x03L 1", // id twice
        b"\x20\x32",             // speed = 50
        b"\x78\x01",             // a field that nobody knows
    ];
    stage.call("POST /stop", "Stop", line.concat()).await.expect("an answer");
    let sent = &stage.server.requests()[0];
    assert!(
        sent.ends_with(r#"{"id":"L 1","port1":"up","port2":"down","port3":"up","key":"/wA=","speed":50}"#),
        "{sent}"
    );
}

#[tokio::test]
async fn what_is_no_message_is_refused_before_anything_is_sent() {
    let stage = Stage::new(vec![Act::Mute]).await;
    for bytes in [&b"\x0a\x05ab"[..], b"\x0a\x01\xff", b"\x0d\x00\x00\x00\x00", b"\xff"] {
        let status = stage.call("POST /stop", "Stop", bytes.to_vec()).await.expect_err("no message");
        let outcome = status.get_details_error_info().expect("an ErrorInfo").metadata["outcome"].clone();
        assert_eq!((status.code(), &*outcome), (Code::InvalidArgument, "NOT_SENT"), "{bytes:?}");
        let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
        assert_eq!(violations[0].field, "request", "{bytes:?}");
    }
    assert_eq!(stage.server.requests().len(), 0);
}

#[tokio::test]
async fn a_reply_that_no_reader_of_protobuf_takes_is_no_success() {
    let deep = r#"{"below":[{"x":1,"below":["#.repeat(60) + &"]}]}".repeat(60);
    let stage = Stage::new(vec![answer(&deep)]).await;
    let status = stage.call("POST /nest", "Nest", Bytes::new()).await.expect_err("too deep");
    assert_eq!(status.code(), Code::Aborted);
}
