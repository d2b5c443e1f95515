//! Our readers beside other people's.

use bridge::{
    node::Node,
    wire::json,
    xml::{
        charset,
        document::{self, Element, Limits},
        write::{escape_into, illegal_character},
    },
};
use bumpalo::Bump;
use proptest::prelude::*;
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde_json::Value;

/// A document that quick-xml's events read: names, attributes and texts, in the order of the document.
fn by_events(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let (mut out, mut open, mut roots) = (String::new(), 0, 0);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                roots += usize::from(open == 0);
                open += 1;
                out += &start_of(&start)?;
            }
            Event::Empty(start) => {
                roots += usize::from(open == 0);
                out += &start_of(&start)?;
                out += ")";
            }
            Event::End(_) => {
                open -= 1;
                out += ")";
            }
            Event::Text(text) if open > 0 => out += &text,
            Event::Text(text) if text.trim().is_empty() => {}
            Event::CData(data) if open > 0 => out += &data,
            Event::GeneralRef(name) if open > 0 => match name.resolve_char_ref().ok()? {
                Some(character) => out.push(character),
                None => out += resolve_predefined_entity(&name)?,
            },
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return (open == 0 && roots == 1).then_some(out),
            _ => return None,
        }
    }
}

fn start_of(start: &BytesStart<'_>) -> Option<String> {
    let mut out = format!("({}", start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        out += &format!(" {}={value:?}", attribute.key.as_ref());
    }
    Some(out + "|")
}

/// The same of a document that we have read, whose texts come before the children.
fn by_us(element: &Element<'_>, out: &mut String) {
    *out += &format!("({}", element.name);
    for (name, value) in element.attributes {
        *out += &format!(" {name}={value:?}");
    }
    *out += "|";
    *out += element.text;
    for child in element.children {
        by_us(child, out);
    }
    *out += ")";
}

/// Texts of XML's own characters, in which documents are likely.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("<a>"),
        Just("</a>"),
        Just("<b x=\"1\">"),
        Just("</b>"),
        Just("<c/>"),
        Just("<d y='&lt;'/>"),
        Just("&amp;"),
        Just("&#65;"),
        Just("&evil;"),
        Just("<!-- c -->"),
        Just("<?pi x?>"),
        Just("<![CDATA[<t>]]>"),
        Just("text"),
        Just("ł"),
        Just(" "),
        Just("<"),
        Just("&"),
    ];
    proptest::collection::vec(scrap, 0..12).prop_map(|scraps| format!("<r>{}</r>", scraps.concat()))
}

/// Documents whose texts stand before children, so that both forms have one order.
fn any_document() -> impl Strategy<Value = String> {
    let text = "[a-zł<>&\"' ]{0,8}".prop_map(|text| {
        let mut out = String::new();
        escape_into(&mut out, &text);
        out
    });
    let leaf = text.prop_map(|text| format!("<leaf k=\"{text}\">{text}</leaf>"));
    leaf.prop_recursive(4, 24, 4, |inner| {
        ("[a-z]{1,4}", proptest::collection::vec(inner, 0..4))
            .prop_map(|(name, children)| format!("<{name}>&#x142;{}</{name}>", children.concat()))
    })
}

fn same_json(ours: Node<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(a), Value::Bool(b)) => a == *b,
        (Node::Text(a), Value::String(b)) => a == b,
        (Node::Number(a), Value::Number(b)) => a.parse::<f64>().ok() == b.as_f64(),
        (Node::List(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(*a, b)),
        (Node::Map(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| {
                // Of a key that comes twice the other reader keeps the last.
                let last = a.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
                last != Some(value) || b.get(*key).is_some_and(|other| same_json(*value, other))
            })
        }
        _ => false,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths are exact, so that both readers find the same one.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn json_scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"\\u0041\\n\""),
        Just("\"\\ud83d\\ude00\""),
        Just("\"\\ud83d\""),
        Just("-"),
        Just("0"),
        Just("12"),
        Just(".5"),
        Just("e3"),
        Just("null"),
        Just("tru"),
        Just("true"),
        Just(" "),
    ];
    proptest::collection::vec(scrap, 0..8).prop_map(|scraps| scraps.concat())
}

