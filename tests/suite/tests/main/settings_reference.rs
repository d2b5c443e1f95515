//! `docs/configuration.md` is what the programs print of their settings, and no key of a sample is missing from it.

use std::{collections::BTreeSet, fs, os::unix::process::CommandExt, process::Command};

use ispbridge::programs::names;
use toml::{Table, Value};

use crate::tree::{ROOT, read};

const DOCUMENT: &str = "docs/configuration.md";
const SHARED: &str = "## Every process\n\n";
const OWN: &str = "## Its own part\n\n";

/// Every program and its sample.
fn programs() -> Vec<(String, String)> {
    let gateway = ("ispbridge-gateway".to_owned(), "gateway/gateway.sample.toml".to_owned());
    let services = names().map(|name| (format!("ispbridge-{name}"), format!("services/{name}/{name}.sample.toml")));
    std::iter::once(gateway).chain(services).collect()
}

const HEAD: &str = "# Configuration reference

Every key of every program, made from the doc comments, types and defaults of the settings in the code:
`ispbridge-gateway --print-config-reference` prints those of the gateway, and each service its own. What \"a change needs\" is
`nothing` is taken while the process runs, when the file changes or on SIGHUP. `NAME` stands for a name that you choose. Secrets and
certificates stand in a file or a variable that the configuration names. `ISPBRIDGE__SERVER__LISTEN=...` overrides `listen` of
`[server]`, and so on for any key. A file is relative to the configuration file, whether that names it or a variable.

";

/// What a program prints of its settings: its own part, and that of every process.
fn printed(program: &str) -> (String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_programs")).arg0(program).arg("--print-config-reference").output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, shared) = text.split_once(SHARED).unwrap();
    let (_, own) = head.split_once(OWN).unwrap();
    (own.to_owned(), shared.trim_end().to_owned())
}

fn document() -> String {
    let parts: Vec<_> = programs().into_iter().map(|(program, _)| (program.clone(), printed(&program))).collect();
    let shared = &parts[0].1.1;
    assert!(parts.iter().all(|(_, (_, other))| other == shared), "the chassis' sections differ between programs");
    let own = parts.iter().map(|(program, (own, _))| format!("## `{program}`\n\n{own}"));
    format!("{HEAD}{SHARED}{shared}\n\n{}", own.collect::<String>()).trim_end().to_owned() + "\n"
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it says whether the document is written anew")]
fn the_document_is_what_the_programs_print() {
    let fresh = document();
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        fs::write(ROOT.join(DOCUMENT), &fresh).unwrap();
    }
    assert!(read(DOCUMENT) == fresh, "{DOCUMENT} is stale: UPDATE=1 cargo test -p ispbridge-tests settings_reference");
}

#[test]
fn every_key_has_a_type_and_a_meaning() {
    for line in document().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        assert!(cells.len() >= 5 && cells.iter().all(|cell| !cell.trim_matches(['|', ' ']).is_empty()), "{line}");
    }
}

#[test]
fn every_key_of_a_sample_is_in_the_document() {
    let document = document();
    for (program, sample) in programs() {
        let text = read(&sample);
        assert!(
            text.contains(&format!("{program} --print-config-reference")),
            "{sample} does not say where every key is"
        );
        let mut keys = BTreeSet::new();
        collect(&Value::Table(text.parse::<Table>().unwrap()), &mut keys);
        for key in keys {
            let is_told = document.contains(&format!("| `{key}` |"))
                || ["[", "[[", ".", "."].iter().zip(["]", "]]", "]", "]]"]).any(|(open, close)| {
                    document.contains(&format!("{open}{key}{close}")) || document.contains(&format!("{open}{key}."))
                });
            assert!(is_told, "{sample}: {key} is not in {DOCUMENT}");
        }
    }
}

/// The defaults of one section as lines of a configuration; none where a key must be given, or an operator chooses a name.
fn defaults(section: &str) -> Option<String> {
    let (name, rows) = section.split_once("]`").unwrap_or(("", section));
    if name.starts_with('[') || name.contains("NAME") || name.starts_with("issuers.") || rows.contains("must be given")
    {
        return None;
    }
    let code = |cell: &str| cell.strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
    let line = |row: &str| {
        let cells: Vec<&str> = row.trim_start_matches("| ").split(" | ").collect();
        Some(format!("{} = {}\n", code(cells.first()?)?, code(cells.get(2)?)?))
    };
    let head = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
    Some(rows.lines().filter_map(line).fold(head, |text, line| text + &line))
}

#[test]
fn every_default_is_one_that_the_program_takes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root"), "0123456789abcdef0123456789abcdef").unwrap();
    let (own, shared) = printed("ispbridge-gateway");
    // The gateway believes callers by itself.
    let sections = own.split("### `[").chain(shared.split("### `[")).filter(|section| !section.starts_with("callers"));
    let config: String = sections.filter_map(defaults).collect();
    let signing = "signing = { id = \"k1\", secret = { file = \"root\" } }";
    assert!(config.matches(" = ").count() >= 60, "{config}");
    let file = folder.path().join("config.toml");
    fs::write(&file, format!("{signing}\n{config}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
    let output = command.arg0("ispbridge-gateway").args(["--check-config", "--config"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}\n{config}", String::from_utf8_lossy(&output.stderr));
}

/// The keys of all tables, but for names that an operator chooses and what a reference to a secret says.
fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table.iter().filter(|(key, _)| !["file", "env"].contains(&key.as_str())) {
                keys.insert(key.clone());
                match (key.as_str(), value) {
                    ("accounts" | "providers", Value::Table(named)) => {
                        named.values().for_each(|one| collect(one, keys))
                    }
                    _ => collect(value, keys),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        _ => {}
    }
}
