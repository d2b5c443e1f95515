//! Plays the fixtures of `ispbridge.freeside.v1`, also against the library that Freeside is made of, and holds the
//! contract's comments against what is off by default.

#![allow(clippy::unwrap_used, reason = "clippy takes only the marked functions of a test program for tests")]

use std::{collections::BTreeSet, fs, path::Path};

use ispbridge_freeside::{CONTRACT, Freeside, UNSCOPED};
use playback::{Library, Setup, parts::XMLRPC_LITE};
use provider::Service;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn fixtures() {
    playback::run::<Service<Freeside>>(FIXTURES, CONTRACT.descriptors, config);
}

/// Every RPC against an unmodified XMLRPC::Lite daemon with one of the type tables that Freeside has had: it reads our
/// calls as the recorded ones and writes the recorded replies in its own words.
fn beside_library(types: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library.pl");
    if let Some(library) = Library::start(&XMLRPC_LITE, script, &[FIXTURES, types]) {
        playback::run_beside::<Service<Freeside>>(FIXTURES, CONTRACT.descriptors, library.url(), patient);
    }
}

#[test]
fn xmlrpc_lite_with_texts_only_answers_every_rpc() {
    beside_library("text");
}

#[test]
fn xmlrpc_lite_with_base64_beyond_ascii_answers_every_rpc() {
    beside_library("base64");
}

#[test]
fn xmlrpc_lite_that_guesses_types_answers_every_rpc() {
    beside_library("guess");
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
