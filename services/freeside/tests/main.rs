//! Plays the fixtures of `ispbridge.freeside.v1`, and holds its comments against what is off by default.

use std::{collections::BTreeSet, fs, path::Path};

use ispbridge_freeside::{DESCRIPTORS, Freeside, UNSCOPED};
use playback::Setup;

#[test]
fn fixtures() {
    playback::run::<Freeside>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), DESCRIPTORS, config);
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
