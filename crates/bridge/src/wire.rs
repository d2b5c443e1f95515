//! The wires: each turns a neutral tree into an HTTP body and a reply's body into a tree.

pub mod form;
pub mod json;
mod names;
mod protocol_fault;
pub mod rest;
pub mod soap;
pub mod xml_rpc;

use names::{Gather, LastOfEach};
pub use protocol_fault::ProtocolFault;

use bumpalo::Bump;
use http::StatusCode;

use crate::{
    binary,
    fault::Fault,
    http::{HttpReply, MAX_REPLY_BYTES},
    node::Node,
    xml::{
        charset::{ILLEGAL, decode_base64_text},
        document::Element,
        error::XmlError,
    },
};

/// What a reply's envelope says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Envelope<'t> {
    /// The called function answered with a value.
    Value(Node<'t>),
    /// The server answered with a fault of its protocol.
    Fault(ProtocolFault<'t>),
}

/// Why a reply's body is not what its wire says it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    /// The XML cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A limit was passed.
    #[error("the reply has more than {1} {0}")]
    Limit(&'static str, usize),
    /// The JSON cannot be read; the words never quote the body.
    #[error("not JSON: {0}")]
    Json(String),
    /// The document is of another kind than the wire's.
    #[error("not a reply of this wire: {0}")]
    Envelope(&'static str),
}

/// A reply that passes a limit is too large; how many elements and values it may have follows from how many bytes.
impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Limit(what, most) | WireError::Xml(XmlError::Limit(what, most)) => {
                let follows = matches!(what, "elements" | "values");
                Fault::too_large(
                    if follows { MAX_REPLY_BYTES } else { what },
                    format_args!("has more than {most} {what}"),
                )
            }
            _ => Fault::unreadable(error),
        }
    }
}

impl From<XmlError> for Fault {
    fn from(error: XmlError) -> Self {
        WireError::from(error).into()
    }
}

/// What a reply of SOAP or XML-RPC answers. Faults come with status 500, and with 400 if they are of SOAP 1.2 and blame the
/// caller (its part 2, 7.5.2.2), so with these two the body is asked first. Any other failure is what its status says.
///
/// # Errors
/// What `meaning` makes of the protocol's fault, what the status says, or [`Fault::unreadable`].
pub fn answered<'t>(
    reply: &HttpReply,
    envelope: Result<Envelope<'t>, WireError>,
    meaning: fn(ProtocolFault<'_>) -> Fault,
) -> Result<Node<'t>, Fault> {
    let Some(by_status) = reply.door_fault() else {
        return match envelope? {
            Envelope::Value(node) => Ok(node),
            Envelope::Fault(said) => Err(meaning(said)),
        };
    };
    let body_decides = matches!(reply.status.as_u16(), 400 | 500);
    Err(match envelope {
        Ok(Envelope::Fault(said)) if body_decides => meaning(said),
        Ok(Envelope::Fault(said)) => {
            by_status.with_upstream_code(said.code).with_upstream_message(said.words()).of_function()
        }
        Ok(Envelope::Value(_)) if body_decides => Fault::server("a value with a status of failure"),
        // Half a fault may be one that leaves the outcome open.
        Err(error) if reply.status == StatusCode::BAD_REQUEST && reply.is_xml() => error.into(),
        _ => by_status,
    })
}

/// The text of a base64 value; `None` if it is none.
fn base64_text<'t>(text: &str, arena: &'t Bump) -> Option<&'t str> {
    binary::decode(text).map(|bytes| &*arena.alloc_str(&decode_base64_text(bytes)))
}

/// The value of a base64 text.
fn base64_node<'t>(text: &'t str, arena: &'t Bump) -> Node<'t> {
    base64_text(text, arena).map_or(Node::Unreadable(text), Node::Text)
}

/// The value of a text; one that holds bytes that are no text cannot be read.
fn text_node(text: &str) -> Node<'_> {
    if text.contains(ILLEGAL) { Node::Unreadable(text) } else { Node::Text(text) }
}

/// The tree of an XML::Simple element: attributes and children are named values, a leaf is its text,
/// and text beside attributes stands under `content`, as XML::Simple itself reads it.
#[must_use]
pub fn simple_node<'t>(element: &Element<'t>, arena: &'t Bump) -> Node<'t> {
    if element.attributes.is_empty() && element.children.is_empty() {
        return text_node(element.text);
    }
    let mut gather = Gather::new(arena, element.attributes.len() + element.children.len());
    for (name, value) in element.attributes {
        gather.add(name, text_node(value));
    }
    for child in element.children {
        gather.add(child.name, simple_node(child, arena));
    }
    if element.children.is_empty() && !element.text.is_empty() {
        gather.add("content", text_node(element.text));
    }
    gather.finish()
}
