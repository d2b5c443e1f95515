//! The wires: each turns a neutral tree into an HTTP body and a reply's body into a tree.

pub mod form;
pub mod json;
pub mod rest;
pub mod soap;
pub mod xml_rpc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bumpalo::{Bump, collections::Vec as BumpVec};
use rustc_hash::FxHashMap;

use crate::{
    node::{Entry, Node},
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
    entries: BumpVec<'t, Entry<'t>>,
    /// Where the names beyond the first few stand.
    index: FxHashMap<&'t str, usize>,
    /// The lists of names that came again; most names come once, so that only the others cost something.
    lists: Vec<Vec<Node<'t>>>,
    /// For each entry the number of its list, counted from one.
    list_of: Vec<usize>,
}

impl<'t> Gather<'t> {
    /// Below this many names a look through the list beats a hash.
    const SCAN: usize = 16;

    fn new(arena: &'t Bump, expected: usize) -> Self {
        let entries = BumpVec::with_capacity_in(expected, arena);
        Gather { arena, entries, index: FxHashMap::default(), lists: Vec::new(), list_of: Vec::new() }
    }

    fn add(&mut self, name: &'t str, value: Node<'t>) {
        let Some(at) = self.position(name) else {
            if self.entries.len() >= Self::SCAN {
                self.index.insert(name, self.entries.len());
            }
            self.entries.push((name, value));
            return;
        };
        if self.list_of.len() <= at {
            self.list_of.resize(self.entries.len(), 0);
        }
        match self.list_of[at] {
            0 => {
                self.lists.push(vec![self.entries[at].1, value]);
                self.list_of[at] = self.lists.len();
            }
            number => self.lists[number - 1].push(value),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let near = self.entries.iter().take(Self::SCAN).position(|(known, _)| *known == name);
        near.or_else(|| if self.index.is_empty() { None } else { self.index.get(name).copied() })
    }

    fn finish(mut self) -> Node<'t> {
        for (at, number) in self.list_of.iter().enumerate().filter(|(_, number)| **number > 0) {
            self.entries[at].1 = Node::List(self.arena.alloc_slice_copy(&self.lists[number - 1]));
        }
        Node::Map(self.entries.into_bump_slice())
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
    for (name, value) in element.attributes {
        gather.add(name, Node::Text(value));
    }
    for child in element.children {
        gather.add(child.name, simple_node(child, arena));
    }
    if element.children.is_empty() && !element.text.is_empty() {
        gather.add("content", Node::Text(element.text));
    }
    gather.finish()
}
