//! The commands of the README's first hour that call the suite, those of the services' READMEs and the sandbox's, typed as they
//! stand.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use ispbridge::suite::Suite;
use ispbridge_parts::CURL;
use ispbridge_sandbox::{Config, Sandbox};

use crate::{
    caller::started,
    site::{free_ports, program},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The lines of the README that run the program or curl against a suite, with lines that go on joined.
fn lines() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("Run it\n")).unwrap().replace("\\\n", " ");
    let typed = |line: &&str| line.starts_with("cargo run -- ") || line.starts_with("curl ");
    section.lines().filter(typed).map(str::to_owned).collect()
}

/// Types a line for a suite that listens somewhere else.
async fn typed(suite: &Suite, line: &str) -> Output {
    let line = line.replace("127.0.0.1:50051", &suite.address().to_string());
    let line = line.replace("cargo run --", env!("CARGO_BIN_EXE_ispbridge")).replacen("curl ", "curl -sS --fail ", 1);
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::null());
    command.env("ISPBRIDGE_ADDRESS", suite.target().address).env("ISPBRIDGE_API_KEY", suite.key());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_lets_one_try_works() {
    if !CURL.is_here() {
        return;
    }
    let suite = started().await;
    let lines = lines();
    assert!(lines.len() >= 7, "{lines:?}");
    for line in lines {
        let output = typed(&suite, &line).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.trim().is_empty(), "{line}: {output:?}");
    }
    suite.stop().await;
}

/// The commands of a README, its blocks one behind the other.
fn commands(readme: &str) -> String {
    let text = fs::read_to_string(Path::new(ROOT).join(readme)).unwrap();
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Puts the sandbox's own addresses in the place of the usual ones.
fn with_addresses(text: &str, sandbox: &Sandbox) -> String {
    let usual = [
        ("18001", sandbox.address("aex")),
        ("18002", sandbox.address("freeside")),
        ("18003", sandbox.address("azotel")),
    ];
    usual
        .into_iter()
        .fold(text.to_owned(), |text, (port, address)| text.replace(&format!("127.0.0.1:{port}"), &address.to_string()))
}

/// Types a service's README in its folder. Who types waits until the service is ready.
fn type_service(provider: &str, port: u16, text: &str) -> Output {
    let ([grpc, admin], folder) = (free_ports(), tempfile::tempdir().unwrap());
    let variables = format!(
        "export ISPBRIDGE__SERVER__LISTEN=127.0.0.1:{grpc} ISPBRIDGE__ADMIN__LISTEN=127.0.0.1:{admin} \
         ISPBRIDGE__SERVER__ANNOUNCE_SECONDS=0\n"
    );
    program(folder.path(), &format!("ispbridge-{provider}"), &variables);
    program(folder.path(), "ispbridge", "");
    let ready = format!(" &\nuntil curl -sf http://127.0.0.1:{admin}/readyz >/dev/null; do sleep 0.1; done\n");
    let text = text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{grpc}")).replace(" &\n", &ready);
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{text}");
    let mut command = Command::new("timeout");
    command.args(["120", "bash", "-eu", "-c", &script]).env_clear().stdin(Stdio::null());
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()));
    command.current_dir(Path::new(ROOT).join("services").join(provider)).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_runs_as_its_readme_says() {
    if !CURL.is_here() {
        return;
    }
    let sandbox = Sandbox::start(Config::default()).await.unwrap();
    for (provider, port, answer) in
        [("aex", 5001, "predefinedPremises"), ("freeside", 5002, "agentName"), ("azotel", 5003, "\"customers\"")]
    {
        let text = with_addresses(&commands(&format!("services/{provider}/README.md")), &sandbox);
        let typed = tokio::task::spawn_blocking(move || type_service(provider, port, &text)).await.unwrap();
        let said = String::from_utf8_lossy(&typed.stdout);
        assert!(typed.status.success(), "{provider}: {typed:?}");
        for part in ["the configuration is right", ": account main: ", answer] {
            assert!(said.contains(part), "{provider}: no {part} in {typed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_takes_the_orders_of_its_readme() {
    if !CURL.is_here() {
        return;
    }
    let sandbox = Sandbox::start(Config::default()).await.unwrap();
    let text = with_addresses(&commands("tests/sandbox/README.md"), &sandbox).replace("curl ", "curl -sS --fail ");
    assert_eq!(text.lines().count(), 4, "{text}");
    let mut command = Command::new("bash");
    command.args(["-eu", "-c", &text]).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
}
