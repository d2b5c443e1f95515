//! REST: which part of a call goes into the path, the query and the body.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::{
    form::{self, Nesting},
    json,
};
use crate::{
    http::HttpRequest,
    node::{Entry, Node},
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
    /// The query whatever the method; some servers read nothing else on PUT (axxess.md 1).
    Query(Nesting),
    /// As a form in a web page is sent: the query for GET and HEAD, a url-encoded body for the rest.
    Form(Nesting),
}

/// A REST call, ready for headers and sending.
#[derive(Debug)]
pub struct RestCall {
    /// The HTTP method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The body, if the call has one.
    pub body: Option<Body>,
}

/// The body of a REST call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON.
    Json(String),
    /// A url-encoded form.
    Form(String),
}

impl RestCall {
    /// The HTTP request of this call.
    #[must_use]
    pub fn into_request(self) -> HttpRequest {
        let mut headers = HeaderMap::new();
        let (body, media) = match self.body {
            None => (String::new(), None),
            Some(Body::Json(text)) => (text, Some("application/json")),
            Some(Body::Form(text)) => (text, Some("application/x-www-form-urlencoded")),
        };
        headers.extend(media.map(|media| (header::CONTENT_TYPE, HeaderValue::from_static(media))));
        HttpRequest { method: self.method, url: self.url, headers, body: Bytes::from(body) }
    }
}

/// Builds a call from a template such as `GET /customers/{customer_id}`.
///
/// A name in braces is the key of an argument, which becomes exactly one path segment.
///
/// # Errors
/// [`Problems`] naming each path argument that is missing or cannot be one segment, and each argument that the query or
/// the form cannot carry.
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
    let is_bare = matches!(method, Method::GET | Method::HEAD);
    let body = match place {
        Arguments::ByMethod if is_bare || method == Method::DELETE => fill_query(&mut url, rest, Nesting::Repeated)?,
        Arguments::Query(nesting) => fill_query(&mut url, rest, nesting)?,
        Arguments::Form(nesting) if is_bare => fill_query(&mut url, rest, nesting)?,
        Arguments::ByMethod | Arguments::Body => Some(Body::Json(write_json(rest))),
        Arguments::Form(nesting) => Some(Body::Form(write_form(rest, nesting)?)),
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

/// Adds entries to the query, and leaves no body.
fn fill_query<'e>(
    url: &mut Url,
    entries: impl Iterator<Item = &'e Entry<'e>>,
    nesting: Nesting,
) -> Result<Option<Body>, Problems> {
    let mut query = url.query().unwrap_or("").to_owned();
    form::write(entries, nesting, &mut query)?;
    url.set_query(Some(&*query).filter(|query| !query.is_empty()));
    Ok(None)
}

fn write_form<'e>(entries: impl Iterator<Item = &'e Entry<'e>>, nesting: Nesting) -> Result<String, Problems> {
    let mut body = String::with_capacity(256);
    form::write(entries, nesting, &mut body)?;
    Ok(body)
}

fn write_json<'e>(entries: impl Iterator<Item = &'e Entry<'e>>) -> String {
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
        assert_eq!(post.url.path(), "/v1/customers/A%20B");
        assert_eq!(post.body, Some(Body::Json(r#"{"q":"x&y","n":3}"#.to_owned())));
        let get = build(&base(), "GET /a", arguments, Arguments::Body).unwrap();
        assert_eq!(get.body, Some(Body::Json(r#"{"id":"A B","q":"x&y","n":3}"#.to_owned())));
    }

    #[test]
    fn arguments_go_where_the_server_looks() {
        let list = Node::List(&[Node::Text("1"), Node::Text("2")]);
        let arguments = Node::Map(&[("id", Node::Text("A")), ("q", Node::Text("x y")), ("n", list)]);
        let (brackets, repeated) = ("q=x+y&n%5B%5D=1&n%5B%5D=2", "q=x+y&n=1&n=2");
        for (method, place, query, body) in [
            ("GET", Arguments::ByMethod, Some(repeated), None),
            ("DELETE", Arguments::ByMethod, Some(repeated), None),
            ("PUT", Arguments::Query(Nesting::Brackets), Some(brackets), None),
            ("POST", Arguments::Query(Nesting::Repeated), Some(repeated), None),
            ("GET", Arguments::Form(Nesting::Brackets), Some(brackets), None),
            ("POST", Arguments::Form(Nesting::Brackets), None, Some(brackets)),
            ("DELETE", Arguments::Form(Nesting::Repeated), None, Some(repeated)),
        ] {
            let call = build(&base(), &format!("{method} /a/{{id}}"), arguments, place).unwrap();
            let case = format!("{method} {place:?}");
            assert_eq!((call.url.path(), call.url.query()), ("/v1/a/A", query), "{case}");
            assert_eq!(call.body, body.map(|text| Body::Form(text.to_owned())), "{case}");
            let request = call.into_request();
            let media = request.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
            assert_eq!(media, body.map(|_| &b"application/x-www-form-urlencoded"[..]), "{case}");
        }
    }

    #[test]
    fn a_nested_value_is_never_dropped_from_a_query() {
        let nested = Node::Map(&[("b", Node::Text("1"))]);
        for value in [nested, Node::List(&[nested]), Node::List(&[Node::List(&[Node::Text("1")])])] {
            let arguments = [("a", value)];
            let problems = build(&base(), "GET /x", Node::Map(&arguments), Arguments::ByMethod).unwrap_err();
            assert_eq!(problems.0[0].field, "a", "{value:?}");
            let all = Arguments::Query(Nesting::Brackets);
            assert!(build(&base(), "GET /x", Node::Map(&arguments), all).is_ok(), "{value:?}");
        }
        let base = Url::parse("https://api.example.com/v1?key=k").unwrap();
        let call = build(&base, "GET /x", Node::Map(&[("a", Node::Text("1"))]), Arguments::ByMethod).unwrap();
        assert_eq!(call.url.query(), Some("key=k&a=1"));
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
