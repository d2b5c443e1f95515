//! Why tables cannot be built.

/// Why tables cannot be built; the text names the section and the field, or the RPC.
#[derive(Debug, thiserror::Error)]
#[error("vocabulary: {0}")]
pub struct TableError(pub(super) String);
