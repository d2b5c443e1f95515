//! Plays the fixtures of `ispbridge.freeside.v1`, also against the library that Freeside is made of, and holds the
//! contract's comments against what is off by default.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use ispbridge_freeside::{DESCRIPTORS, Freeside, UNSCOPED};
use playback::Setup;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn fixtures() {
    playback::run::<Freeside>(FIXTURES, DESCRIPTORS, config);
}

/// Every RPC against an unmodified XMLRPC::Lite daemon: it reads our calls as the recorded ones and writes the recorded
/// replies in its own words.
#[test]
fn xmlrpc_lite_answers_every_rpc() {
    if let Some(library) = Library::start() {
        playback::run_beside::<Freeside>(FIXTURES, DESCRIPTORS, &library.url, patient);
    }
}

/// A Perl server that ends with its test.
struct Library {
    process: Child,
    url: String,
}

impl Library {
    /// `None`, and a line that says why, where Perl lacks the module and it is not required.
    #[expect(clippy::disallowed_methods, reason = "a switch of the place where tests run, no setting of a process")]
    fn start() -> Option<Self> {
        let has = Command::new("perl").args(["-MXMLRPC::Transport::HTTP", "-e", "1"]).output();
        if !has.is_ok_and(|check| check.status.success()) {
            let is_required = std::env::var("ISPBRIDGE_REAL_PARTS").is_ok_and(|value| value == "required");
            assert!(!is_required, "perl has no XMLRPC::Lite");
            println!("skipped: perl has no XMLRPC::Lite");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library.pl");
        let mut process = Command::new("perl").args([script, FIXTURES]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = format!("http://127.0.0.1:{}", line.trim().strip_prefix("listening on ").unwrap());
        Some(Self { process, url })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The daemon serves one connection at a time.
fn patient(setup: &Setup) -> String {
    config(setup).replace("allow_private = true", "allow_private = true, keep_alive = false")
}

/// The upstream's name stands in backquotes in the comment of each RPC.
#[test]
fn the_contract_says_which_methods_are_unscoped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/ispbridge/freeside/v1");
    let mut said = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for rpc in text.split("\n  }\n").flat_map(|part| part.split(";\n\n")).filter(|part| part.contains("\n  rpc ")) {
            let comment = rpc.split("  rpc ").next().unwrap().replace("\n  // ", " ");
            if comment.contains("Unscoped, off by default: ") {
                let name = comment.split("(`").nth(1).unwrap().split('`').next().unwrap();
                said.insert(name.to_owned());
            }
        }
    }
    assert_eq!(said, UNSCOPED.iter().map(|&name| name.to_owned()).collect());
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}/selfservice/xmlrpc.cgi\"\nusername = \"reseller\"\npassword = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("password", "s33kret"),
    )
}
