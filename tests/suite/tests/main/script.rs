//! Programs in other languages that a test runs, and what it takes to run them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ispbridge_parts::NODE;

/// A script of this package.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Node with the packages and the generated code of `node/`.
pub(crate) fn node() -> Option<Command> {
    let is_whole = path("node/node_modules").is_dir() && path("node/generated").is_dir();
    NODE.found(is_whole).then(|| NODE.command()).flatten()
}

/// Runs a script to its end and returns what it printed; it must succeed.
pub(crate) async fn run(mut script: Command) -> String {
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    let (held, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{held}{error}");
    held.into_owned()
}
