//! Documents inside texts.

use super::{clean, decode, kept, paths, text};
use crate::contract::{Attribute, Element, ShapesReply, Target, line};

#[test]
fn json_and_xml_inside_texts() {
    let message = clean::<ShapesReply>(
        r#"{"settings":{"n":1},"settings_text":"{\"n\":1}","line_text":"{\"id\":\"9\"}","account_id":5,
            "markup":"<a x=\"1\">t<b/></a>","tree":{"a":["1","2"],"b":{"c":3}}}"#,
    );
    assert_eq!(kept(&message.settings, "n"), Some(&text("1")));
    assert_eq!(message.settings, message.settings_text);
    assert_eq!((message.line_text, message.target), (Some(line("9", None)), Some(Target::AccountId(5))));
    let child = |name: &str, text: &str| Element { name: name.into(), text: text.into(), ..Element::default() };
    let attributes = vec![Attribute { name: "x".into(), value: "1".into() }];
    let markup = Element { attributes, children: vec![child("b", "")], ..child("a", "t") };
    assert_eq!(message.markup, Some(markup));
    let b = Element { children: vec![child("c", "3")], ..child("b", "") };
    let tree = Element { children: vec![child("a", "1"), child("a", "2"), b], ..child("tree", "") };
    assert_eq!(message.tree, Some(tree));
    let decoded = decode::<ShapesReply>(r#"{"settings_text":"{","line_text":"[1]","markup":"<a>"}"#);
    assert_eq!(paths(&decoded.unreadable), ["settings_text", "line_text", "markup"]);
}
