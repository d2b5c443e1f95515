//! grpcurl and buf curl, which are written in Go: they know the contract by reflection only, and check it strictly.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{Seek, Write},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use ispbridge::suite::{Options, Suite};
use ispbridge_parts::{BUF, GRPCURL};
use prost::Message;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{
    caller::POOLS,
    script::run,
    tree::{read, recorded},
};

/// Services that are not in the contract.
const STANDARD: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
/// Processes that run at the same time.
const AT_ONCE: usize = 4;
/// Codes that say that a call was not understood.
const STRANGE: [&str; 6] = ["Internal", "Unknown", "Unimplemented", "internal", "unknown", "unimplemented"];

fn grpcurl(suite: &Suite) -> Option<Command> {
    let mut command = GRPCURL.command()?;
    command.args(["-plaintext", "-H", &format!("x-api-key: {}", suite.key())]);
    Some(command)
}

fn buf_curl(suite: &Suite) -> Option<Command> {
    let mut command = BUF.command()?;
    command.args(["curl", "--http2-prior-knowledge", "--reflect-header", &format!("x-api-key: {}", suite.key())]);
    Some(command)
}

async fn started() -> Suite {
    Suite::start(Options::default()).await.unwrap()
}

fn services() -> Vec<ServiceDescriptor> {
    let all = POOLS.iter().flat_map(|(_, pool)| pool.services());
    all.filter(|service| service.package_name().starts_with("ispbridge.")).collect()
}

fn methods() -> Vec<MethodDescriptor> {
    services().iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// A provider's recorded request for a method.
fn request(method: &MethodDescriptor) -> File {
    let package = method.parent_service().package_name().to_owned();
    let provider = package.split('.').nth(1).unwrap().replace('_', "-");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&recorded(&format!("services/{provider}/fixtures"), method.name(), "request")).unwrap();
    file.rewind().unwrap();
    file
}

fn comment<'a>(file: &'a FileDescriptorProto, path: &[i32]) -> &'a str {
    let mut locations = file.source_code_info.as_ref().unwrap().location.iter();
    locations
        .find(|location| location.path == path)
        .unwrap_or_else(|| panic!("no comment at {path:?}"))
        .leading_comments()
}

/// A declaration as grpcurl prints it: its comment and how it begins.
fn printed(file: &FileDescriptorProto, path: &[i32], indent: &str, begins: &str) -> String {
    let lines = comment(file, path).trim_end().lines().map(|line| format!("{indent}//{line}\n"));
    lines.collect::<String>() + indent + begins
}

/// What many programs print, a few of them at a time.
async fn run_all(commands: impl Iterator<Item = Command>) -> Vec<Output> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let running: Vec<_> = commands
        .map(|mut command| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let _pass = gate.acquire_owned().await.unwrap();
                tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
            })
        })
        .collect();
    let mut outputs = Vec::new();
    for one in running {
        outputs.push(one.await.unwrap());
    }
    outputs
}

#[tokio::test]
async fn grpcurl_lists_and_describes_every_service_with_its_comments() {
    let suite = started().await;
    let (Some(mut list), Some(mut describe)) = (grpcurl(&suite), grpcurl(&suite)) else { return };
    list.args([&suite.address().to_string(), "list"]);
    let mut expected: BTreeSet<String> = services().iter().map(|service| service.full_name().to_owned()).collect();
    expected.extend(STANDARD.map(str::to_owned));
    assert_eq!(run(list).await.lines().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    describe.args([&suite.address().to_string(), "describe"]);
    let text = run(describe).await;
    for service in services() {
        let file = service.parent_file().file_descriptor_proto().clone();
        let shown = printed(&file, service.path(), "", &format!("service {} {{", service.name()));
        assert!(text.contains(&format!("{} is a service:\n{shown}", service.full_name())), "{shown}");
        for method in service.methods() {
            let shown = printed(&file, method.path(), "  ", &format!("rpc {} ( .", method.name()));
            assert!(text.contains(&shown), "{shown}");
        }
    }
    suite.stop().await;
}

#[tokio::test]
async fn grpcurl_takes_home_every_file_with_its_comments() {
    let suite = started().await;
    let Some(mut describe) = grpcurl(&suite) else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("set");
    describe.arg("-protoset-out").arg(&path).args([&suite.address().to_string(), "describe"]);
    run(describe).await;
    let set = FileDescriptorSet::decode(fs::read(path).unwrap().as_slice()).unwrap();
    let taken: BTreeMap<_, _> = set.file.iter().map(|file| (file.name(), file)).collect();
    let pools = POOLS.iter().flat_map(|(_, pool)| pool.files());
    let own: Vec<_> = pools.filter(|file| file.package_name().starts_with("ispbridge.")).collect();
    assert!(own.len() > 30, "{}", own.len());
    for file in own {
        let taken = taken[file.name()];
        for message in file.messages() {
            assert!(!comment(taken, message.path()).is_empty());
            message.fields().for_each(|field| assert!(!comment(taken, field.path()).is_empty()));
        }
        for one in file.enums() {
            assert!(!comment(taken, one.path()).is_empty());
            one.values().for_each(|value| assert!(!comment(taken, value.path()).is_empty()));
        }
    }
    suite.stop().await;
}

#[tokio::test]
async fn grpcurl_describes_every_kind_of_symbol() {
    let kinds = [
        ("ispbridge.aex.v1.CustomerService.GetCustomer", "is a method:"),
        ("ispbridge.azotel.v1.AddCustomerRequest", "is a message:"),
        ("ispbridge.azotel.v1.AddCustomerRequest.name", "is a field:"),
        ("ispbridge.azotel.v1.TaxMode", "is an enum:"),
        ("ispbridge.azotel.v1.TAX_MODE_UNSPECIFIED", "is an enum value:"),
        ("ispbridge.type.v1.sensitive", "is an extension:"),
        ("google.rpc.ErrorInfo", "is a message:"),
        ("google.rpc.BadRequest.FieldViolation", "is a message:"),
        ("google.rpc.Status", "is a message:"),
    ];
    let suite = started().await;
    if grpcurl(&suite).is_none() {
        return;
    }
    let commands = kinds.iter().map(|(symbol, _)| {
        let mut command = grpcurl(&suite).unwrap();
        command.args([&suite.address().to_string(), "describe", symbol]);
        command
    });
    for ((symbol, kind), output) in kinds.iter().zip(run_all(commands).await) {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(kind), "{symbol}: {text}{:?}", output.stderr);
    }
    suite.stop().await;
}

