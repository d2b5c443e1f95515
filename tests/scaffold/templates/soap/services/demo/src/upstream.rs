//! How Demo is spoken to: a token in every call, SOAP, and the fault table.

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    problem::Problems,
    wire::{
        self,
        soap::{self, Escapes, Style},
    },
    xml::document::Limits,
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use config::Secret;
use provider::AccountSettings;
use url::Url;

use crate::config::Account;

/// The namespace of Demo's functions.
const NAMESPACE: &str = "urn:Demo";

impl AccountSettings for Account {
    fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn provider(&self) -> Result<Box<dyn Provider>, Problems> {
        let (url, token) = (self.base_url.url().clone(), self.token.clone());
        Ok(Box::new(Demo { url, token, limits: Limits::within(self.transport.max_reply_bytes) }))
    }
}

/// One account at Demo.
struct Demo {
    url: Url,
    token: Secret,
    limits: Limits,
}

impl Provider for Demo {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let mut arguments = BumpVec::new_in(call.arena);
        arguments.push(("token", Node::Text(self.token.expose())));
        if let Node::Map(entries) = call.arguments {
            arguments.extend_from_slice(entries);
        }
        let body = soap::write_call(call.operation, NAMESPACE, Style::Struct, Node::Map(&arguments));
        soap::post(self.url.clone(), &format!("{NAMESPACE}#{}", call.operation), body)
    }

    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let envelope = soap::parse_reply(reply.text_in(arena), operation, Escapes::Once, &self.limits, arena);
        match wire::answered(reply, envelope, |said| said.into())? {
            node @ Node::Map(_) => Ok(node),
            Node::Text(text) if !text.is_empty() => Err(refusal(text)),
            _ => Err(Fault::unreadable("the result is neither a struct nor a text")),
        }
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("ping", &[])
    }
}

/// The fault table: Demo's words -> ours.
fn refusal(text: &str) -> Fault {
    match text {
        "access denied" => Fault::upstream_auth(text),
        "no such customer" => Fault::rejected(Kind::NotFound, "NOT_FOUND", text),
        "already taken" => Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text),
        "name is required" => Fault::rejected(Kind::InvalidArgument, "UPSTREAM_VALIDATION", text),
        _ => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", text),
    }
}
