//! JSON, and trees on their way into and out of messages.

use bridge::{
    node::Node,
    table::{TextRule, Vocabulary},
    wire::json,
};
use bumpalo::Bump;
use proptest::{prop_assert, prop_assert_eq};
use prost::{Message, Name};
use serde_json::Value;

use super::{Verdict, corpus, run};
use crate::contract::{
    RestReply, ScalarsReply, ScalarsRequest, ShapesReply, ShapesRequest, WholeReply, tables, tables_by,
};

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "0",
    "-0",
    "1e999",
    "1E-5",
    "01",
    ".5",
    "NaN",
    "99999999999999999999",
    "\"\"",
    "\"\\ud83d\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "[[[[[[[[",
    "]]]]]]]]",
    "{\"a\":",
    "\u{feff}",
    "\"0000-00-00\"",
    "\"2024-02-30\"",
    "\"24:00:00\"",
    "\"9999-12-31 23:59:60 +1400\"",
    "///",
    ":::",
    "é",
];

fn json_text(bytes: &[u8]) -> Verdict {
    let (arena, again) = (Bump::new(), Bump::new());
    let ours = json::parse(bytes, &arena);
    prop_assert!(arena.allocated_bytes() <= 64 * bytes.len() + (1 << 20), "{} bytes", arena.allocated_bytes());
    // Bytes that are no text, numbers out of range, halves of pairs and the marks before the text are where the other reader
    // differs.
    if std::str::from_utf8(bytes).is_err() {
        return Ok(());
    }
    let mut bytes = bytes;
    while let Some(rest) = bytes.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf") {
        bytes = rest;
    }
    let theirs = serde_json::from_slice::<Value>(bytes);
    if theirs.is_ok() {
        prop_assert!(ours.is_ok(), "{ours:?}");
    }
    let Ok(node) = ours else { return Ok(()) };
    let reason = theirs.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let differs = ["out of range", "recursion", "hex escape"].iter().any(|known| reason.contains(known));
    prop_assert!(reason.is_empty() || differs, "{reason}");
    let mut written = String::new();
    json::write(node, &mut written);
    prop_assert_eq!(json::parse(written.as_bytes(), &again), Ok(node));
    let end = bytes.trim_ascii_end();
    if end.ends_with(b"}") || end.ends_with(b"]") {
        for cut in [end.len() - 1, end.len() * 7 / 9, end.len() / 3] {
            prop_assert!(json::parse(&end[..cut], &Bump::new()).is_err(), "read although cut at {cut}");
        }
    }
    Ok(())
}

/// A reply becomes a message that is as readable as it says.
fn decoded<R: Message + Name + Default>(node: Node<'_>) -> Verdict {
    let decoded = tables(TextRule::Any).decode::<R>(node);
    let bytes = decoded.message.encode_to_vec();
    // Not the messages: a NaN is never equal.
    prop_assert_eq!(R::decode(bytes.as_slice()).map(|again| again.encode_to_vec()), Ok(bytes));
    for problem in decoded.unreadable.iter().chain(&decoded.missing) {
        prop_assert!(!problem.field.is_empty() && problem.text.len() < 100, "{problem:?}");
    }
    Ok(())
}

fn reply(bytes: &[u8]) -> Verdict {
    let arena = Bump::new();
    let Ok(node) = json::parse(bytes, &arena) else { return Ok(()) };
    decoded::<ScalarsReply>(node)?;
    decoded::<ShapesReply>(node)?;
    decoded::<WholeReply>(node)?;
    decoded::<RestReply>(node)
}

/// A request is sent as JSON, or refused by the names of its fields.
fn encoded<Q: Message + Name + Default>(bytes: &[u8]) -> Verdict {
    let Ok(request) = Q::decode(bytes) else { return Ok(()) };
    for text in [TextRule::Any, TextRule::Xml] {
        let arena = Bump::new();
        match tables(text).encode(&request, &arena) {
            Ok(node) => {
                let mut written = String::new();
                json::write(node, &mut written);
                prop_assert!(json::parse(written.as_bytes(), &arena).is_ok(), "{written}");
            }
            Err(problems) => prop_assert!(problems.0.iter().all(|problem| !problem.field.is_empty())),
        }
    }
    Ok(())
}

fn request(bytes: &[u8]) -> Verdict {
    encoded::<ScalarsRequest>(bytes)?;
    encoded::<ShapesRequest>(bytes)
}

/// A vocabulary is a file of the operator's, not of a stranger's: toml_parser 1.1.5 takes stack for every inline table that is
/// left open, so that many kilobytes of them end the process.
fn vocabulary(bytes: &[u8]) -> Verdict {
    let bytes = &bytes[..bytes.len().min(8 << 10)];
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    let read = Vocabulary::parse(text).is_ok();
    let built = tables_by(text, Some("modern"), TextRule::Any);
    prop_assert!(read || built.is_err());
    prop_assert!(built.err().is_none_or(|error| !error.is_empty()));
    Ok(())
}

#[test]
fn json_is_read_as_elsewhere_or_refused() {
    run(corpus("json"), WORDS, json_text);
}

#[test]
fn no_reply_is_too_odd_for_its_message() {
    run(corpus("json"), WORDS, reply);
}

#[test]
fn no_request_is_too_odd_for_its_tree() {
    let seeds = corpus("json").into_iter().flat_map(|seed| {
        let arena = Bump::new();
        let node = json::parse(&seed, &arena).unwrap_or(Node::Null);
        let scalars = tables(TextRule::Any).decode::<ScalarsReply>(node).message.encode_to_vec();
        [scalars, tables(TextRule::Any).decode::<ShapesReply>(node).message.encode_to_vec()]
    });
    run(seeds.collect(), WORDS, request);
}

#[test]
fn no_vocabulary_is_too_odd() {
    const WORDS: &[&str] = &[
        "[names]\n",
        "[dialect.modern.names]\n",
        "format = ",
        "\"joined ",
        "\"keyed ",
        " parts ",
        "*",
        "=",
        "{",
        "}",
        "\"",
        "\n",
    ];
    let own = include_bytes!("../contract/vocabulary.toml").to_vec();
    run([corpus("vocabulary"), vec![own]].concat(), WORDS, vocabulary);
}
