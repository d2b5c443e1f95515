//! How Demo is spoken to: a token in every call, url-encoded forms both ways, and the fault table.

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    problem::Problems,
    wire::form::{self, Entities, Nesting},
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use config::Secret;
use provider::AccountSettings;
use url::Url;

use crate::config::Account;

impl AccountSettings for Account {
    fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn provider(&self) -> Result<Box<dyn Provider>, Problems> {
        Ok(Box::new(Demo { url: self.base_url.url().clone(), token: self.token.clone() }))
    }
}

/// One account at Demo.
struct Demo {
    url: Url,
    token: Secret,
}

impl Provider for Demo {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let mut arguments = BumpVec::new_in(call.arena);
        arguments.push(("command", Node::Text(call.operation)));
        arguments.push(("token", Node::Text(self.token.expose())));
        if let Node::Map(entries) = call.arguments {
            arguments.extend_from_slice(entries);
        }
        let mut body = String::new();
        form::write(&arguments, Nesting::Brackets, &mut body).map_err(Fault::invalid)?;
        Ok(HttpRequest::post(self.url.clone(), "application/x-www-form-urlencoded", body))
    }

    /// `error` is 0 in a reply of success, and 1 with a `text` in a refusal.
    fn reply<'t>(&self, _operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if let Some(fault) = reply.door_fault() {
            return Err(fault);
        }
        let node = form::parse(reply.text_in(arena), Entities::Kept, arena)?;
        let Node::Map(entries) = node else { return Err(Fault::unreadable("the reply is no form")) };
        match node.text_at("error") {
            "0" => {
                let rest = entries.iter().copied().filter(|(key, _)| *key != "error");
                Ok(Node::Map(BumpVec::from_iter_in(rest, arena).into_bump_slice()))
            }
            "1" => Err(refusal(node.text_at("text"))),
            _ => Err(Fault::unreadable("the reply does not say whether there was an error")),
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
