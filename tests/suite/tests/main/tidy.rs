//! The rules of the house that a compiler does not see.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::tree::{PACKAGES, ROOT, files, folders, read};

/// Longest file of Rust, in lines.
const LONGEST: usize = 400;
/// Names that say nothing of what is in a file.
const EMPTY_NAMES: [&str; 9] = ["mod", "util", "utils", "helper", "helpers", "common", "manager", "misc", "impl"];
/// Crates of which two versions in one program do not understand each other.
const SINGLE: [&str; 8] = ["tonic", "prost", "prost-types", "hyper", "h2", "http", "rustls", "opentelemetry"];

/// The folder of a package, from the root.
fn folder(package: &Value) -> &str {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().strip_prefix(*ROOT).unwrap().to_str().unwrap()
}

/// The folders of the members of the workspace that a package needs, by the kind of the need.
fn needs(package: &Value, kind: Option<&str>) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let own = dependencies.filter(|one| one["kind"].as_str() == kind).filter_map(|one| one["path"].as_str());
    own.map(|path| Path::new(path).strip_prefix(*ROOT).unwrap().to_str().unwrap().to_owned()).collect()
}

fn set<const N: usize>(folders: [&str; N]) -> BTreeSet<String> {
    folders.into_iter().map(str::to_owned).collect()
}

/// What a folder's crate may need to run, and what more to be tested; `None` is everything.
fn allowed(folder: &str) -> Option<BTreeSet<String>> {
    match folder.split('/').next().unwrap() {
        "services" => Some(set(["crates/bridge", "crates/config", "crates/provider"])),
        "gateway" => {
            Some(set(["crates/chassis", "crates/config", "crates/protocol", "crates/serving", "crates/telemetry"]))
        }
        "crates" if folder == "crates/playback" => {
            Some(set(["crates/chassis", "crates/config", "crates/protocol", "tests/parts"]))
        }
        "crates" if folder == "crates/provider" => {
            Some(set(["crates/bridge", "crates/chassis", "crates/config", "crates/protocol", "crates/serving"]))
        }
        "crates" if folder == "crates/chassis" => {
            Some(set(["crates/config", "crates/protocol", "crates/serving", "crates/telemetry"]))
        }
        "crates" if folder == "crates/serving" => Some(set(["crates/config", "crates/protocol", "crates/telemetry"])),
        "crates" if folder == "crates/telemetry" => Some(set(["crates/config", "crates/protocol"])),
        "crates" if folder == "crates/bridge" => Some(set(["crates/config", "crates/protocol"])),
        "crates" => Some(set([])),
        "tests" if ["tests/sandbox", "tests/kit", "tests/parts"].contains(&folder) => Some(set([])),
        _ => None,
    }
}

#[test]
fn crates_need_only_what_the_architecture_lets_them() {
    for package in PACKAGES.iter() {
        let folder = folder(package);
        let Some(allowed) = allowed(folder) else { continue };
        let strange: Vec<_> = needs(package, None).difference(&allowed).cloned().collect();
        assert!(strange.is_empty(), "{folder} needs {strange:?}");
    }
}

#[test]
fn a_service_is_built_by_bridge_build_and_tested_by_playback_alone() {
    for package in PACKAGES.iter().filter(|package| folder(package).starts_with("services/")) {
        assert_eq!(needs(package, Some("build")), set(["crates/bridge-build"]), "{}", folder(package));
        assert_eq!(needs(package, Some("dev")), set(["crates/playback"]), "{}", folder(package));
    }
}

#[test]
fn the_sandbox_and_the_bridge_share_no_codec() {
    let sandbox = PACKAGES.iter().find(|package| folder(package) == "tests/sandbox").unwrap();
    assert_eq!(needs(sandbox, Some("dev")), set(["tests/parts"]));
}

#[test]
fn nothing_under_crates_names_a_provider() {
    let providers: Vec<String> = folders("services");
    assert!(providers.len() > 2, "{providers:?}");
    let crates = ROOT.join("crates");
    for path in files(&crates).iter().filter(|path| is_shipped(path)) {
        let text = read(crates.join(path));
        for line in text.split("#[cfg(test)]").next().unwrap().lines() {
            // A comment may say whose manners a rule is for.
            let code = words(line.split("//").next().unwrap());
            let named = providers.iter().find(|name| code.contains(&format!("-{name}-")));
            assert_eq!(named, None, "{}: {line}", path.display());
        }
    }
}

/// The words of a line, those inside of names too: `AexClient` is `-aex-client-`.
fn words(line: &str) -> String {
    let mut words = String::from("-");
    for letter in line.chars() {
        if !letter.is_lowercase() && !letter.is_ascii_digit() && !words.ends_with('-') {
            words.push('-');
        }
        words.extend(letter.to_lowercase().filter(|letter| letter.is_alphanumeric()));
    }
    words + "-"
}

/// Words of papers that nobody outside has; a comment cites a source by its public title.
const PRIVATE_SOURCES: [&str; 2] = ["(seed", "dossier"];

#[test]
fn sources_are_cited_by_their_public_titles() {
    for path in files(&ROOT).iter().filter(|path| !path.ends_with("tidy.rs")) {
        let is_text = path.extension().is_some_and(|kind| ["rs", "proto", "toml", "md"].iter().any(|one| kind == *one));
        if !is_text {
            continue;
        }
        for (number, line) in read(path).lines().enumerate() {
            let comment = line.find("//").map_or("", |at| &line[at..]);
            let text = if path.extension().is_some_and(|kind| kind == "rs") { comment } else { line };
            let cited = PRIVATE_SOURCES.iter().find(|word| text.contains(**word));
            assert_eq!(cited, None, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn words_are_found_inside_of_names() {
    assert_eq!(words("let x = AexClient::new(\"azotel_1\");"), "-let-x-aex-client-new-azotel-1--");
    assert!(!words("use os::MetadataExt;").contains("-aex-"));
}

/// Whether a file is part of a crate and not of its tests.
fn is_shipped(path: &Path) -> bool {
    let in_tests = path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches")));
    let is_tests = path.file_stem().is_some_and(|name| name == "tests");
    path.extension().is_some_and(|kind| kind == "rs" || kind == "toml") && !in_tests && !is_tests
}

#[test]
fn of_the_crates_that_must_agree_there_is_one_version() {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    for name in SINGLE {
        let packages = lock["package"].as_array().unwrap().iter();
        let versions: Vec<_> =
            packages.filter(|one| one["name"].as_str() == Some(name)).map(|one| &one["version"]).collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn files_are_short_and_have_names_that_say_something() {
    let rust: Vec<_> =
        files(&ROOT).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect();
    assert!(rust.len() > 100, "{}", rust.len());
    for path in rust {
        let lines = read(&path).lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!EMPTY_NAMES.contains(&name), "{}", path.display());
    }
}

/// Documents with commands, each of which a test types: `readme.rs` and `site.rs` of `deploy/local`, `readme.rs` of the gateway,
/// `stubs.rs` and `go_clients.rs` here. The suite's own README runs these tests.
const TYPED: [&str; 9] = [
    "README.md",
    "deploy/site/README.md",
    "docs/stubs.md",
    "gateway/README.md",
    "services/aex/README.md",
    "services/azotel/README.md",
    "services/freeside/README.md",
    "tests/sandbox/README.md",
    "tests/suite/README.md",
];

#[test]
fn commands_stand_only_in_documents_that_a_test_types() {
    let documents = files(*ROOT).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let with_commands: Vec<_> = documents.filter(|path| read(path).contains("\n```sh")).collect();
    assert_eq!(with_commands, TYPED.map(Path::new));
}
