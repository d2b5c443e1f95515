//! Every function of Azotel through the gateway, over SOAP and over REST at a sandbox of its own: the two give the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    time::Duration,
};

use chassis::Program;
use ispbridge_azotel::Azotel;
use ispbridge_gateway::{Gateway, KeyHash};
use ispbridge_sandbox::{Config, Sandbox, StandIn};
use protocol::caller::Root;
use provider::Service;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Status;
use tonic_types::StatusExt;

use crate::{
    caller::{Call, POOLS},
    tree::{read, recorded},
};

const STORY: &str = include_str!("azotel_story.txt");
const ROOT: &str = "a root of the caller context for both transports";
const KEY: &str = "ispb_test_both_transports";

/// The year of the equipment that a sandbox begins with.
const SEEDED: i32 = 2016;

/// A line of the story.
struct Step {
    /// `Service/Rpc`.
    method: String,
    /// The request before what earlier answers say is put in.
    request: Value,
    /// A part of what comes back.
    expected: Value,
}

/// One gateway, one service, and for each transport an account and a sandbox.
pub(crate) struct Doors {
    sandboxes: [Sandbox; 2],
    service: chassis::Running,
    gateway: chassis::Running,
    _folder: TempDir,
}

#[tokio::test]
async fn every_function_gives_the_same_over_soap_and_rest() {
    let doors = Doors::open().await;
    let mut answers = BTreeMap::new();
    let (mut failures, mut done) = (Vec::new(), BTreeSet::new());
    for step in story() {
        let (request, expected) = (filled(&step.request, &answers), filled(&step.expected, &answers));
        let soap = doors.ask("soap", &step.method, &request).await;
        let rest = doors.ask("rest", &step.method, &request).await;
        if comparable(soap.clone()) != comparable(rest.clone()) {
            failures.push(format!("{} {request}\nsoap {soap:#}\nrest {rest:#}", step.method));
        } else if is_refused(&soap) != is_refused(&expected) || !holds(&soap, &expected) {
            failures.push(format!("{} {request}\nexpected {expected}\nanswered {soap:#}", step.method));
        } else if !is_refused(&soap) {
            done.insert(step.method.clone());
        }
        answers.insert(step.method.split_once('/').unwrap().1.to_owned(), soap);
    }
    failures.extend(methods().difference(&done).map(|method| format!("{method} never succeeds in the story")));
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
    for function in functions() {
        let [soap, rest] = doors.executed(&function);
        assert!(soap == rest && soap > 0, "{function}: {soap} times over SOAP, {rest} over REST");
    }
    doors.close().await;
}

impl Doors {
    pub(crate) async fn open() -> Self {
        let sandboxes =
            [Sandbox::start(Config::default()).await.unwrap(), Sandbox::start(Config::default()).await.unwrap()];
        let folder = TempDir::new().unwrap();
        let service = started::<Service<Azotel>>(&service(&folder, &sandboxes)).await;
        let gateway = started::<Gateway>(&gateway(&folder, service.grpc_addr())).await;
        let doors = Self { sandboxes, service, gateway, _folder: folder };
        let known = async {
            while doors.ask("soap", "SystemService/PingApi", &json!({})).await != json!({}) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), known).await.unwrap();
        doors.sandboxes.iter().for_each(|sandbox| sandbox.reset("azotel"));
        doors
    }

    /// The reply, or what is told of a refusal.
    pub(crate) async fn ask(&self, transport: &str, method: &str, request: &Value) -> Value {
        let name = format!("azotel.{method}");
        let call = Call::new(&name, request.clone()).with("x-api-key", KEY).with("x-ispbridge-account", transport);
        let answer = call.send(format!("http://{}", self.gateway.grpc_addr())).await;
        answer.unwrap_or_else(|status| refused(&status))
    }

    fn executed(&self, function: &str) -> [u64; 2] {
        self.sandboxes.each_ref().map(|sandbox| sandbox.executed("azotel", function))
    }

    pub(crate) async fn close(self) {
        self.gateway.drain().await;
        self.service.drain().await;
        for sandbox in self.sandboxes {
            sandbox.stop().await;
        }
    }
}

async fn started<P: Program>(config: &str) -> chassis::Running {
    chassis::start::<P>(config.parse().unwrap()).await.unwrap()
}

/// Keeps a secret and returns its reference as it stands in a file.
fn keep(folder: &TempDir, name: &str, secret: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, secret).unwrap();
    format!("{{ file = {path:?} }}")
}

fn service(folder: &TempDir, [soap, rest]: &[Sandbox; 2]) -> String {
    let [username, password] = ["username", "password"].map(|key| StandIn::of("azotel").value(key));
    let password = keep(folder, "password", password);
    let key = keep(folder, "key", &Root::new("both", ROOT).unwrap().derive("ispbridge-azotel").to_text());
    let account = |transport: &str, url: String| {
        format!(
            "[accounts.{transport}]\nbase_url = {url:?}\nusername = {username:?}\npassword = {password}\n\
             transport = {{ kind = {transport:?}, allow_private = true }}\n"
        )
    };
    let accounts = account("soap", format!("http://{}/API/operatorapi.pl", soap.address("azotel")))
        + &account("rest", format!("http://{}/restapi", rest.address("azotel")));
    format!(
        "server = {{ listen = \"127.0.0.1:0\", drain_seconds = 5 }}\nadmin.listen = \"127.0.0.1:0\"\n\
         callers.keys = [{{ id = \"both\", secret = {key} }}]\n{accounts}"
    )
}

