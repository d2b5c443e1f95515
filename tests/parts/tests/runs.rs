//! What the runner of tests shows of a part that is missing, seen from outside: this program runs itself.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

use std::process::{Command, Output};

use ispbridge_parts::{ALL, BUF, Part, REQUIRE};

/// Not a test of anything: [`run`] runs it where there is no buf.
#[test]
#[ignore = "the other tests run it"]
fn needs_buf() {
    if BUF.is_here() {
        panic!("this buf does not exist");
    }
}

/// Runs [`needs_buf`] as the test runner does, its output captured.
fn run(required: &str) -> Output {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(["--exact", "needs_buf", "--ignored"]);
    tests.env("ISPBRIDGE_BUF", "/no/such/buf").env(REQUIRE, required).output().unwrap()
}

#[test]
fn a_part_that_is_missing_is_told_past_the_capture() {
    let output = run("curl");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "not run: needs_buf: buf is missing (npm: @bufbuild/buf@1.75.0; ISPBRIDGE_BUF says where)\n");
}

#[test]
fn a_part_that_is_missing_and_required_fails_its_test() {
    let output = run("curl, buf");
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("buf is missing") && said.contains("ISPBRIDGE_REQUIRE names it"), "{said}");
}

/// A file of the repository.
fn file(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

#[test]
fn continuous_integration_requires_every_part() {
    let script = file(".ci/run").replace("\\\n", "");
    let required = script.lines().filter_map(|line| line.split_once("ISPBRIDGE_REQUIRE=")).map(|(_, names)| names);
    let words = required.flat_map(|names| names.split([',', ' ', '"']));
    let named: std::collections::BTreeSet<_> = words.collect();
    let missing: Vec<_> = ALL.iter().map(|part| part.name).filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), ".ci/run does not require {missing:?}");
}

#[test]
fn the_document_lists_every_part() {
    let document = file("tests/suite/README.md");
    let rows: Vec<_> =
        document.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4).collect();
    let expected: Vec<_> = ALL.iter().map(row).collect();
    assert_eq!(rows[rows.len() - expected.len()..], expected);
}

fn row(part: &Part) -> String {
    let variable = part.variable.map(|name| format!("`{name}` ")).unwrap_or_default();
    format!("| `{}` | {} | {variable}|", part.name, part.from)
}
