//! A status as Connect writes it: JSON with a code in words, and the HTTP status that goes with it.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderValue, Response, StatusCode, header};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protocol::Body;
use serde_json::{Map, Value, json};
use tonic::{Code, Status};
use tonic_types::pb;

use crate::answer::{Answer, Outcome};

/// The messages of `google.rpc`, of which all details of the suite are.
static DETAILS: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("tonic-types has its own descriptors"));

/// The whole answer to a unary call that failed.
pub(crate) fn response(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::from(json(status).to_string()));
    *response.status_mut() = http_status(status.code());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The error as an object.
pub(crate) fn json(status: &Status) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), name(status.code()).into());
    if !status.message().is_empty() {
        error.insert("message".to_owned(), status.message().into());
    }
    let details = pb::Status::decode(status.details()).unwrap_or_default().details;
    if !details.is_empty() {
        error.insert("details".to_owned(), details.iter().map(detail).collect());
    }
    error.into()
}

fn detail(any: &prost_types::Any) -> Value {
    let name = any.type_url.rsplit_once('/').map_or(&*any.type_url, |(_, name)| name);
    let mut detail = json!({ "type": name, "value": STANDARD_NO_PAD.encode(&any.value) });
    let debug = DETAILS.get_message_by_name(name);
    let debug = debug.and_then(|descriptor| DynamicMessage::decode(descriptor, any.value.as_slice()).ok());
    if let Some(debug) = debug.and_then(|message| serde_json::to_value(message).ok()) {
        detail["debug"] = debug;
    }
    detail
}

/// The code in Connect's words.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "canceled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

/// The HTTP status of a code (Connect protocol, "Error codes").
fn http_status(code: Code) -> StatusCode {
    let number = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer to an HTTP method that is not taken here, with those that are.
pub(crate) fn not_allowed(text: &str, allowed: &'static str) -> Box<Response<Body>> {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// What is no call at all, in the form of Connect's errors.
pub(crate) fn refusal(status: StatusCode, text: &str) -> Box<Response<Body>> {
    let (code, reason) = match status {
        StatusCode::NOT_FOUND => (Code::Unimplemented, "METHOD_UNKNOWN"),
        StatusCode::METHOD_NOT_ALLOWED => (Code::Unknown, "HTTP_METHOD"),
        _ => (Code::Unknown, "CONTENT_TYPE"),
    };
    let answer = Answer::new(code, reason, text).outcome(Outcome::NotSent);
    let mut response = response(&answer.status());
    *response.status_mut() = status;
    Box::new(response)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    #[test]
    fn details_are_readable_and_decodable() {
        let metadata = HashMap::from([("outcome".to_owned(), "REJECTED".to_owned())]);
        let details = ErrorDetails::with_error_info("NOT_FOUND", "aex.ispbridge", metadata);
        let status = Status::with_error_details(Code::NotFound, "no such customer", details);
        let error = json(&status);
        assert_eq!((&error["code"], &error["message"]), (&json!("not_found"), &json!("no such customer")));
        let detail = &error["details"][0];
        assert_eq!(detail["type"], "google.rpc.ErrorInfo");
        assert_eq!(detail["debug"]["metadata"]["outcome"], "REJECTED");
        let value = STANDARD_NO_PAD.decode(detail["value"].as_str().unwrap()).unwrap();
        assert_eq!(pb::ErrorInfo::decode(&*value).unwrap().reason, "NOT_FOUND");
    }

    #[test]
    fn an_unknown_detail_has_no_debug_form() {
        let any = prost_types::Any { type_url: "type.googleapis.com/a.B".to_owned(), value: vec![1] };
        assert_eq!(detail(&any), json!({ "type": "a.B", "value": "AQ" }));
    }

    #[test]
    fn every_code_has_the_status_of_the_protocol() {
        let expected = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
        let found: Vec<_> = (0..17).map(|code| http_status(Code::from_i32(code)).as_u16()).collect();
        assert_eq!(found, expected);
    }
}
