//! `just new-provider`, run in a copy of the workspace for each wire.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ispbridge_parts::BUF;

use crate::{
    add_operation::{copy, test},
    tree::{ROOT, files},
};

const NAME: &str = "acme";
const WIRES: [&str; 4] = ["rest", "form", "xml-rpc", "soap"];
/// Files with rows of all providers, which the command edits.
const MOST_EDITED: usize = 6;
/// Folders, and a file, that are the new provider's own.
const OWN: [&str; 3] = ["services/acme/", "proto/ispbridge/acme/", "tests/sandbox/src/acme"];

fn new_provider(root: &Path, words: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline", "--package", "ispbridge-scaffold", "--"]).args(words);
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    cargo.current_dir(root).output().unwrap()
}

/// The files that are not as in the workspace. The lock file is cargo's.
fn changed(root: &Path) -> BTreeSet<PathBuf> {
    let differs = |path: &PathBuf| fs::read(root.join(path)).ok() != fs::read(ROOT.join(path)).ok();
    let all = files(&ROOT).into_iter().chain(files(root)).filter(|path| path != Path::new("Cargo.lock"));
    all.filter(differs).collect()
}

fn is_own(path: &Path) -> bool {
    OWN.iter().any(|own| path.to_str().unwrap().starts_with(own))
}

fn lints(root: &Path) {
    let Some(mut buf) = BUF.command() else { return };
    let output = buf.arg("lint").current_dir(root.join("proto")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_new_provider_is_green_at_once_over_every_wire() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("new-provider");
    for wire in WIRES {
        copy(&root);
        let output = new_provider(&root, &[NAME, "--wire", wire]);
        assert!(output.status.success(), "{wire}: {}", String::from_utf8_lossy(&output.stderr));
        let (own, edited): (Vec<_>, Vec<_>) = changed(&root).into_iter().partition(|path| is_own(path));
        assert!(own.len() > 10, "{wire}: {own:?}");
        assert!((1..=MOST_EDITED).contains(&edited.len()), "{wire}: {edited:?}");
        lints(&root);
        test(&root, &format!("ispbridge-{NAME}"), false);
    }
}

#[test]
fn what_cannot_be_a_provider_is_refused_and_changes_nothing() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-provider");
    copy(&root);
    for (words, why) in [
        (&["aex", "--wire", "rest"][..], "is taken"),
        (&["type", "--wire", "rest"], "is reserved"),
        (&["match", "--wire", "soap"], "is reserved"),
        (&["Acme", "--wire", "rest"], "lower-case letters"),
        (&["1acme", "--wire", "rest"], "lower-case letters"),
        (&["ac-me", "--wire", "rest"], "lower-case letters"),
        (&["acme", "--wire", "grpc"], "rest, form, xml-rpc, soap"),
        (&["acme"], "usage"),
        (&[], "usage"),
    ] {
        let output = new_provider(&root, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {said}");
        assert!(said.starts_with("new-provider: ") && said.contains(why), "{words:?}: {said}");
        assert_eq!(changed(&root), BTreeSet::new(), "{words:?}");
    }
}
