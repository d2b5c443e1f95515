//! The wires: each turns a neutral tree into an HTTP body and a reply's body into a tree.

pub mod json;
pub mod rest;
pub mod soap;
pub mod xml_rpc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bumpalo::Bump;
use rustc_hash::FxHashMap;

use crate::{
    node::Node,
    xml::{
        charset::{CharsetError, decode_base64_text},
        document::{Element, XmlError},
    },
};

/// What a reply's envelope says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Envelope<'t> {
    /// The called function answered with a value.
    Value(Node<'t>),
    /// The server answered with a fault of its protocol.
    Fault {
        /// The fault's code as text, prefix stripped: SOAP `Server`, XML-RPC `Client` or a number.
        code: &'t str,
        /// The fault's text, trimmed.
        text: &'t str,
    },
}

/// Why a reply's body is not what its wire says it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    /// The XML cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The bytes are not text.
    #[error(transparent)]
    Charset(#[from] CharsetError),
    /// The JSON cannot be read; the words never quote the body.
    #[error("not JSON: {0}")]
    Json(String),
    /// The document is of another kind than the wire's.
    #[error("not a reply of this wire: {0}")]
    Envelope(&'static str),
}

/// Decodes base64 as it is met in replies: line breaks and blanks inside are ignored.
fn base64_text<'t>(text: &str, arena: &'t Bump) -> Result<&'t str, WireError> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| WireError::Envelope("a base64 value that is not base64"))?;
    Ok(arena.alloc_str(&decode_base64_text(bytes)))
}

/// Collects named values; a name that comes again makes a list of its values, as XML has them.
struct Gather<'t> {
    arena: &'t Bump,
    entries: Vec<(&'t str, Values<'t>)>,
    index: FxHashMap<&'t str, usize>,
}

/// What came under one name; most come once, so that only the others cost a list.
enum Values<'t> {
    One(Node<'t>),
    Many(Vec<Node<'t>>),
}

impl<'t> Gather<'t> {
    /// Below this many names a look through the list beats a hash.
    const SCAN: usize = 16;

    fn new(arena: &'t Bump, expected: usize) -> Self {
        Gather { arena, entries: Vec::with_capacity(expected), index: FxHashMap::default() }
    }

    fn add(&mut self, name: &'t str, value: Node<'t>) {
        let Some(at) = self.position(name) else {
            if self.entries.len() >= Self::SCAN {
                self.index.insert(name, self.entries.len());
            }
            self.entries.push((name, Values::One(value)));
            return;
        };
        match &mut self.entries[at].1 {
            Values::Many(values) => values.push(value),
            Values::One(first) => {
                let values = vec![*first, value];
                self.entries[at].1 = Values::Many(values);
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let near = self.entries.iter().take(Self::SCAN).position(|(known, _)| *known == name);
        near.or_else(|| if self.index.is_empty() { None } else { self.index.get(name).copied() })
    }

    fn finish(self) -> Node<'t> {
        let arena = self.arena;
        let entries = self.entries.into_iter().map(|(name, values)| match values {
            Values::One(value) => (name, value),
            Values::Many(values) => (name, Node::List(arena.alloc_slice_copy(&values))),
        });
        Node::Map(arena.alloc_slice_fill_iter(entries))
    }
}

/// The tree of an XML::Simple element: attributes and children are named values, a leaf is its text,
/// and text beside attributes stands under `content`, as XML::Simple itself reads it.
#[must_use]
pub fn simple_node<'t>(element: &Element<'t>, arena: &'t Bump) -> Node<'t> {
    if element.attributes.is_empty() && element.children.is_empty() {
        return Node::Text(element.text);
    }
    let mut gather = Gather::new(arena, element.attributes.len() + element.children.len());
    for (name, value) in &element.attributes {
        gather.add(name, Node::Text(value));
    }
    for child in &element.children {
        gather.add(child.name, simple_node(child, arena));
    }
    if element.children.is_empty() && !element.text.is_empty() {
        gather.add("content", Node::Text(element.text));
    }
    gather.finish()
}
