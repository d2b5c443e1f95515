//! XML of every kind: documents, envelopes, the text of XML::Simple, charsets.

use bridge::{
    node::Node,
    wire::{
        Envelope, simple_node,
        soap::{self, Escapes, Style},
        xml_rpc::{self, Parameters, Texts},
    },
    xml::{
        charset::{self, ILLEGAL},
        document::{self, Element, Limits},
        error::XmlError,
        simple,
        write::illegal_character,
    },
};
use bumpalo::Bump;
use proptest::{prop_assert, prop_assert_eq, test_runner::TestCaseError};

use super::{Verdict, corpus, recorded, run};

const WORDS: &[&str] = &[
    "<a>",
    "</a>",
    "<a/>",
    "<",
    ">",
    "/",
    "\"",
    "'",
    "=",
    "&",
    ";",
    "&amp;",
    "&#0;",
    "&#xD;",
    "&#xFFFF;",
    "\r",
    "<array/>",
    "<member/>",
    "<ex:bigdecimal>",
    "&#x10FFFF;",
    "&x;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    "<!DOCTYPE a>",
    "<!ENTITY x \"y\">",
    " href=\"#ref-1\"",
    " id=\"ref-1\"",
    " xsi:nil=\"true\"",
    " xsi:type=\"soapenc:base64\"",
    " xsi:type=\"apachesoap:Map\"",
    " xsi:type=\"soapenc:Array\"",
    "<base64>",
    "</base64>",
    "<struct>",
    "<array><data>",
    "<member>",
    "<name>",
    "<value>",
    "<nil/>",
    "xmlns:a=\"b\"",
    "\u{feff}",
    "\u{fffe}",
    "\0",
    "\r\n",
    "é",
];

/// The attribute of every element that holds a scalar.
const TYPE: (&str, &str) = ("http://www.w3.org/2001/XMLSchema-instance", "type");

/// Bytes of an arena that a reply of so many bytes may take: a tag of four bytes becomes an element and a node.
fn memory(bytes: usize) -> usize {
    (256 * bytes) + (1 << 20)
}

/// What another reader finds: names without prefixes, attributes, texts; all as our reader orders them.
fn by_roxmltree(node: roxmltree::Node<'_, '_>, out: &mut String) {
    *out += &format!("({}", node.tag_name().name());
    let attributes: Vec<_> = node.attributes().map(|one| attribute(one.name(), one.value())).collect();
    *out += &attributes.concat();
    let texts = node.children().filter(roxmltree::Node::is_text).filter_map(|child| child.text());
    *out += &format!("|{:?}", texts.collect::<String>());
    node.children().filter(roxmltree::Node::is_element).for_each(|child| by_roxmltree(child, out));
    *out += ")";
}

/// An attribute without the name's prefix; in its value a line break is a blank to the other reader.
fn attribute(name: &str, value: &str) -> String {
    format!(" {}={:?}", name.rsplit(':').next().unwrap_or(name), value.replace(['\n', '\t'], " "))
}

fn by_us(element: &Element<'_>, out: &mut String) {
    *out += &format!("({}", element.local_name());
    let own = element.attributes.iter().filter(|(name, _)| *name != "xmlns" && !name.starts_with("xmlns:"));
    let attributes: Vec<_> = own.map(|(name, value)| attribute(name, value)).collect();
    *out += &attributes.concat();
    *out += &format!("|{:?}", element.text);
    element.children.iter().for_each(|child| by_us(child, out));
    *out += ")";
}

/// Every cut of a document whose last byte closes its root is no document; three cuts stand for all.
fn is_never_read_when_cut(text: &str, root: &str, read: impl Fn(&str) -> bool) -> Verdict {
    let whole = text.trim_end();
    if !whole.ends_with(&format!("</{root}>")) {
        return Ok(());
    }
    for end in [whole.len() - 1, whole.len() * 7 / 9, whole.len() / 3] {
        let cut = &whole[..whole.floor_char_boundary(end)];
        prop_assert!(!read(cut), "read although cut at {}", cut.len());
    }
    Ok(())
}

