//! What can be wrong with a document.

/// Why a text is not a document that we read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum XmlError {
    /// The text is not well-formed; the words say how, never what it held.
    #[error("not well-formed XML: {0}")]
    Malformed(&'static str),
    /// A document type declaration, the door to entity attacks.
    #[error("XML_DTD_FORBIDDEN: a document type is not accepted")]
    DoctypeForbidden,
    /// A limit was passed.
    #[error("XML has more than {1} {0}")]
    Limit(&'static str, usize),
}
