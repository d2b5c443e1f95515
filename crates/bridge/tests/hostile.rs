//! Documents that mean harm.

use std::{net::TcpListener, thread, time::Duration};

use bridge::xml::{
    charset,
    document::{self, Limits},
    error::XmlError,
    simple,
};
use bumpalo::Bump;

use crate::fuzz::used;

/// Attacks by entity, each with an address at which somebody listens.
fn entities(address: &str) -> Vec<String> {
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let kinds = [
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"http://ADDRESS/x\">]><a>&x;</a>".to_owned(),
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/hostname\">]><a>&x;</a>".to_owned(),
        "<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://ADDRESS/x\"> %x;]><a/>".to_owned(),
        "<!DOCTYPE a SYSTEM \"http://ADDRESS/a.dtd\"><a/>".to_owned(),
        "<!DOCTYPE a PUBLIC \"-//X//Y\" \"http://ADDRESS/a.dtd\"><a/>".to_owned(),
        "<?xml version=\"1.0\"?>\n<!-- c -->\n<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>".to_owned(),
        format!("<!DOCTYPE a [<!ENTITY l0 \"ha\">{laughs}]><a>&l9;</a>"),
        format!("<!DOCTYPE a [<!ENTITY x \"{}\">]><a>{}</a>", "y".repeat(50_000), "&x;".repeat(50_000)),
        "<!DOCTYPE a><a/>".to_owned(),
        "<a><!DOCTYPE a [<!ENTITY x 'y'>]>&x;</a>".to_owned(),
        "<!doctype a [<!ENTITY x 'y'>]><a>&x;</a>".to_owned(),
        "<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"http://ADDRESS/x\"/>&undeclared;</a>"
            .to_owned(),
    ];
    kinds.into_iter().map(|text| text.replace("ADDRESS", address)).collect()
}

#[test]
fn a_document_type_is_refused_and_opens_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    for text in entities(&listener.local_addr().expect("an address").to_string()) {
        let arena = Bump::new();
        let begun = used();
        let error = document::parse(&text, &Limits::default(), &arena).expect_err(&text[..60.min(text.len())]);
        // The last one has no document type but an entity that nobody declared.
        assert!(matches!(error, XmlError::DoctypeForbidden | XmlError::Malformed(_)), "{error}: {text:.60}");
        assert_eq!(
            error == XmlError::DoctypeForbidden,
            text.contains("<!DOCTYPE") || text.contains("<!doctype"),
            "{text:.60}"
        );
        assert!(simple::parse(&text, &Limits::default(), &arena).is_err(), "{text:.60}");
        assert!(arena.allocated_bytes() < 1 << 16 && used() - begun < Duration::from_secs(1), "{text:.60}");
    }
    assert!(listener.accept().is_err(), "somebody called");
}

/// What is too much, and the limit that it passes.
fn excesses() -> Vec<(String, XmlError)> {
    let attributes = |count: usize, name: &str| (0..count).map(|n| format!(" {name}{n}=\"\"")).collect::<String>();
    let deep = |count: usize| format!("{}{}", "<a>".repeat(count), "</a>".repeat(count));
    let limit = |what, most| XmlError::Limit(what, most);
    vec![
        (deep(65), limit("levels", 64)),
        (deep(1_000_000), limit("levels", 64)),
        (format!("<a{}/>", attributes(65, "x")), limit("attributes of one element", 64)),
        (format!("<a{}/>", attributes(400_000, "x")), limit("attributes of one element", 64)),
        (format!("<a{}/>", attributes(129, "xmlns:x")), limit("attributes of one element", 64)),
        (format!("<a>{}</a>", "<b/>".repeat(2 << 20)), limit("elements", (8 << 20) / 12)),
        (format!("<{}/>", "n".repeat(257)), limit("bytes in one name", 256)),
        (format!("<a x=\"{}\"/>", "v".repeat((64 << 10) + 1)), limit("bytes in one attribute", 64 << 10)),
    ]
}

/// Large, but no larger than it may be.
fn burdens() -> Vec<String> {
    vec![
        format!("<a>{}</a>", "&lt;".repeat(400_000)),
        format!("<a>{}</a>", "x".repeat((8 << 20) - 7)),
        format!("<a>{}</a>", "<![CDATA[x]]>".repeat(150_000)),
        format!("<a>{}</a>", "x<!---->".repeat(150_000)),
        format!("<a>{}</a>", "<b>&#65;</b>".repeat(50_000)),
    ]
}

#[test]
fn what_is_too_much_is_named_on_a_small_stack() {
    let small = thread::Builder::new().stack_size(256 << 10).spawn(|| {
        for (text, expected) in excesses() {
            let begun = used();
            assert_eq!(
                document::parse(&text, &Limits::default(), &Bump::new()).map(|_| ()),
                Err(expected),
                "{text:.40}"
            );
            // In a build without optimisation; a tenth of it otherwise.
            assert!(used() - begun < Duration::from_secs(2), "{:?} for {text:.40}", used() - begun);
        }
        for text in burdens() {
            let (begun, arena) = (used(), Bump::new());
            assert!(document::parse(&text, &Limits::default(), &arena).is_ok(), "{text:.40}");
            assert!(arena.allocated_bytes() < 32 << 20, "{} bytes for {text:.40}", arena.allocated_bytes());
            assert!(used() - begun < Duration::from_secs(2), "{:?} for {text:.40}", used() - begun);
        }
    });
    small.expect("a thread").join().expect("no end of the stack");
}

#[test]
fn bytes_that_are_no_text_are_marked() {
    let cases: [(&[u8], &str, &str); 11] = [
        (b"<a>\xff</a>", "text/xml", "<a>\u{ffff}</a>"),
        (b"\xc0\xaf", "text/xml; charset=utf-8", "\u{ffff}\u{ffff}"),
        (b"\xed\xa0\x80", "text/xml; charset=utf-8", "\u{ffff}\u{ffff}\u{ffff}"),
        (b"\xf4\x90\x80\x80", "text/xml; charset=utf-8", "\u{ffff}\u{ffff}\u{ffff}\u{ffff}"),
        (b"\xff\xfea\0", "text/xml", "a"),
        (b"\xfe\xff\0a", "text/xml", "a"),
        (b"\xff\xfe\0\xd8", "text/xml", "\u{ffff}"),
        (b"a", "text/xml; charset=utf-16le", "a"),
        (b"caf\xe9", "text/xml; charset=iso-8859-1", "café"),
        (b"\x81", "text/xml; charset=iso-8859-5", "\u{81}"),
        (b"\xef\xbb\xbfa", "application/json", "a"),
    ];
    for (bytes, content_type, expected) in cases {
        assert_eq!(charset::decode(bytes, content_type), expected, "{}", bytes.escape_ascii());
    }
    // Marks without end cost no stack.
    assert_eq!(charset::decode(&b"\xef\xbb\xbf".repeat(1 << 20), "text/xml"), "");
}
