//! The commands of the README's first hour that call the suite, and those that it prints itself, typed as they stand.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use ispbridge::suite::Suite;

use crate::caller::started;

/// The lines of the README that run the program or curl against a suite, with lines that go on joined.
fn lines() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
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
