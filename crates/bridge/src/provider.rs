//! What a provider adds to the engine.

use bumpalo::Bump;

use crate::{
    dialects::DialectId,
    fault::Fault,
    http::{HttpReply, HttpRequest},
    node::Node,
    session::{Login, Session},
};

/// What a provider adds to the engine; one value per account, which holds that account's settings.
pub trait Provider: Send + Sync + 'static {
    /// Writes a call as an HTTP request: envelope, address and credentials.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the arguments cannot be written.
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault>;

    /// Reads a reply's envelope and verdict, and returns what the mapping table reads.
    ///
    /// # Errors
    /// The provider's fault table, or [`Fault::unreadable`].
    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault>;

    /// Whether what a download's head announces is the body that was asked for; every other reply goes to [`Self::reply`], whose
    /// fault is the answer. `head` has no body.
    fn is_body(&self, _operation: &str, head: &HttpReply) -> bool {
        head.is_file()
    }

    /// Whether this account may make a call at all; asked before anything else is done for it.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the operator has not opened the operation.
    fn admit(&self, _operation: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// Which of the account's dialects an operation speaks.
    fn dialect(&self, _operation: &str) -> DialectId {
        DialectId::default()
    }

    /// How sessions are made, for upstreams that have them.
    fn login(&self) -> Option<&dyn Login> {
        None
    }

    /// One harmless read that shows whether the account works: an operation and its arguments.
    fn check(&self) -> (&str, &[(&str, Node<'_>)]);
}

/// One call on its way to the wire; it has no readable form, because a login's arguments are secrets.
pub struct Outgoing<'t> {
    /// The upstream call, as the method names it.
    pub operation: &'t str,
    /// Its arguments in the upstream's words.
    pub arguments: Node<'t>,
    /// The session, if the provider has sessions; not at a login.
    pub session: Option<&'t Session>,
    /// Where a provider may keep what it adds to the arguments.
    pub arena: &'t Bump,
}
