//! How AEx is spoken to: bearer token, JSON, and the fault table.

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    problem::{Problem, Problems},
    wire::rest::{self, Arguments},
};
use bumpalo::Bump;
use http::{HeaderValue, StatusCode, header};
use provider::AccountSettings;
use url::Url;

use crate::config::Account;

/// The upstream call whose 401 does not say that the token is bad (AEx ISP Flow, step 5: "currently only returns
/// Unauthorized on failure").
pub(crate) const CREATE_SERVICE: &str = "POST /services/full";
/// The upstream call whose 201 has no body (AEx ISP Flow, step 1); that of an order has one, which may be cut off.
pub(crate) const CREATE_CUSTOMER: &str = "POST /customers";

impl AccountSettings for Account {
    fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn provider(&self) -> Result<Box<dyn Provider>, Problems> {
        let bearer = format!("Bearer {}", self.token.expose());
        let mut authorization = HeaderValue::try_from(bearer)
            .map_err(|_| Problems::one("token", "must hold only characters that a header can carry"))?;
        authorization.set_sensitive(true);
        Ok(Box::new(Aex { base: self.base_url.url().clone(), authorization }))
    }
}

/// One account at AEx.
struct Aex {
    base: Url,
    authorization: HeaderValue,
}

impl Aex {
    /// A new customer is answered without a body; its id is the end of `Location` (the source of EagerELK/ditty). A body in
    /// its place is another answer than the one that is known to mean success.
    fn created<'t>(&self, reply: &HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let collection = rest::build(&self.base, CREATE_CUSTOMER, Node::Map(&[]), Arguments::ByMethod);
        let id = reply.created_id(&collection.map_err(Fault::unreadable)?.url);
        if id.is_none() && !reply.body.is_empty() {
            return Err(Fault::unreadable("a body and no Location where a new customer's id was expected"));
        }
        let id = id.map(|id| ("customer_id", Node::Text(arena.alloc_str(&id))));
        Ok(Node::Map(arena.alloc_slice_fill_iter(id.into_iter().collect::<Vec<_>>())))
    }
}

impl Provider for Aex {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let built =
            rest::build(&self.base, call.operation, call.arguments, Arguments::ByMethod).map_err(Fault::invalid)?;
        // Without this AEx answers HTML, and a redirect instead of 401 (the source of EagerELK/ditty).
        Ok(built
            .into_request()
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .with_header(header::AUTHORIZATION, self.authorization.clone()))
    }

    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if !reply.status.is_success() {
            return Err(fault(operation, reply, arena));
        }
        if let Some(fault) = reply.status_fault() {
            return Err(fault);
        }
        if operation == CREATE_CUSTOMER && reply.status == StatusCode::CREATED {
            return self.created(reply, arena);
        }
        let node = reply.json(arena)?;
        match node {
            Node::Map(_) => Ok(in_envelope(operation, node, arena)),
            _ => Err(Fault::unreadable("the reply is not a JSON object")),
        }
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("GET /customers", &[("q", Node::Text("ispbridge-account-check")), ("count", Node::Number("1"))])
    }
}

/// AEx ISP Flow prints one bare customer where the framework gives a list; both are read as a list.
fn in_envelope<'t>(operation: &str, node: Node<'t>, arena: &'t Bump) -> Node<'t> {
    if operation != "GET /customers" || node.get("items").is_some() || node.get("id").is_none() {
        return node;
    }
    let items = Node::List(arena.alloc_slice_copy(&[node]));
    Node::Map(arena.alloc_slice_copy(&[("items", items)]))
}

/// The fault table: AEx's status and words -> ours.
fn fault<'t>(operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Fault {
    let status = reply.status.as_u16();
    let by_status = || reply.status_fault().unwrap_or_else(|| Fault::unreadable("an unexpected status"));
    let Ok(body) = reply.json(arena) else {
        return reply.door_fault().unwrap_or_else(by_status);
    };
    let errors = body.get("errors").unwrap_or(Node::Null);
    let text = words(body);
    let fault = match status {
        400 | 422 if text.contains("is already taken") => Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", &text),
        400 | 422 if !violations(errors).is_empty() => {
            Fault::rejected(Kind::InvalidArgument, "UPSTREAM_VALIDATION", &text)
        }
        400 | 422 => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", &text),
        401 if operation == CREATE_SERVICE => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", &text),
        403 => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_FORBIDDEN", &text),
        _ => by_status().with_upstream_message(&text),
    };
    fault.with_violations(violations(errors)).with_upstream_code(&status.to_string()).with_http_status(status)
}

/// `full_errors` if there are any, else `errors` in whichever of its three shapes: texts, field -> texts,
/// field -> text.
fn words(body: Node<'_>) -> String {
    let list = |node: Node<'_>| match violations(node) {
        fields if fields.is_empty() => texts(node).join("; "),
        fields => {
            fields.iter().map(|problem| format!("{} {}", problem.field, problem.text)).collect::<Vec<_>>().join("; ")
        }
    };
    let full = body.get("full_errors").map(list).filter(|text| !text.is_empty());
    full.unwrap_or_else(|| body.get("errors").map(list).unwrap_or_default())
}

fn violations(errors: Node<'_>) -> Vec<Problem> {
    let Node::Map(fields) = errors else { return Vec::new() };
    if errors.numbered().is_some() {
        return Vec::new();
    }
    fields.iter().map(|(field, value)| Problem::new(*field, texts(*value).join(", "))).collect()
}

/// The texts of a list, also of one that came as a map of numbers, or the one text.
fn texts(node: Node<'_>) -> Vec<&str> {
    match (node, node.numbered()) {
        (Node::List(items), _) => items.iter().filter_map(Node::scalar).collect(),
        (_, Some(entries)) => entries.iter().filter_map(|(_, text)| text.scalar()).collect(),
        (lone, None) => lone.scalar().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cut_of_a_recorded_reply_is_a_success() {
        let account =
            Aex { base: "https://aex.example.com/".parse().unwrap(), authorization: HeaderValue::from_static("x") };
        for recording in playback::recordings(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")) {
            for body in recording.cuts() {
                let (status, headers) = (recording.status, recording.headers.clone());
                let (reply, arena) = (HttpReply { status, headers, body: body.to_vec() }, Bump::new());
                let said = account.reply(CREATE_SERVICE, &reply, &arena);
                assert!(said.is_err(), "{} cut at {}: {said:?}", recording.name, body.len());
            }
        }
    }
}
