//! Recorded replies of real servers, and every cut of some of them.

use std::{fs, path::PathBuf};

use bridge::{
    node::Node,
    wire::{
        Envelope, WireError, json,
        soap::{self, Escapes},
        xml_rpc,
    },
    xml::{charset, document::Limits},
};
use bumpalo::Bump;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// The body of a recorded reply, by the charset that it names, and how often its server escapes.
fn recorded(file: &str) -> (String, Escapes) {
    let bytes = fs::read(folder().join(file)).expect(file);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers end");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("headers are ASCII");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    let text = charset::decode(&bytes[end + 4..], header("Content-Type: ")).into_owned();
    (text, Escapes::of_server(header("SOAPServer: ")))
}

fn body(file: &str) -> String {
    recorded(file).0
}

fn read<'t>(text: &'t str, method: &str, escapes: Escapes, arena: &'t Bump) -> Result<Envelope<'t>, WireError> {
    match method {
        "-" => xml_rpc::parse_reply(text, &Limits::default(), arena),
        method => soap::parse_reply(text, method, escapes, &Limits::default(), arena),
    }
}

/// What was called, as `expected.tsv` tells it.
fn method<'s>(file: &str, said: &'s str) -> &'s str {
    said.strip_prefix("value ").unwrap_or(if file.starts_with("soap") { "any" } else { "-" })
}

/// What a reply says, in the words of `expected.tsv`.
fn told(file: &str, said: &str) -> String {
    let (arena, (text, escapes)) = (Bump::new(), recorded(file));
    let method = method(file, said);
    let (said, node) = match read(&text, method, escapes, &arena).expect(file) {
        Envelope::Value(node) => (format!("value {method}"), node),
        Envelope::Fault(said) => (format!("fault {}", said.code), Node::Text(said.text)),
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
    for wire in ["soap-perl", "soap-perl-old", "soap-php", "xmlrpc-perl-freeside"] {
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
    let table = fs::read_to_string(folder().join("expected.tsv")).expect("the table");
    for line in table.lines() {
        let (file, rest) = line.split_once('\t').expect("a file");
        let (text, escapes) = recorded(file);
        let method = method(file, rest.split('\t').next().expect("a verdict"));
        let end = text.rfind('>').expect("an end");
        for cut in (0..=end).filter(|cut| text.is_char_boundary(*cut)) {
            let arena = Bump::new();
            let said = read(&text[..cut], method, escapes, &arena);
            assert!(said.is_err(), "{file} cut at {cut}: {said:?}");
        }
        assert!(read(&text[..=end], method, escapes, &Bump::new()).is_ok(), "{file}");
    }
}

#[test]
fn a_reply_to_another_method_is_no_reply() {
    let text = body("soap-perl/13-pingAPI.response.http");
    for method in ["ping", "pingAPIResponse", "pingapi", ""] {
        assert!(read(&text, method, Escapes::Once, &Bump::new()).is_err(), "{method:?}");
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
    let plain = Escapes::Once;
    assert_eq!(read(&bare, "retMapKeys", plain, &one), read(&text, "retMapKeys", plain, &two));
}
