//! Trees of unknown shape -> `google.protobuf.Struct` and `ispbridge.type.v1.Element`.

use super::protobuf::{put_bytes, put_message, put_uint};
use crate::{
    node::{Entry, Node},
    wire::json,
    xml::{
        document::{Element, Limits},
        simple,
    },
};

/// Levels of JSON that a `Struct` holds as such. Each takes three levels of protobuf, of which every
/// language's reader allows about a hundred; what lies deeper is kept as JSON text.
const STRUCT_LEVELS: usize = 24;

/// A `google.protobuf.Struct` field; what is no object stands in it under `value`.
pub(super) fn put_structure(number: u32, node: Node<'_>, out: &mut Vec<u8>) -> bool {
    let entries = if let Node::Map(entries) = node { entries } else { &[("value", node)] };
    put_message(out, number, |out| put_struct(entries, out));
    true
}

/// The fields of a `google.protobuf.Struct`.
pub(super) fn put_struct(entries: &[Entry<'_>], out: &mut Vec<u8>) {
    put_fields(entries, 1, out);
}

fn put_fields(entries: &[Entry<'_>], level: usize, out: &mut Vec<u8>) {
    for (key, value) in entries {
        put_message(out, 1, |out| {
            put_bytes(out, 1, key.as_bytes());
            put_message(out, 2, |out| put_value(*value, level, out));
        });
    }
}

/// A `google.protobuf.Value`; a number goes as its text, because a double would change it.
fn put_value(node: Node<'_>, level: usize, out: &mut Vec<u8>) {
    match node {
        Node::Null => put_uint(out, 1, 0),
        Node::Text(text) | Node::Number(text) => put_bytes(out, 3, text.as_bytes()),
        Node::Bool(flag) => put_uint(out, 4, flag.into()),
        Node::Map(_) | Node::List(_) if level == STRUCT_LEVELS => {
            let mut text = String::new();
            json::write(node, &mut text);
            put_bytes(out, 3, text.as_bytes());
        }
        Node::Map(entries) => put_message(out, 5, |out| put_fields(entries, level + 1, out)),
        Node::List(items) => put_message(out, 6, |out| {
            for item in items {
                put_message(out, 1, |out| put_value(*item, level + 1, out));
            }
        }),
    }
}

/// An `ispbridge.type.v1.Element` from XML inside a text, or from a tree that the wire has read.
pub(super) fn put_element_text(number: u32, node: Node<'_>, out: &mut Vec<u8>) -> Result<bool, &'static str> {
    let Node::Text(text) = node else {
        put_message(out, number, |out| put_element_node("", node, out));
        return Ok(true);
    };
    let arena = bumpalo::Bump::new();
    let root = simple::parse(text, &Limits::default(), &arena).map_err(|_| "is not XML")?;
    put_message(out, number, |out| put_element(&root, out));
    Ok(true)
}

fn put_element(element: &Element<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, element.name.as_bytes());
    for (name, value) in element.attributes {
        put_message(out, 2, |out| {
            put_bytes(out, 1, name.as_bytes());
            put_bytes(out, 2, value.as_bytes());
        });
    }
    put_bytes(out, 3, element.text.as_bytes());
    for child in element.children {
        put_message(out, 4, |out| put_element(child, out));
    }
}

/// An element from a tree: keys are names, items of a list repeat their name.
pub(super) fn put_element_node(name: &str, node: Node<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, name.as_bytes());
    match node {
        Node::Map(entries) => entries.iter().for_each(|(key, value)| put_element_children(key, *value, out)),
        Node::List(items) => items.iter().for_each(|item| put_element_children("item", *item, out)),
        scalar => put_bytes(out, 3, scalar.scalar().unwrap_or("").as_bytes()),
    }
}

fn put_element_children(key: &str, value: Node<'_>, out: &mut Vec<u8>) {
    let lone = [value];
    let items = if let Node::List(items) = value { items } else { &lone };
    for item in items {
        put_message(out, 4, |out| put_element_node(key, *item, out));
    }
}
