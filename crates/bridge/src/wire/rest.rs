//! REST: which part of a call goes into the path, the query and the body.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::json;
use crate::{
    http::HttpRequest,
    node::Node,
    problem::{Problem, Problems},
};

/// Longest path parameter in bytes.
const MAX_SEGMENT: usize = 1024;

/// Where the arguments go that are not in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// The query for GET, HEAD and DELETE, a JSON body for the rest.
    ByMethod,
    /// A JSON body whatever the method; some servers want one on GET and DELETE (azotel.md 2.6).
    Body,
}

/// A REST call, ready for headers and sending.
#[derive(Debug)]
pub struct RestCall {
    /// The HTTP method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The JSON body, if the call has one.
    pub body: Option<String>,
}

impl RestCall {
    /// The HTTP request of this call.
    #[must_use]
    pub fn into_request(self) -> HttpRequest {
        let mut request = HttpRequest {
            method: self.method,
            url: self.url,
            headers: HeaderMap::new(),
            body: self.body.map(Bytes::from).unwrap_or_default(),
        };
        if !request.body.is_empty() {
            request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
    }
}

/// Builds a call from a template such as `GET /customers/{customer_id}`.
///
/// A name in braces is the key of an argument, which becomes exactly one path segment.
///
/// # Errors
/// [`Problems`] naming each path argument that is missing or cannot be one segment.
///
/// # Panics
/// If `template` has no method or `base` cannot have a path: both are fixed when the program is written
/// or its configuration is read.
pub fn build(base: &Url, template: &str, node: Node<'_>, place: Arguments) -> Result<RestCall, Problems> {
    let (method, path) = template.split_once(' ').expect("a template is METHOD /path");
    let method: Method = method.parse().expect("a template starts with an HTTP method");
    let entries = if let Node::Map(entries) = node { entries } else { &[] };
    let mut url = base.clone();
    let in_path = fill_path(&mut url, path, entries)?;
    let rest = entries.iter().filter(|(key, _)| !in_path.contains(key));
    let in_query = place == Arguments::ByMethod && matches!(method, Method::GET | Method::HEAD | Method::DELETE);
    let body = if in_query {
        fill_query(&mut url, rest);
        None
    } else {
        Some(write_body(rest))
    };
    Ok(RestCall { method, url, body })
}

fn fill_path<'p>(url: &mut Url, path: &'p str, entries: &[(&str, Node<'_>)]) -> Result<Vec<&'p str>, Problems> {
    let mut used = Vec::new();
    let mut problems = Vec::new();
    let mut segments = url.path_segments_mut().expect("an http address has a path");
    segments.pop_if_empty();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let Some(key) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            segments.push(segment);
            continue;
        };
        used.push(key);
        let value = entries.iter().find(|(name, _)| *name == key).and_then(|(_, value)| value.scalar()).unwrap_or("");
        match unfit(value) {
            Some(why) => problems.push(Problem::new(key, why)),
            None => {
                segments.push(value);
            }
        }
    }
    if problems.is_empty() { Ok(used) } else { Err(Problems(problems)) }
}

/// Why a value cannot be one path segment: servers and proxies resolve dots and decode slashes, and the
/// address parser drops line breaks without a word (reliability.md B.4).
fn unfit(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is required");
    }
    if value.len() > MAX_SEGMENT {
        return Some("is longer than 1024 bytes");
    }
    if matches!(value, "." | "..") {
        return Some("must not be a dot segment");
    }
    if value.contains(['/', '\\']) {
        return Some("must not contain a slash");
    }
    // Some servers decode twice.
    let lower = value.to_ascii_lowercase();
    if ["%2f", "%5c", "%2e"].iter().any(|escape| lower.contains(escape)) {
        return Some("must not contain an encoded slash or dot");
    }
    value.chars().any(char::is_control).then_some("must not contain control characters")
}

fn fill_query<'e>(url: &mut Url, entries: impl Iterator<Item = &'e (&'e str, Node<'e>)>) {
    let mut query = url.query_pairs_mut();
    for (key, value) in entries {
        let lone = [*value];
        let items = if let Node::List(items) = value { items } else { &lone[..] };
        query.extend_pairs(items.iter().filter_map(Node::scalar).map(|item| (key, item)));
    }
    drop(query);
    if url.query() == Some("") {
        url.set_query(None);
    }
}

fn write_body<'e>(entries: impl Iterator<Item = &'e (&'e str, Node<'e>)>) -> String {
    let rest: Vec<_> = entries.copied().collect();
    let mut body = String::with_capacity(256);
    json::write(Node::Map(&rest), &mut body);
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base() -> Url {
        Url::parse("https://api.example.com/v1/").unwrap()
    }

    #[test]
    fn fills_path_query_and_body() {
        let arguments = Node::Map(&[("id", Node::Text("A B")), ("q", Node::Text("x&y")), ("n", Node::Number("3"))]);
        let get = build(&base(), "GET /customers/{id}", arguments, Arguments::ByMethod).unwrap();
        assert_eq!(get.url.as_str(), "https://api.example.com/v1/customers/A%20B?q=x%26y&n=3");
        assert_eq!(get.body, None);
        let post = build(&base(), "POST /customers/{id}", arguments, Arguments::ByMethod).unwrap();
        assert_eq!((post.url.path(), post.body.as_deref()), ("/v1/customers/A%20B", Some(r#"{"q":"x&y","n":3}"#)));
        let get = build(&base(), "GET /a", arguments, Arguments::Body).unwrap();
        assert_eq!(get.body.as_deref(), Some(r#"{"id":"A B","q":"x&y","n":3}"#));
    }

    #[test]
    fn no_arguments_leave_no_question_mark() {
        let call = build(&base(), "GET /ping", Node::Map(&[]), Arguments::ByMethod).unwrap();
        assert_eq!(call.url.as_str(), "https://api.example.com/v1/ping");
    }

    #[test]
    fn every_unfit_segment_is_named() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\rb", "a\tb", "a%2Fb", "%2e%2e", &"x".repeat(1025)] {
            let arguments = [("id", Node::Text(bad))];
            let problems =
                build(&base(), "GET /x/{id}/y/{other}", Node::Map(&arguments), Arguments::ByMethod).unwrap_err();
            let fields: Vec<_> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(fields, ["id", "other"], "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_argument_is_one_segment_or_refused(value in ".*") {
            let arguments = [("id", Node::Text(&value))];
            if let Ok(call) = build(&base(), "GET /x/{id}/y", Node::Map(&arguments), Arguments::ByMethod) {
                prop_assert_eq!(call.url.origin(), base().origin());
                prop_assert_eq!(call.url.path_segments().unwrap().count(), 4);
                prop_assert!(call.url.path().ends_with("/y") && call.url.query().is_none() && call.url.fragment().is_none());
            }
        }
    }
}