/// How many elements a document has.
fn elements(element: &Element<'_>) -> usize {
    1 + element.children.iter().map(elements).sum::<usize>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_document_reads_as_its_events(text in any_document()) {
        let arena = Bump::new();
        let mut ours = String::new();
        by_us(&document::parse(&text, &Limits::default(), &arena).expect("a document"), &mut ours);
        prop_assert_eq!(Some(ours), by_events(&text));
    }

    #[test]
    fn scraps_are_a_document_for_both_or_for_neither(text in scraps()) {
        let arena = Bump::new();
        let ours = document::parse(&text, &Limits::default(), &arena);
        prop_assert_eq!(ours.is_ok(), by_events(&text).is_some(), "{:?}", ours.err());
    }

    #[test]
    fn any_legal_text_survives_xml(text in ".*") {
        prop_assume!(illegal_character(&text).is_none());
        let mut escaped = String::from("<a b=\"");
        escape_into(&mut escaped, &text);
        escaped += "\">";
        escape_into(&mut escaped, &text);
        escaped += "</a>";
        let arena = Bump::new();
        let read = document::parse(&escaped, &Limits::default(), &arena).expect("a document");
        prop_assert_eq!((read.text, read.attribute("b")), (text.as_str(), Some(text.as_str())));
        let mut element = String::from("<a>");
        escape_into(&mut element, &text);
        prop_assert_eq!(by_events(&(element + "</a>")), Some(format!("(a|{text})")));
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let arena = Bump::new();
        if let Ok(node) = json::parse(&bytes, &arena) {
            let mut written = String::new();
            json::write(node, &mut written);
            prop_assert_eq!(json::parse(written.as_bytes(), &arena).expect("our own JSON"), node);
        }
        let text = charset::decode(&bytes, "text/xml");
        // No charset makes more than three bytes of one.
        prop_assert!(text.len() <= 3 * bytes.len(), "{:?}", text);
        if let Ok(read) = document::parse(&text, &Limits::default(), &arena) {
            let mut others = quick_xml::Reader::from_str(&text);
            prop_assert!(text.contains(&format!("<{}", read.name)) && others.read_event().is_ok(), "{:?}", text);
        }
        if let Ok(read) = bridge::xml::simple::parse(&text, &Limits::default(), &arena) {
            // The shortest element is `<a/>`.
            prop_assert!(4 * elements(&read) <= text.len(), "{:?}", text);
        }
    }

    #[test]
    fn every_charset_reads_what_it_wrote(text in "[ -~éŁź€]{0,20}", at in 0..4usize) {
        let charset = ["utf-8", "windows-1250", "utf-16le", "iso-8859-2"][at];
        let encoding = encoding_of(charset);
        let text = format!("<a>{text}</a>");
        let Some(bytes) = encoding(&text) else { return Ok(()) };
        let read = charset::decode(&bytes, &format!("text/xml; charset={charset}"));
        prop_assert_eq!(read, text);
    }

    #[test]
    fn any_json_reads_as_it_does_elsewhere(value in any_json()) {
        let (arena, text) = (Bump::new(), value.to_string());
        let ours = json::parse(text.as_bytes(), &arena).expect("JSON");
        prop_assert!(same_json(ours, &value), "{ours:?}");
        let mut written = String::new();
        json::write(ours, &mut written);
        prop_assert_eq!(serde_json::from_str::<Value>(&written).expect("our own JSON"), value);
    }

    #[test]
    fn scraps_are_json_for_both_or_for_neither(text in json_scraps()) {
        let arena = Bump::new();
        // The other reader refuses half of a pair.
        let whole = text.replace("\"\\ud83d\"", "\"\\ufffd\"");
        let (ours, theirs) = (json::parse(text.as_bytes(), &arena), serde_json::from_str::<Value>(&whole));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert!(same_json(ours, &theirs), "{ours:?}");
        }
    }

    #[test]
    fn a_number_is_what_json_says(text in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?[ _+]?") {
        let theirs = serde_json::from_str::<serde_json::Number>(&text).is_ok() && !text.ends_with(' ');
        prop_assert_eq!(json::is_number(&text), theirs, "{}", text);
    }
}

/// Writers by hand for the few characters that the test uses; `None` where the charset lacks one.
fn encoding_of(charset: &str) -> impl Fn(&str) -> Option<Vec<u8>> + use<'_> {
    move |text| match charset {
        "utf-8" => Some(text.as_bytes().to_vec()),
        "utf-16le" => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        _ => text.chars().map(|character| byte_in(charset, character)).collect(),
    }
}

fn byte_in(charset: &str, character: char) -> Option<u8> {
    match (charset, character) {
        (_, ' '..='~') => Some(character as u8),
        (_, 'é') => Some(0xe9),
        (_, 'Ł') => Some(0xa3),
        ("windows-1250", 'ź') => Some(0x9f),
        ("iso-8859-2", 'ź') => Some(0xbc),
        ("windows-1250", '€') => Some(0x80),
        _ => None,
    }
}
