//! Builds an OpenAPI 3.1 document of everything that can be called with JSON, from the services' descriptors.

mod comments;
mod fields;
mod kinds;
mod schemas;

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use protocol::headers;
use serde_json::{Map, Value, json};

use self::schemas::Schemas;

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";

const ABOUT: &str = "One typed API per supplier. Every method is a POST of one JSON object (proto3 JSON: 64-bit integers \
    are strings, absent fields are left out, unknown ones refused); the same calls can be made with gRPC, gRPC-Web and the \
    Connect protocol. An error carries one `google.rpc.ErrorInfo` whose metadata `outcome` says whether the call took effect: \
    NOT_SENT, REJECTED or UNKNOWN.";

/// The document of the methods for which `shown` holds, by their full names, with only the messages they need. Each provider has
/// a pool of its own, which is dropped before the next: together they may be large.
pub(crate) fn document(pools: impl IntoIterator<Item = DescriptorPool>, shown: impl Fn(&str) -> bool) -> Value {
    let (mut tags, mut paths, mut forms) = (Map::new(), Map::new(), schemas::common());
    for pool in pools {
        let mut schemas = Schemas::new(&pool);
        for service in pool.services().filter(|one| one.full_name().starts_with("ispbridge.")) {
            let methods: Vec<_> = service.methods().filter(|method| shown(&path(method)[1..])).collect();
            if !methods.is_empty() {
                tags.insert(service.full_name().to_owned(), tag(&service, &mut schemas));
            }
            for method in methods.iter().filter(|one| !one.is_client_streaming() && !one.is_server_streaming()) {
                paths.insert(path(method), json!({ "post": operation(method, &mut schemas) }));
            }
        }
        forms.extend(schemas.finish());
    }
    for map in [&mut tags, &mut paths, &mut forms] {
        map.sort_keys();
    }
    let tags: Vec<_> = tags.into_iter().map(|(_, tag)| tag).collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "ispbridge", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "security": [{ "apiKey": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": forms,
            "parameters": { "account": account(), "timeout": timeout(), "requestId": request_id() },
            "responses": { "Error": error_response() },
            "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": headers::API_KEY.as_str() },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

/// Lists the providers that have not described themselves yet, so that the document is not taken for complete.
pub(crate) fn name_missing(document: &mut Value, providers: &BTreeSet<String>) {
    if providers.is_empty() {
        return;
    }
    let names = providers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let about = format!("{ABOUT}\n\nNot described yet, and missing here: {names}. Ask again when they are up.");
    document["info"]["description"] = about.into();
    document["x-not-described"] = providers.iter().map(String::as_str).collect();
}

/// Where a method is called: a slash and its full name.
fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn tag(service: &ServiceDescriptor, schemas: &mut Schemas) -> Value {
    let mut tag = json!({ "name": service.full_name() });
    if let Some(comment) = schemas.comment(&service.parent_file(), service.path()) {
        tag["description"] = comment.into();
    }
    tag
}

fn operation(method: &MethodDescriptor, schemas: &mut Schemas) -> Value {
    let service = method.parent_service();
    let parameter = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let body = |schema: Value| json!({ "application/json": { "schema": schema } });
    let mut operation = json!({
        "operationId": format!("{}.{}", service.full_name(), method.name()),
        "tags": [service.full_name()],
        "parameters": [parameter("account"), parameter("timeout"), parameter("requestId")],
        "requestBody": { "required": true, "content": body(schemas.request(&method.input())) },
        "responses": {
            "200": { "description": "The call succeeded.", "content": body(schemas.reply(&method.output())) },
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    if let Some(comment) = schemas.comment(&method.parent_file(), method.path()) {
        operation["summary"] = comment.split_once(". ").map_or(&*comment, |(first, _)| first).into();
        operation["description"] = comment.into();
    }
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    if options.deprecated() {
        operation["deprecated"] = true.into();
    }
    operation["x-idempotency-level"] = options.idempotency_level().as_str_name().into();
    if let Some(probe) = schemas.options().probe(method) {
        operation["x-probe"] = probe.into();
    }
    operation
}

fn account() -> Value {
    json!({
        "name": headers::ACCOUNT.as_str(), "in": "header", "schema": { "type": "string" },
        "description": "Alias of the upstream account; may be left out by whom exactly one is granted.",
    })
}

fn timeout() -> Value {
    json!({
        "name": headers::CONNECT_TIMEOUT.as_str(), "in": "header", "schema": { "type": "integer", "minimum": 0 },
        "description": "Milliseconds until the answer must be there.",
    })
}

fn request_id() -> Value {
    json!({
        "name": headers::REQUEST_ID.as_str(), "in": "header", "schema": { "type": "string", "maxLength": 128 },
        "description": "Names the call in logs; made when absent, returned always.",
    })
}

fn error_response() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/connect.Error" });
    json!({ "description": "The call failed.", "content": { "application/json": { "schema": schema } } })
}

#[cfg(test)]
#[path = "openapi/tests.rs"]
mod tests;