fn gateway(folder: &TempDir, service: SocketAddr) -> String {
    let (root, key) = (keep(folder, "root", ROOT), KeyHash::of(KEY).to_string());
    format!(
        "server = {{ listen = \"127.0.0.1:0\", drain_seconds = 5 }}\nadmin.listen = \"127.0.0.1:0\"\n\
         signing = {{ id = \"both\", secret = {root} }}\n\
         principals = [{{ name = \"tester\", api_keys = [{key:?}] }}]\n\
         grants = [{{ principals = [\"tester\"], methods = [\"*\"], accounts = [\"*\"] }}]\n\
         [[routes]]\nprovider = \"azotel\"\ninstances = [\"http://{service}\"]\n"
    )
}

fn refused(status: &Status) -> Value {
    let info = status.get_details_error_info();
    let (reason, metadata) = info.map(|info| (info.reason, info.metadata)).unwrap_or_default();
    let violations = status.get_details_bad_request().map(|request| request.field_violations).unwrap_or_default();
    let violations: Vec<_> = violations.into_iter().map(|found| found.field).collect();
    let code = format!("{:?}", status.code());
    json!({ "refused": {
        "code": code, "message": status.message(), "reason": reason, "metadata": metadata, "violations": violations,
    } })
}

fn is_refused(answer: &Value) -> bool {
    answer.get("refused").is_some()
}

/// Every RPC as `Service/Rpc`.
fn methods() -> BTreeSet<String> {
    let (_, pool) = POOLS.iter().find(|(provider, _)| *provider == "azotel").unwrap();
    let services = pool.services().filter(|service| service.package_name() == "ispbridge.azotel.v1");
    let methods = services.flat_map(|service| {
        service.methods().map(|method| format!("{}/{}", service.name(), method.name())).collect::<Vec<_>>()
    });
    methods.collect()
}

/// The document's 72 functions.
fn functions() -> Vec<String> {
    let seed: Value = serde_json::from_str(&read("tests/sandbox/seed/azotel-functions.json")).unwrap();
    let names: Vec<_> =
        seed.as_array().unwrap().iter().map(|function| function["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 72);
    names
}

fn story() -> Vec<Step> {
    let methods = methods();
    let lines = STORY.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let step = |line: &str| {
        let (call, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("no => in {line}"));
        let (fixture, changes) = call.split_once(' ').unwrap();
        let rpc = fixture.split('.').next().unwrap();
        let method = methods.iter().find(|method| method.split_once('/').unwrap().1 == rpc);
        let mut request = serde_json::from_slice(&recorded("services/azotel/fixtures", fixture, "request")).unwrap();
        change(&mut request, json(changes));
        let method = method.unwrap_or_else(|| panic!("there is no {rpc}")).clone();
        Step { method, request, expected: json(expected) }
    };
    lines.map(step).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn change(request: &mut Value, changes: Value) {
    let (Value::Object(fields), Value::Object(changes)) = (request, changes) else { panic!("no object") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(fields.remove(&name).unwrap_or_else(|| panic!("the fixture has no {name}"))),
            _ => drop(fields.insert(name, value)),
        }
    }
}

/// Puts what was answered in the places that name it.
fn filled(value: &Value, answers: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('@').and_then(|name| name.split_once('.')) {
            Some((rpc, field)) => answers.get(rpc).and_then(|answer| answer.get(field)).cloned().unwrap_or_default(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, answers)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), filled(field, answers)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

/// Whether a value has all of the expected one.
fn holds(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(fields), Value::Object(expected)) => {
            expected.iter().all(|(name, part)| fields.get(name).is_some_and(|field| holds(field, part)))
        }
        (Value::Array(items), Value::Array(expected)) => {
            expected.iter().all(|part| items.iter().any(|item| holds(item, part)))
        }
        (Value::Object(fields), Value::String(_)) => fields.values().any(|field| holds(field, expected)),
        (Value::Array(items), Value::String(_)) => items.iter().any(|item| holds(item, expected)),
        _ => value == expected,
    }
}

/// A reply without what two transports and two clocks cannot have in common: over SOAP alone a tree's root has a name,
/// what is keyed comes in another order in XML than in JSON, and the sandboxes stamp new equipment when it is added.
fn comparable(mut reply: Value) -> Value {
    if let Some(Value::Object(root)) = reply.get_mut("data") {
        root.remove("name");
    }
    for (list, key) in [("substatuses", "name"), ("equipment", "id")] {
        if let Some(Value::Array(keyed)) = reply.get_mut(list) {
            keyed.sort_by_key(|record| record[key].to_string());
        }
    }
    for record in reply.get_mut("equipment").and_then(Value::as_array_mut).into_iter().flatten() {
        if record["dateAdded"]["year"] != SEEDED {
            record["dateAdded"].take();
        }
    }
    if let Some(tree) = reply.get_mut("data") {
        sort(tree);
    }
    reply
}

/// Puts the children of a tree's elements in the order of their names.
fn sort(tree: &mut Value) {
    if let Some(Value::Array(children)) = tree.get_mut("children") {
        children.iter_mut().for_each(sort);
        children.sort_by_key(|child| child["name"].to_string());
    }
}
