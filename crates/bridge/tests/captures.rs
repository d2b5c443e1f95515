//! Recorded replies of real servers, and every cut of some of them.

use std::{fs, path::PathBuf};

use bridge::{
    node::Node,
    wire::{Envelope, WireError, json, soap, xml_rpc},
    xml::{charset, document::Limits},
};
use bumpalo::Bump;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// The body of a recorded reply, by the charset that it names.
fn body(file: &str) -> String {
    let bytes = fs::read(folder().join(file)).expect(file);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers end");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("headers are ASCII");
    let content_type = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).expect("a content type");
    charset::decode(&bytes[end + 4..], content_type).expect(file).into_owned()
}

fn read<'t>(text: &'t str, method: &str, arena: &'t Bump) -> Result<Envelope<'t>, WireError> {
    match method {
        "-" => xml_rpc::parse_reply(text, &Limits::default(), arena),
        method => soap::parse_reply(text, method, &Limits::default(), arena),
    }
}

/// What a reply says, in the words of `expected.tsv`.
fn told(file: &str, said: &str) -> String {
    let (arena, text) = (Bump::new(), body(file));
    let method = said.strip_prefix("value ").unwrap_or(if file.starts_with("soap") { "any" } else { "-" });
    let (said, node) = match read(&text, method, &arena).expect(file) {
        Envelope::Value(node) => (format!("value {method}"), node),
        Envelope::Fault { code, text } => (format!("fault {code}"), Node::Text(text)),
    };
    let mut tree = String::new();
    json::write(node, &mut tree);
    format!("{file}\t{said}\t{tree}")
}

#[test]
fn every_recorded_reply_says_what_it_says() {
    let table = fs::read_to_string(folder().join("expected.tsv")).expect("the table");
    for line in table.lines() {
        let mut columns = line.split('\t');
        let (file, said) = (columns.next().expect("a file"), columns.next().expect("a verdict"));
        assert_eq!(told(file, said), line);
    }
}

#[test]
fn every_recorded_reply_is_in_the_table() {
    let table = fs::read_to_string(folder().join("expected.tsv")).expect("the table");
    for wire in ["soap-perl", "soap-php", "xmlrpc-perl-freeside"] {
        let files: Vec<_> = fs::read_dir(folder().join(wire)).expect(wire).map(|entry| entry.unwrap()).collect();
        assert!(files.len() > 30, "{wire}");
        for file in files {
            let name = format!("{wire}/{}\t", file.file_name().to_string_lossy());
            assert!(table.contains(&name), "{name}");
        }
    }
}

#[test]
fn no_cut_of_a_reply_is_a_value() {
    for (file, method) in [
        ("soap-perl/23-searchCustomer.response.http", "searchCustomer"),
        ("soap-perl/53-retMapKeys.response.http", "retMapKeys"),
        ("soap-perl/58-retEmptyHash.response.http", "retEmptyHash"),
        ("soap-php/21-retHash.response.http", "retHash"),
        ("xmlrpc-perl-freeside/54-retStruct.response.http", "-"),
        ("xmlrpc-perl-freeside/65-retNothing.response.http", "-"),
        ("xmlrpc-perl-freeside/66-dieString.response.http", "-"),
    ] {
        let text = body(file);
        let end = text.rfind('>').expect("an end");
        for cut in (0..=end).filter(|cut| text.is_char_boundary(*cut)) {
            let said = read(&text[..cut], method, &Bump::new()).map(|envelope| format!("{envelope:?}"));
            assert!(said.is_err(), "{file} cut at {cut}: {said:?}");
        }
        assert!(read(&text[..=end], method, &Bump::new()).is_ok(), "{file}");
    }
}

#[test]
fn a_reply_to_another_method_is_no_reply() {
    let text = body("soap-perl/13-pingAPI.response.http");
    for method in ["ping", "pingAPIResponse", "pingapi", ""] {
        assert!(read(&text, method, &Bump::new()).is_err(), "{method:?}");
    }
}

#[test]
fn prefixes_that_are_not_declared_do_not_matter() {
    let text = body("soap-perl/53-retMapKeys.response.http");
    let mut bare = text.clone();
    for prefix in ["apachens", "soapenc", "xsd", "xsi"] {
        let start = bare.find(&format!(" xmlns:{prefix}=")).expect(prefix);
        let end = start + bare[start..].match_indices('"').nth(1).expect("a value").0;
        bare.replace_range(start..=end, "");
    }
    assert!(!bare.contains("xmlns:xsi"));
    let (one, two) = (Bump::new(), Bump::new());
    assert_eq!(read(&bare, "retMapKeys", &one), read(&text, "retMapKeys", &two));
}