fn document(bytes: &[u8]) -> Verdict {
    let text = charset::decode(bytes, "text/xml");
    let arena = Bump::new();
    let ours = document::parse(&text, &Limits::default(), &arena);
    prop_assert!(arena.allocated_bytes() <= memory(text.len()), "{} bytes", arena.allocated_bytes());
    // The other reader leaves a carriage return before a reference; line ends are normalised before all else (XML 1.0, 2.11).
    let normalised = text.replace("\r\n", "\n").replace('\r', "\n");
    if let Ok(theirs) = roxmltree::Document::parse(&normalised) {
        let (mut expected, mut found) = Default::default();
        by_roxmltree(theirs.root_element(), &mut expected);
        match &ours {
            Ok(ours) => by_us(ours, &mut found),
            Err(XmlError::Limit(..)) => return Ok(()),
            // The other reader takes what the grammar does not have: a declaration whose value holds its own end.
            Err(_) if is_declared_oddly(&text) => return Ok(()),
            Err(error) => prop_assert!(false, "{error}"),
        }
        prop_assert_eq!(found, expected);
    }
    let Ok(root) = ours else { return Ok(()) };
    is_never_read_when_cut(&text, root.name, |cut| document::parse(cut, &Limits::default(), &Bump::new()).is_ok())
}

/// Whether a quote is open where the XML declaration ends.
fn is_declared_oddly(text: &str) -> bool {
    let declaration = text.trim_start_matches('\u{feff}').strip_prefix("<?xml");
    let inside = declaration.and_then(|rest| rest.split_once("?>")).map_or("", |(inside, _)| inside);
    inside.matches(['"', '\'']).count() % 2 == 1
}

/// Keys and scalars in the order in which they are written.
fn texts<'t>(node: Node<'t>, out: &mut Vec<&'t str>) {
    match node {
        Node::Null | Node::Bytes(_) => {}
        Node::Bool(flag) => out.push(if flag { "1" } else { "0" }),
        Node::Text(text) | Node::Number(text) | Node::Unreadable(text) => out.push(text),
        Node::List(items) => items.iter().for_each(|item| texts(*item, out)),
        Node::Map(entries) => entries.iter().filter(|(_, value)| *value != Node::Null).for_each(|(key, value)| {
            out.push(key);
            texts(*value, out);
        }),
    }
}

