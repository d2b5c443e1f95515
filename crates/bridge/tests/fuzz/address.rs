//! What becomes an address or a header: path segments, base addresses, Retry-After.

use std::time::Duration;

use bridge::{
    fault::{Fault, Kind, Outcome},
    http::{BaseUrl, HttpReply},
    node::Node,
    wire::rest::{self, Arguments},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use proptest::{prop_assert, prop_assert_eq};
use tonic::Status;
use tonic_types::StatusExt;
use url::Url;

use super::{Verdict, corpus, run};

const WORDS: &[&str] = &[
    "/",
    "\\",
    ".",
    "..",
    "%2e",
    "%2F",
    "%5c",
    "%00",
    "?",
    "#",
    ";",
    "@",
    ":",
    "//",
    "\r\n",
    "\t",
    "&",
    "=",
    "+",
    " ",
    "é",
    "\u{202e}",
    "http:",
    "https://",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "user:pw@",
];

/// An argument is one segment that reads back as it was, or is refused by its name.
fn segment(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    let base = Url::parse("https://api.example.com/v1/").expect("an address");
    let entries = [("id", Node::Text(text)), ("other", Node::Text(text))];
    match rest::build(&base, "GET /x/{id}/y", Node::Map(&entries), Arguments::ByMethod) {
        Err(problems) => prop_assert!(problems.0.iter().all(|problem| problem.field == "id")),
        Ok(call) => {
            prop_assert_eq!(call.url.origin(), base.origin());
            let again = Url::parse(call.url.as_str()).expect("an address");
            prop_assert_eq!(&again, &call.url);
            let segments: Vec<_> = again.path_segments().expect("a path").collect();
            prop_assert_eq!((segments.len(), segments[0], segments[1], segments[3]), (4, "v1", "x", "y"));
            prop_assert_eq!(unescaped(segments[2]), bytes);
            let query: Vec<_> = again.query_pairs().collect();
            prop_assert_eq!((query.len(), &*query[0].0, &*query[0].1), (1, "other", text));
            prop_assert!(again.fragment().is_none() && again.username().is_empty());
        }
    }
    Ok(())
}

/// The bytes of an encoded segment (RFC 3986, 2.1), by a reader of the test's own.
fn unescaped(segment: &str) -> Vec<u8> {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

fn base_url(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    if let Ok(base) = BaseUrl::try_from(text.to_owned()) {
        let url = base.url();
        prop_assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{url}");
        prop_assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        prop_assert!(url.query().is_none() && url.fragment().is_none() && !url.cannot_be_a_base(), "{url}");
    }
    Ok(())
}

fn retry_after(bytes: &[u8]) -> Verdict {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return Ok(()) };
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
    let reply = HttpReply { status: StatusCode::TOO_MANY_REQUESTS, headers, body: Vec::new() };
    let found = reply.retry_after();
    let text = std::str::from_utf8(bytes.trim_ascii()).unwrap_or("");
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        prop_assert_eq!(found, text.parse().ok().map(Duration::from_secs));
    } else if !text.contains("GMT") && !text.contains(':') {
        prop_assert_eq!(found, None);
    }
    let fault = Fault::new(Kind::ResourceExhausted, Outcome::Rejected, "X", "x").with_retry_after(found);
    let told = Status::from(fault).get_details_retry_info().and_then(|info| info.retry_delay);
    prop_assert_eq!(told, found.map(|delay| delay.min(Duration::from_secs(86_400))));
    Ok(())
}

#[test]
fn no_argument_leaves_its_segment() {
    run(corpus("segment"), WORDS, segment);
}

#[test]
fn no_base_address_is_too_odd() {
    run(corpus("base-url"), WORDS, base_url);
}

#[test]
fn no_retry_after_is_too_odd() {
    const WORDS: &[&str] =
        &["0", "9", "99999999999999999999", "-", "+", ".", " ", ":", ",", "GMT", "Feb", "9999", "+0000"];
    run(corpus("retry-after"), WORDS, retry_after);
}
