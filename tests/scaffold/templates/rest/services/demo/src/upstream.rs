//! How Demo is spoken to: bearer token, JSON, and the fault table.

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    problem::Problems,
    wire::rest::{self, Arguments},
};
use bumpalo::Bump;
use http::{HeaderValue, header};
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
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", self.token.expose()))
            .map_err(|_| Problems::one("token", "must hold only characters that a header can carry"))?;
        authorization.set_sensitive(true);
        Ok(Box::new(Demo { base: self.base_url.url().clone(), authorization }))
    }
}

/// One account at Demo.
struct Demo {
    base: Url,
    authorization: HeaderValue,
}

impl Provider for Demo {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let built =
            rest::build(&self.base, call.operation, call.arguments, Arguments::ByMethod).map_err(Fault::invalid)?;
        Ok(built.into_request().with_header(header::AUTHORIZATION, self.authorization.clone()))
    }

    fn reply<'t>(&self, _operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if !reply.status.is_success() {
            return Err(fault(reply, arena));
        }
        if let Some(fault) = reply.status_fault() {
            return Err(fault);
        }
        match reply.json(arena)? {
            node @ Node::Map(_) => Ok(node),
            _ => Err(Fault::unreadable("the reply is not a JSON object")),
        }
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("GET /ping", &[])
    }
}

/// The fault table: Demo's status and words -> ours.
fn fault<'t>(reply: &'t HttpReply, arena: &'t Bump) -> Fault {
    let by_status = || reply.status_fault().unwrap_or_else(|| Fault::unreadable("an unexpected status"));
    let Ok(body) = reply.json(arena) else {
        return reply.door_fault().unwrap_or_else(by_status);
    };
    let (status, text) = (reply.status.as_u16(), body.text_at("error"));
    let fault = match status {
        409 => Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text),
        422 => Fault::rejected(Kind::InvalidArgument, "UPSTREAM_VALIDATION", text),
        _ => by_status().with_upstream_message(text),
    };
    fault.with_http_status(status)
}
