//! Plays the fixtures of `ispbridge.azotel.v1`, over both transports.

use std::{fs, path::Path};

use ispbridge_azotel::{Azotel, CONTRACT};
use playback::{Library, Setup, parts::SOAP_LITE, section};
use provider::Service;
use serde_json::Value;

/// The fixtures over SOAP, and the same calls over REST.
const FOLDERS: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rest")];

#[test]
fn fixtures() {
    playback::run::<Service<Azotel>>(FOLDERS[0], CONTRACT.descriptors, config);
}

#[test]
fn rest() {
    playback::run::<Service<Azotel>>(FOLDERS[1], CONTRACT.descriptors, rest_config);
}

/// Every function against an unmodified SOAP::Lite daemon: it reads our calls as the recorded ones, however the attributes
/// are passed, and writes the recorded replies in its own words.
fn beside_library(config: fn(&Setup) -> String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library.pl");
    if let Some(library) = Library::start(&SOAP_LITE, script, &[FOLDERS[0]]) {
        playback::run_beside::<Service<Azotel>>(FOLDERS[0], CONTRACT.descriptors, library.url(), config);
    }
}

#[test]
fn soap_lite_answers_every_function_called_with_a_map() {
    beside_library(|setup| patient(setup, "map"));
}

#[test]
fn soap_lite_answers_every_function_called_with_a_struct() {
    beside_library(|setup| patient(setup, "struct"));
}

#[test]
fn soap_lite_answers_every_function_called_with_a_flat_list() {
    beside_library(|setup| patient(setup, "flat"));
}

/// Only the root of a tree has a name over SOAP alone, and only a list has an order over both: the statuses
/// of the document's JSON are keys, in another order than its XML.
#[test]
fn both_transports_give_the_same_message() {
    let entries = fs::read_dir(FOLDERS[1]).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = entries.filter(|name| name.to_string_lossy().ends_with(".http")).collect();
    assert!(!names.is_empty());
    for name in names {
        let [soap, rest] = FOLDERS.map(|folder| reply(&Path::new(folder).join(&name)));
        assert!(soap == rest, "{name:?}\n{soap:#}\n{rest:#}");
    }
}

fn reply(fixture: &Path) -> Value {
    let mut reply: Value = serde_json::from_slice(&section(fixture, "reply")).expect("a reply is JSON");
    if let Some(Value::Object(root)) = reply.get_mut("data") {
        root.remove("name");
    }
    if let Some(Value::Array(keyed)) = reply.get_mut("substatuses") {
        keyed.sort_by_key(|substatus| substatus["name"].to_string());
    }
    reply
}

fn config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}/API/operatorapi.pl\"\nuri = \"http://upstream.example/OperatorAPI\"\nusername = \"apiuser\"\npassword = {}\ntransport = {{ allow_private = true }}\n",
        setup.url(),
        setup.secret("password", "apipass"),
    )
}

/// The daemon serves one connection at a time.
fn patient(setup: &Setup, style: &str) -> String {
    let config = config(setup).replace("allow_private = true", "allow_private = true, keep_alive = false");
    config.replace("username =", &format!("style = {style:?}\nusername ="))
}

fn rest_config(setup: &Setup) -> String {
    format!(
        "[accounts.main]\nbase_url = \"{}/restapi\"\nusername = \"apiuser\"\npassword = {}\ntransport = {{ kind = \"rest\", allow_private = true }}\n",
        setup.url(),
        setup.secret("password", "apipass"),
    )
}
