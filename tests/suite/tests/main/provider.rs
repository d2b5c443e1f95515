//! What every provider has, and has alike.

use std::{collections::BTreeSet, fs, os::unix::process::CommandExt, path::Path, process::Command};

use prost_reflect::MethodDescriptor;
use prost_types::method_options::IdempotencyLevel;

use crate::{
    caller::POOLS,
    tree::{ROOT, files, folders, read, snake},
};

/// Files of a provider besides its services and fixtures.
const FILES: [&str; 8] = [
    "Cargo.toml",
    "README.md",
    "build.rs",
    "src/config.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/upstream.rs",
    "vocabulary.toml",
];

fn methods(provider: &str) -> Vec<MethodDescriptor> {
    let (_, pool) = POOLS.iter().find(|(known, _)| *known == provider).unwrap();
    let package = format!("ispbridge.{}.v1", provider.replace('-', "_"));
    let own: Vec<_> = pool.services().filter(|service| service.package_name() == package).collect();
    assert!(!own.is_empty(), "no service in {package}");
    own.iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn is_read(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}

#[test]
fn every_service_folder_is_known_here() {
    let known: Vec<_> = POOLS.iter().map(|(provider, _)| (*provider).to_owned()).collect();
    assert_eq!(folders("services"), known);
}

#[test]
fn providers_have_the_same_files() {
    for (provider, _) in POOLS.iter() {
        let mut expected: BTreeSet<String> = FILES.iter().map(|&file| file.to_owned()).collect();
        expected.insert(format!("{provider}.sample.toml"));
        for method in methods(provider) {
            expected.insert(source(&method));
        }
        let files = files(&ROOT.join("services").join(provider));
        // What `upstream.rs` has no room for stands beside it.
        let is_own =
            |path: &&Path| !["fixtures", "tests", "src/upstream"].iter().any(|folder| path.starts_with(folder));
        let found = files.iter().map(|path| path.as_path()).filter(is_own);
        let found: BTreeSet<String> = found.map(|path| path.to_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected, "{provider}");
    }
}

/// The file of a method's service, e.g. `src/customer.rs` for `CustomerService`.
fn source(method: &MethodDescriptor) -> String {
    let service = method.parent_service().name().to_owned();
    format!("src/{}.rs", snake(service.strip_suffix("Service").unwrap()))
}

#[test]
fn every_method_has_a_fixture() {
    let mut missing = Vec::new();
    for (provider, _) in POOLS.iter() {
        for method in methods(provider) {
            let file = format!("services/{provider}/fixtures/{}.http", method.name());
            let text = fs::read(ROOT.join(&file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let absent = |part: &&&str| !text.lines().any(|line| line == format!("=== {part}"));
            let parts = ["request", "sent", "received", "reply"];
            missing.extend(parts.iter().filter(absent).map(|part| format!("{file}: {part}")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn verbs_and_idempotency_levels_agree() {
    for (provider, _) in POOLS.iter() {
        for method in methods(provider) {
            assert_eq!(writes(provider, &method), !is_read(&method), "{}", method.full_name());
        }
    }
}

/// That a probe is a read of the same provider is checked where the tables are built.
#[test]
fn every_write_says_what_tells_of_it() {
    for (provider, pool) in POOLS.iter() {
        let probe = pool.get_extension_by_name("ispbridge.type.v1.probe").unwrap();
        for method in methods(provider) {
            let says = method.options().has_extension(&probe);
            assert_eq!(says, !is_read(&method), "{}: only a write has a probe", method.full_name());
        }
    }
}

/// Whether a method's source makes a write, and not only reads.
fn writes(provider: &str, method: &MethodDescriptor) -> bool {
    let file = format!("services/{provider}/{}", source(method));
    let text = read(&file);
    let head = format!("async fn {}(", snake(method.name()));
    let body = text.split_once(&head).unwrap_or_else(|| panic!("{file} has no {head}")).1;
    let body = body.split("\n    }\n").next().unwrap();
    let writes = body.contains(".write(");
    assert!(writes || body.contains(".read("), "{file}: {head}..) makes no call");
    writes
}

#[test]
fn sample_configurations_are_right() {
    let mut samples = vec![("gateway".to_owned(), "gateway/gateway.sample.toml".to_owned())];
    samples.extend(POOLS.iter().map(|(name, _)| ((*name).to_owned(), format!("services/{name}/{name}.sample.toml"))));
    for (program, sample) in samples {
        let output = Command::new(env!("CARGO_BIN_EXE_programs"))
            .arg0(format!("ispbridge-{program}"))
            .args(["--check-config", "--config", &sample])
            .envs(secrets(&read(&sample)))
            .current_dir(*ROOT)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sample}: {text}");
    }
}

#[test]
fn a_wrong_key_of_a_configuration_is_named() {
    for (provider, _) in POOLS.iter() {
        let sample = format!("services/{provider}/{provider}.sample.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_programs"))
            .arg0(format!("ispbridge-{provider}"))
            .args(["--check-config", "--config", &sample])
            .envs(secrets(&read(&sample)))
            .env("ISPBRIDGE__ACCOUNTS__MAIN__COLOUR", "blue")
            .current_dir(*ROOT)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(text.contains("accounts.main") && text.contains("colour"), "{text}");
    }
}

/// A value for every variable that a sample takes a secret from.
fn secrets(sample: &str) -> Vec<(String, &'static str)> {
    let names = sample.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| (name.to_owned(), "a secret of at least thirty-two bytes")).collect()
}