/// What a reply said is written as a call, in which another reader finds the same texts under no other elements.
fn is_written_as_it_was_read(node: Node<'_>, leaves: &[&str], call: &str) -> Verdict {
    let mut expected = Vec::new();
    texts(node, &mut expected);
    if expected.iter().any(|text| illegal_character(text).is_some()) {
        return Ok(());
    }
    let document = roxmltree::Document::parse(call).map_err(|error| TestCaseError::fail(format!("{error}: {call}")))?;
    let found = document.descendants().filter(|node| leaves.contains(&node.tag_name().name()));
    let found: Vec<_> = found.map(|leaf| leaf.text().unwrap_or("")).collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

/// The method that a SOAP reply says it answers.
fn method(text: &str) -> &str {
    let head = text.split("Response").next().unwrap_or("");
    head.rsplit(['<', ':', ' ']).next().unwrap_or("")
}

fn soap(bytes: &[u8]) -> Verdict {
    let text = charset::decode(bytes, "text/xml");
    let arena = Bump::new();
    let ours = soap::parse_reply(&text, method(&text), Escapes::Once, &Limits::default(), &arena);
    prop_assert!(arena.allocated_bytes() <= 2 * memory(text.len()) + (64 << 20), "{} bytes", arena.allocated_bytes());
    let Ok(envelope) = ours else { return Ok(()) };
    let again = Bump::new();
    let root = document::parse(&text, &Limits::default(), &again).map_or("", |root| root.name);
    is_never_read_when_cut(&text, root, |cut| {
        soap::parse_reply(cut, method(cut), Escapes::Once, &Limits::default(), &Bump::new()).is_ok()
    })?;
    let Envelope::Value(node @ Node::Map(_)) = envelope else { return Ok(()) };
    holds_what_was_read(node, &soap::write_call("call", "urn:x", Style::Map, node))
}

/// Another reader finds every scalar in a call; keys are there too, some as names of elements.
fn holds_what_was_read(node: Node<'_>, call: &str) -> Verdict {
    let mut all = Vec::new();
    texts(node, &mut all);
    if all.iter().any(|text| illegal_character(text).is_some()) {
        return Ok(());
    }
    let document = roxmltree::Document::parse(call).map_err(|error| TestCaseError::fail(format!("{error}: {call}")))?;
    let known = |name: &str| document.descendants().any(|node| node.tag_name().name() == name);
    let mut found: Vec<_> =
        document.descendants().filter(|node| node.has_attribute(TYPE)).map(|node| node.text().unwrap_or("")).collect();
    found.sort_unstable();
    let missing = all.iter().find(|text| found.binary_search(text).is_err() && !known(text));
    prop_assert_eq!(missing, None);
    Ok(())
}

fn xml_rpc(bytes: &[u8]) -> Verdict {
    let text = charset::decode(bytes, "text/xml");
    let arena = Bump::new();
    let ours = xml_rpc::parse_reply(&text, &Limits::default(), &arena);
    prop_assert!(arena.allocated_bytes() <= 2 * memory(text.len()), "{} bytes", arena.allocated_bytes());
    let Ok(envelope) = ours else { return Ok(()) };
    is_never_read_when_cut(&text, "methodResponse", |cut| {
        xml_rpc::parse_reply(cut, &Limits::default(), &Bump::new()).is_ok()
    })?;
    let Envelope::Value(node) = envelope else { return Ok(()) };
    let call = xml_rpc::write_call("a.b", Parameters::Struct, Texts::String, node);
    is_written_as_it_was_read(node, &["name", "string"], &call)
}

fn xml_simple(bytes: &[u8]) -> Verdict {
    let text = charset::decode(bytes, "text/xml");
    let arena = Bump::new();
    let ours = simple::parse(&text, &Limits::default(), &arena);
    prop_assert!(arena.allocated_bytes() <= memory(text.len()), "{} bytes", arena.allocated_bytes());
    let Ok(root) = ours else { return Ok(()) };
    let _ = simple_node(&root, &arena);
    is_never_read_when_cut(&text, root.name, |cut| simple::parse(cut, &Limits::default(), &Bump::new()).is_ok())
}

/// The charsets of the test.
const LABELS: [&str; 8] =
    ["utf-8", "iso-8859-1", "iso-8859-2", "windows-1250", "windows-1252", "utf-16le", "utf-16be", "us-ascii"];

fn charsets(bytes: &[u8]) -> Verdict {
    for label in LABELS {
        let text = charset::decode(bytes, &format!("text/xml; charset=\"{label}\""));
        let wide = |of: fn([u8; 2]) -> u16, from: usize| {
            bytes[from.min(bytes.len())..].chunks_exact(2).any(|pair| of([pair[0], pair[1]]) == 0xfffd)
        };
        let is_there = bytes.windows(3).any(|bytes| bytes == b"\xef\xbf\xbd")
            || (0..2).any(|from| wide(u16::from_le_bytes, from) || wide(u16::from_be_bytes, from));
        let start = bytes.trim_ascii_start();
        let has_mark = [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| start.starts_with(mark));
        prop_assert!(is_there || !text.contains('\u{fffd}'), "{label} lost something");
        let is_plain = !has_mark && !bytes.iter().take(2).any(|byte| *byte == 0) && !text.contains(ILLEGAL);
        if matches!(label, "utf-8" | "us-ascii") && is_plain {
            prop_assert_eq!(text.as_bytes(), bytes);
        }
    }
    let declared = charset::decode(bytes, "text/xml");
    prop_assert!(declared.len() <= 4 * bytes.len());
    Ok(())
}

#[test]
fn a_document_is_read_as_elsewhere_or_refused() {
    let seeds = [corpus("document"), recorded("soap-perl"), recorded("xmlrpc-perl-freeside")].concat();
    run(seeds, WORDS, document);
}

#[test]
fn no_soap_reply_is_too_odd() {
    run([corpus("soap"), recorded("soap-perl"), recorded("soap-php")].concat(), WORDS, soap);
}

#[test]
fn no_xml_rpc_reply_is_too_odd() {
    run([corpus("xml-rpc"), recorded("xmlrpc-perl-freeside")].concat(), WORDS, xml_rpc);
}

#[test]
fn no_text_of_xml_simple_is_too_odd() {
    run(corpus("simple"), WORDS, xml_simple);
}

#[test]
fn no_charset_loses_a_character() {
    run([corpus("charset"), corpus("document")].concat(), WORDS, charsets);
}
