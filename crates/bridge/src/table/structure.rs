//! Trees of unknown shape -> `google.protobuf.Struct` and `ispbridge.type.v1.Element`.

use std::borrow::Cow;

use super::protobuf::{put_bytes, put_message, put_uint};
use crate::{
    binary::{self, Alphabet},
    node::{Entry, Node},
    wire::json,
    xml::{
        charset::{ILLEGAL, REPLACEMENT},
        document::{Element, Limits},
        simple,
    },
};

/// Levels of JSON that a `Struct` holds as such. Each takes three levels of protobuf, of which every
/// language's reader allows about a hundred; what lies deeper is kept as JSON text.
const STRUCT_LEVELS: usize = 24;

/// Bytes of memory that a message may still take; none once they were too few. What the upstream shapes counts here: a few
/// bytes of a reply can mean hundreds of the message.
pub(super) struct Room(Option<usize>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Room(Some(bytes))
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.0 = self.0.and_then(|room| room.checked_sub(bytes));
        self.0.map(|_| ()).ok_or("is more than the reply may hold")
    }
}

/// Memory of a short text, of a value in a list, and of an entry in a map, whose first one makes a node for eleven.
const TEXT: usize = 32;
const VALUE: usize = 32;
const ENTRY: usize = 128;
const FIRST_ENTRY: usize = 640;

/// About what a `google.protobuf.Value` of a tree takes.
fn memory(node: Node<'_>) -> usize {
    match node {
        Node::Map(entries) => memory_of_struct(entries),
        Node::List(items) => items.iter().map(|item| VALUE + memory(*item)).sum(),
        Node::Null | Node::Bool(_) => 0,
        Node::Bytes(bytes) => TEXT + 2 * bytes.len(),
        Node::Text(_) | Node::Number(_) | Node::Unreadable(_) => TEXT,
    }
}

/// About what a `google.protobuf.Struct` of these entries takes.
pub(super) fn memory_of_struct(entries: &[Entry<'_>]) -> usize {
    FIRST_ENTRY + entries.iter().map(|(_, value)| ENTRY + memory(*value)).sum::<usize>()
}

/// Memory of an `ispbridge.type.v1.Element` and of an attribute, their texts included.
const ELEMENT: usize = 96 + 2 * TEXT;
const ATTRIBUTE: usize = 48 + 2 * TEXT;

fn memory_of_element(element: &Element<'_>) -> usize {
    let children = element.children.iter().map(memory_of_element).sum::<usize>();
    ELEMENT + element.attributes.len() * ATTRIBUTE + children
}

/// About what an element of a tree takes.
fn memory_of_element_node(node: Node<'_>) -> usize {
    let inside = match node {
        Node::Map(entries) => entries.iter().map(|(_, value)| memory_of_element_node(*value)).sum(),
        Node::List(items) => items.iter().map(|item| memory_of_element_node(*item)).sum(),
        _ => 0,
    };
    ELEMENT + inside
}

/// A `google.protobuf.Struct` field; what is no object stands in it under `value`.
pub(super) fn put_structure(
    number: u32,
    node: Node<'_>,
    room: &mut Room,
    out: &mut Vec<u8>,
) -> Result<bool, &'static str> {
    let entries = if let Node::Map(entries) = node { entries } else { &[("value", node)] };
    room.take(memory_of_struct(entries))?;
    put_message(out, number, |out| put_struct(entries, out));
    Ok(true)
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

/// A text as a reader sees it: bytes that were no text are shown as such.
fn shown(text: &str) -> Cow<'_, str> {
    if text.contains(ILLEGAL) { text.replace(ILLEGAL, REPLACEMENT).into() } else { text.into() }
}

/// Bytes as a reader sees them where nobody says what they are: a text, else base64 as in protobuf's JSON.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(binary::encode(bytes, Alphabet::Standard)), Cow::Borrowed)
}

/// A `google.protobuf.Value`; a number goes as its text, because a double would change it.
fn put_value(node: Node<'_>, level: usize, out: &mut Vec<u8>) {
    match node {
        Node::Null => put_uint(out, 1, 0),
        Node::Text(text) | Node::Number(text) => put_bytes(out, 3, text.as_bytes()),
        Node::Unreadable(text) => put_bytes(out, 3, shown(text).as_bytes()),
        Node::Bytes(bytes) => put_bytes(out, 3, text_of(bytes).as_bytes()),
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
pub(super) fn put_element_text(
    number: u32,
    node: Node<'_>,
    room: &mut Room,
    out: &mut Vec<u8>,
) -> Result<bool, &'static str> {
    let (Node::Text(text) | Node::Unreadable(text)) = node else {
        return put_element_tree(number, "", node, room, out);
    };
    let arena = bumpalo::Bump::new();
    // The text is part of a reply that is within its bounds; no element of it is shorter.
    let limits = Limits { elements: text.len() / "<a/>".len(), ..Limits::default() };
    let root = simple::parse(text, &limits, &arena).map_err(|_| "is not XML")?;
    room.take(arena.allocated_bytes() + memory_of_element(&root))?;
    put_message(out, number, |out| put_element(&root, out));
    Ok(true)
}

fn put_element(element: &Element<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, element.name.as_bytes());
    for (name, value) in element.attributes {
        put_message(out, 2, |out| {
            put_bytes(out, 1, name.as_bytes());
            put_bytes(out, 2, shown(value).as_bytes());
        });
    }
    put_bytes(out, 3, shown(element.text).as_bytes());
    for child in element.children {
        put_message(out, 4, |out| put_element(child, out));
    }
}

/// An `ispbridge.type.v1.Element` from a tree.
pub(super) fn put_element_tree(
    number: u32,
    name: &str,
    node: Node<'_>,
    room: &mut Room,
    out: &mut Vec<u8>,
) -> Result<bool, &'static str> {
    room.take(memory_of_element_node(node))?;
    put_message(out, number, |out| put_element_node(name, node, out));
    Ok(true)
}

/// An element from a tree: keys are names, items of a list repeat their name.
fn put_element_node(name: &str, node: Node<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, name.as_bytes());
    match node {
        Node::Map(entries) => entries.iter().for_each(|(key, value)| put_element_children(key, *value, out)),
        Node::List(items) => items.iter().for_each(|item| put_element_children("item", *item, out)),
        Node::Bytes(bytes) => put_bytes(out, 3, text_of(bytes).as_bytes()),
        scalar => put_bytes(out, 3, shown(scalar.scalar().unwrap_or("")).as_bytes()),
    }
}

fn put_element_children(key: &str, value: Node<'_>, out: &mut Vec<u8>) {
    let lone = [value];
    let items = if let Node::List(items) = value { items } else { &lone };
    for item in items {
        put_message(out, 4, |out| put_element_node(key, *item, out));
    }
}
