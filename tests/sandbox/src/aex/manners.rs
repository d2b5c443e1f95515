//! The framework's manners: three shapes of `errors`, and HTML for a caller that does not ask for JSON.

use http::header::LOCATION;
use serde_json::{Value, json};

use crate::call::{Call, Reply};

pub(crate) fn errors(code: u16, errors: &Value) -> Reply {
    Reply::json(code, &json!({ "code": code, "errors": errors }))
}

pub(crate) fn invalid(fields: &[&str], complaint: &str) -> Reply {
    let errors: serde_json::Map<String, Value> =
        fields.iter().map(|name| ((*name).to_owned(), json!([complaint]))).collect();
    let full: Vec<String> = fields.iter().map(|name| format!("{name} {complaint}")).collect();
    Reply::json(400, &json!({ "code": 400, "errors": errors, "full_errors": full }))
}

pub(crate) fn unauthenticated(call: &Call) -> Reply {
    if wants_json(call) {
        return errors(401, &json!(["Not Authenticated"]));
    }
    Reply::html(302, "").with(LOCATION, "/auth/login")
}

pub(crate) fn wants_json(call: &Call) -> bool {
    let accept = call.header("accept").unwrap_or("*/*");
    accept.contains("application/json") || accept.trim() == "*/*"
}

pub(crate) fn page(reply: &Reply) -> Reply {
    let status = if reply.status == 201 { 302 } else { reply.status };
    let mut page = Reply::html(status, "<!DOCTYPE html>\n<html><head><title>AEx</title></head><body></body></html>\n");
    if let Some(location) = reply.headers.get(LOCATION) {
        page.headers.insert(LOCATION, location.clone());
    }
    page
}
