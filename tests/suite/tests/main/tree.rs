//! The working tree: where things are and what is in them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// Folders that are no part of the tree.
const SKIPPED: [&str; 5] = ["target", "node_modules", "generated", "__pycache__", ".git"];

/// Root of the workspace.
pub(crate) static ROOT: LazyLock<&Path> =
    LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap());

/// The members of the workspace as cargo sees them, without anything foreign.
pub(crate) static PACKAGES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let arguments = ["metadata", "--format-version", "1", "--offline", "--no-deps"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(*ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array_mut().map(std::mem::take).unwrap()
});

/// Every file below a folder of the workspace, with its path from there, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if SKIPPED.iter().any(|skipped| name.to_str() == Some(skipped)) {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => collect(root, &path, found),
            false => found.push(path.strip_prefix(root).unwrap().to_owned()),
        }
    }
}

/// The text of a file of the workspace.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = ROOT.join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A section of a fixture, by the folder that it is in.
pub(crate) fn recorded(folder: &str, fixture: &str, section: &str) -> Vec<u8> {
    playback::section(&ROOT.join(folder).join(format!("{fixture}.http")), section)
}

/// The names of the folders in a folder of the workspace.
pub(crate) fn folders(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(ROOT.join(folder)).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `PremiseService` as `premise_service`.
pub(crate) fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
