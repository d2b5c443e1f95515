//! Every command of every program: its help, and a reader that leaves. The program itself is all others by its name.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command, Output, Stdio},
};

const PROGRAMS: [&str; 5] =
    ["ispbridge", "ispbridge-gateway", "ispbridge-aex", "ispbridge-azotel", "ispbridge-freeside"];

fn program(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge"));
    command.arg0(name).stdin(Stdio::null());
    command
}

fn ended(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // What a line goes on with is indented deeper.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

/// Reads the help of a command and of all below it, and returns their names.
fn helped(words: &[String], found: &mut Vec<String>) {
    let (code, help, error) = ended(program(&words[0]).args(&words[1..]).arg("--help"));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{words:?}");
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_else(|| panic!("{help}"));
    assert!(
        usage.starts_with(&words.join(" ")) && help.lines().next().is_some_and(|about| !about.is_empty()),
        "{help}"
    );
    let (_, other, _) = ended(program(&words[0]).arg("help").args(&words[1..]));
    assert_eq!(other, help, "{words:?}");
    for name in listed(&help) {
        helped(&[words, &[name]].concat(), found);
    }
    found.push(words.join(" "));
}

#[test]
fn every_command_has_a_help() {
    let mut found = Vec::new();
    PROGRAMS.iter().for_each(|name| helped(&[(*name).to_owned()], &mut found));
    for known in [
        "ispbridge up",
        "ispbridge list",
        "ispbridge describe",
        "ispbridge call",
        "ispbridge accounts check",
        "ispbridge completions",
        "ispbridge-gateway keys add",
        "ispbridge-gateway keys revoke",
        "ispbridge-gateway keys list",
        "ispbridge-gateway keys new",
        "ispbridge-gateway keys hash",
        "ispbridge-gateway callers derive",
        "ispbridge-gateway explain",
        "ispbridge-gateway openapi",
        "ispbridge-gateway service-config",
        "ispbridge-gateway completions",
        "ispbridge-aex accounts check",
        "ispbridge-aex completions",
    ] {
        assert!(found.iter().any(|name| name == known), "{known} is not in {found:#?}");
    }
    assert!(!found.iter().any(|name| name == "ispbridge-gateway accounts"), "the gateway has none");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut found = Vec::new();
    PROGRAMS.iter().for_each(|name| helped(&[(*name).to_owned()], &mut found));
    let mut cases: Vec<String> = found.iter().map(|words| format!("{words} --help")).collect();
    let printing = ["keys new", "service-config", "completions bash"].map(|words| format!("ispbridge-gateway {words}"));
    cases.extend(printing);
    for words in cases {
        let words: Vec<_> = words.split(' ').collect();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let Output { status, stderr, .. } = program(words[0]).args(&words[1..]).stdout(writer).output().unwrap();
        assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()), "{words:?}");
    }
}

#[test]
fn who_closes_standard_error_gets_the_exit_code_all_the_same() {
    for name in PROGRAMS {
        for words in [&["nothing"][..], &["--config", "/nowhere.toml", "--check-config"]] {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            let status = program(name).args(words).stderr(writer).status().unwrap();
            assert_eq!(status.code(), Some(64), "{name} {words:?}");
        }
    }
}

#[test]
fn a_full_disk_is_a_failure_that_is_told() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let Output { status, stderr, .. } =
        program("ispbridge-gateway").args(["keys", "new"]).stdout(full).output().unwrap();
    let error = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(1) && error.starts_with("standard output: "), "{error}");
}

#[test]
fn a_command_that_is_none_is_refused_with_the_nearest() {
    let (code, _, error) = ended(program("ispbridge-gateway").args(["keys", "ad"]));
    assert!(code == Some(64) && error.contains("'add'"), "{error}");
    let (code, _, error) = ended(program("ispbridge-gateway").arg("keys"));
    assert!(code == Some(64) && error.contains("revoke"), "{error}");
}

#[test]
fn completions_know_the_commands() {
    for (name, known) in
        [("ispbridge", "describe"), ("ispbridge-gateway", "service-config"), ("ispbridge-aex", "accounts")]
    {
        for shell in ["bash", "zsh", "fish"] {
            let (code, script, _) = ended(program(name).args(["completions", shell]));
            assert!(code == Some(0) && script.contains(known), "{name} {shell}");
        }
    }
}
