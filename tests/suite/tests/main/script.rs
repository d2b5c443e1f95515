//! Programs in other languages that a test runs, and what it takes to run them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A script of this package.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The interpreter of `ISPBRIDGE_PYTHON`, or the one in the path, if it has the modules.
#[allow(clippy::disallowed_methods, reason = "which interpreter runs a test is no setting of the suite")]
pub(crate) fn python(modules: &str) -> Option<Command> {
    let interpreter = std::env::var("ISPBRIDGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports = format!("import {modules}");
    has(Command::new(&interpreter).args(["-c", &imports]), &format!("python with {modules}"))
        .then(|| Command::new(interpreter))
}

/// Node with the packages and the generated code of `node/`.
pub(crate) fn node() -> Option<Command> {
    let there = path("node/node_modules").is_dir() && path("node/generated").is_dir();
    let what = "node, or `npm ci && npm run generate` in tests/suite/node,";
    (there && has(Command::new("node").arg("--version"), what)).then(|| Command::new("node")).or_else(|| {
        println!("skipped: {what} is missing");
        None
    })
}

/// The program that a variable names, or the one of this name in the path, if it runs with one argument.
#[allow(clippy::disallowed_methods, reason = "which program runs a test is no setting of the suite")]
pub(crate) fn tool(variable: &str, name: &str, argument: &str) -> Option<Command> {
    let program = std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    has(Command::new(&program).arg(argument), name).then(|| Command::new(program))
}

/// Whether a program runs; says that its test is skipped if not.
pub(crate) fn has(program: &mut Command, what: &str) -> bool {
    let runs = program.output().is_ok_and(|output| output.status.success());
    if !runs {
        println!("skipped: {what} is not installed");
    }
    runs
}

/// Runs a script to its end and returns what it printed; it must succeed.
pub(crate) async fn run(mut script: Command) -> String {
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    let (held, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{held}{error}");
    held.into_owned()
}