#[tokio::test]
async fn grpcurl_calls_every_method_and_prints_errors_as_text() {
    let suite = started().await;
    if grpcurl(&suite).is_none() {
        return;
    }
    let methods = methods();
    let commands = methods.iter().map(|method| {
        let mut command = grpcurl(&suite).unwrap();
        command.args(["-d", "@", &suite.address().to_string(), method.full_name()]).stdin(request(method));
        command
    });
    let (mut answered, outputs) = (0, run_all(commands).await);
    assert!(methods.len() > 140 && outputs.len() == methods.len(), "{}", outputs.len());
    for (method, output) in methods.iter().zip(outputs) {
        let error = String::from_utf8(output.stderr).unwrap();
        match output.status.success() {
            true => serde_json::from_slice(&output.stdout).map(|_: Value| answered += 1).unwrap(),
            false => assert_told(method.full_name(), &error),
        }
    }
    assert!(answered > methods.len() / 2, "{answered} of {}", methods.len());
    suite.stop().await;
}

/// An error as grpcurl prints it, its details as text.
fn assert_told(method: &str, error: &str) {
    let code = error.lines().find_map(|line| line.trim().strip_prefix("Code: ")).unwrap_or_default();
    assert!(!code.is_empty() && !STRANGE.contains(&code), "{method}: {error}");
    let told = ["type.googleapis.com/google.rpc.ErrorInfo", "\"reason\": ", "\"outcome\": "];
    assert!(told.iter().all(|text| error.contains(text)), "{method}: {error}");
}

#[tokio::test]
async fn buf_curl_lists_and_calls_every_method_over_every_protocol() {
    let suite = started().await;
    if buf_curl(&suite).is_none() {
        return;
    }
    let (methods, address) = (methods(), format!("http://{}", suite.address()));
    for version in ["grpc-v1", "grpc-v1alpha"] {
        let mut list = buf_curl(&suite).unwrap();
        list.args(["--reflect-protocol", version, "--list-methods", &address]);
        let listed = run(list).await;
        let listed: BTreeSet<_> = listed.lines().filter(|line| line.starts_with("ispbridge.")).collect();
        assert_eq!(listed.len(), methods.len(), "{version}");
    }
    let protocols = ["connect", "grpc", "grpcweb"];
    let commands = methods.iter().zip(protocols.iter().cycle()).map(|(method, protocol)| {
        let mut command = buf_curl(&suite).unwrap();
        command.args(["--protocol", protocol, "-H", &format!("x-api-key: {}", suite.key()), "-d", "@-"]);
        command.arg(format!("{address}/{}/{}", method.parent_service().full_name(), method.name()));
        command.stdin(Stdio::from(request(method)));
        command
    });
    let mut answered = 0;
    for (method, output) in methods.iter().zip(run_all(commands).await) {
        let told = if output.status.success() { &output.stdout } else { &output.stderr };
        let told: Value = serde_json::from_slice(told)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", method.full_name(), String::from_utf8_lossy(told)));
        match output.status.success() {
            true => answered += 1,
            false => {
                assert!(!STRANGE.contains(&told["code"].as_str().unwrap()), "{}: {told}", method.full_name());
                assert_eq!(told["details"][0]["type"], "google.rpc.ErrorInfo", "{}: {told}", method.full_name());
            }
        }
    }
    assert!(answered > methods.len() / 2, "{answered} of {}", methods.len());
    suite.stop().await;
}

#[tokio::test]
async fn the_lines_of_the_readme_work() {
    let suite = started().await;
    for part in [GRPCURL, BUF] {
        let Some(command) = part.command() else { continue };
        let program = part.name;
        let readme = read("README.md").replace("\\\n", " ");
        let line = readme.lines().find(|line| line.split_once(' ').is_some_and(|(word, _)| word == program)).unwrap();
        let line = line.replacen(program, &command.get_program().to_string_lossy(), 1);
        let mut shell = Command::new("sh");
        shell.args(["-c", &line.replace("127.0.0.1:50051", &suite.address().to_string())]);
        assert!(run(shell).await.contains("redefinedPremises"), "{line}");
    }
    suite.stop().await;
}
