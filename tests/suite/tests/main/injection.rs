//! A caller's text is never markup: every text of every request of every provider, as other readers find it upstream.
//!
//! Each message is sent twice, with plain words and with texts that mean something to XML, JSON, an address or a supplier's
//! own separators. Read by readers that are not the bridge's, the second request is the first with the texts in place of the
//! words, element by element; or the field is refused by name and nothing is sent.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use chassis::{Running, StartOptions};
use ispbridge::programs::Listed;
use prost_reflect::MethodDescriptor;
use serde_json::Value;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use url::{Url, form_urlencoded};

use crate::{
    caller::{Call, POOLS},
    generate::{Content, Contents, Filling, content_at, word},
    recorder::{Recorded, Recorder},
    wires::{WIRES, Wire},
};

/// What texts are made of.
const PIECES: [&str; 32] = [
    "</x><y>",
    "]]>",
    "<![CDATA[",
    "&#0;",
    "&amp;",
    "&",
    "<",
    ">",
    "\"",
    "'",
    "\u{1}",
    "\u{fffe}",
    "\r\n",
    "\n",
    "\t",
    "\\",
    "/",
    "..",
    "%2e",
    "?a=b",
    "#",
    ";",
    "{",
    "}",
    ",",
    "///",
    ":::",
    "\u{85}",
    "\u{202e}",
    "łódź",
    "😀",
    "plain",
];

/// Rounds over all methods; in each more than a thousand texts arrive.
const ROUNDS: usize = 2;

struct Upstream {
    recorder: Recorder,
    service: Running,
    _secret: TempDir,
}

impl Upstream {
    async fn of(wire: Wire) -> Self {
        let (recorder, folder) = (Recorder::start().await, TempDir::new().unwrap());
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "not much of a secret").unwrap();
        let account = wire.account(&format!("http://{}", recorder.address), &format!("{{ file = {secret:?} }}"));
        // What is off by default is tried too.
        let opened = if wire.provider == "freeside" { "unscoped_methods = true\n" } else { "" };
        let config = format!(
            "server.listen = \"127.0.0.1:0\"\ncallers.mode = \"open\"\n[accounts.main]\n{account}\n{opened}\
             [accounts.main.transport]\n{}",
            wire.transport("")
        );
        let row = Listed::of(wire.provider).unwrap();
        let service = row.start(config.parse().unwrap(), StartOptions::default()).await.unwrap();
        Self { recorder, service, _secret: folder }
    }

    fn address(&self) -> SocketAddr {
        self.service.grpc_addr()
    }

    /// What reaches the upstream of a message whose texts are these; or the paths that are refused.
    async fn sent(
        &self,
        name: &str,
        method: &MethodDescriptor,
        contents: &Contents,
        text: &(dyn Fn(usize) -> String + Sync),
    ) -> Result<Vec<Recorded>, Vec<String>> {
        let (request, _) = Filling::fill(&method.input(), contents, &|number| text(number));
        let status = Call::new(name, request).send(format!("http://{}", self.address())).await.unwrap_err();
        let requests = self.recorder.take();
        if !requests.is_empty() {
            return Ok(requests);
        }
        Err(refused(&status).unwrap_or_else(|| panic!("{name}: {status:?}")))
    }
}

/// The paths that a status refuses, without indexes and keys.
fn refused(status: &Status) -> Option<Vec<String>> {
    let violations = status.get_details_bad_request()?.field_violations;
    assert_eq!(status.code(), Code::InvalidArgument);
    let path = |field: &str| {
        let parts = field.split('[').enumerate();
        parts.map(|(at, part)| if at == 0 { part } else { part.rsplit(']').next().unwrap() }).collect::<String>()
    };
    // Two items of one list have one path.
    Some(violations.iter().map(|violation| path(&violation.field)).collect::<BTreeSet<_>>().into_iter().collect())
}

/// Every place of a request where something stands, by readers of XML, JSON and addresses that are not the bridge's.
fn places(request: &Recorded) -> Vec<String> {
    let mut places = Vec::new();
    let (method, target) = request.line.split_once(' ').unwrap();
    let url = Url::parse("http://upstream").unwrap().join(target).unwrap();
    places.push(method.to_owned());
    places.extend(url.path_segments().unwrap().map(decoded));
    places.extend(url.query_pairs().map(|(key, value)| format!("?{key}={value}")));
    if request.body.starts_with('<') {
        let document = roxmltree::Document::parse(&request.body).unwrap_or_else(|error| panic!("{error}: {request:?}"));
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            places.push(format!("<{}>", node.tag_name().name()));
            places.extend(node.attributes().map(|one| format!("@{}={}", one.name(), one.value())));
            inner(node.text().unwrap_or(""), &mut places);
        }
    } else if request.is_form {
        places.extend(form_urlencoded::parse(request.body.as_bytes()).map(|(key, value)| format!("{key}={value}")));
    } else if !request.body.is_empty() {
        members(&serde_json::from_str(&request.body).unwrap(), &mut places);
    }
    places
}

/// A text, or what stands in it if it is a document of its own.
fn inner(text: &str, places: &mut Vec<String>) {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => members(&value, places),
        _ => places.push(text.to_owned()),
    }
}

fn members(value: &Value, places: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            // By their place and not by their key: keys are texts, too.
            places.push(format!("object of {}", entries.len()));
            for (key, value) in entries {
                places.push(key.clone());
                members(value, places);
            }
        }
        Value::Array(items) => {
            places.push(format!("list of {}", items.len()));
            items.iter().for_each(|item| members(item, places));
        }
        Value::String(text) => inner(text, places),
        other => places.push(other.to_string()),
    }
}

fn decoded(segment: &str) -> String {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// The contents with which a method takes plain words, found by asking it.
async fn taken(upstream: &Upstream, name: &str, method: &MethodDescriptor) -> Contents {
    let mut contents = Contents::new();
    for _ in 0..20 {
        match upstream.sent(name, method, &contents, &word).await {
            Ok(_) => return contents,
            Err(paths) => paths.into_iter().for_each(|path| {
                let content = contents.entry(path).or_insert(Content::Own);
                *content = if *content == Content::Own { Content::Number } else { Content::Absent };
            }),
        }
    }
    panic!("{name} takes nothing: {contents:?}")
}

/// Sends hostile texts, leaving out what is refused by name, and compares; returns how many arrived.
async fn hostile(
    upstream: &Upstream,
    name: &str,
    method: &MethodDescriptor,
    mut contents: Contents,
    seed: u64,
) -> usize {
    let text = |number: usize| {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(number as u64));
        let pieces = (0..random.usize(1..4)).map(|_| *random.choice(&PIECES).unwrap());
        // Different from all others, and never empty or a blank alone.
        format!("{}{number}", pieces.collect::<String>())
    };
    let sent = loop {
        match upstream.sent(name, method, &contents, &text).await {
            Ok(sent) => break sent,
            Err(paths) => paths.into_iter().for_each(|path| {
                let before = contents.insert(path, Content::Word);
                assert!(
                    !matches!(before, Some(Content::Word | Content::Absent)),
                    "{name}: refused though harmless: {contents:?}"
                );
            }),
        }
    };
    let (_, paths) = Filling::fill(&method.input(), &contents, &word);
    let own = |path: &String| content_at(&contents, path) == Content::Own;
    let texts = paths.iter().enumerate().map(|(number, path)| if own(path) { text(number) } else { word(number) });
    let words: BTreeMap<String, String> = texts.enumerate().map(|(number, text)| (word(number), text)).collect();
    let plain = upstream.sent(name, method, &contents, &word).await.unwrap();
    let arrived = RefCell::new(0);
    let expected: Vec<_> = plain.iter().flat_map(places).map(|place| replaced(&place, &words, &arrived)).collect();
    assert_eq!(sent.iter().flat_map(places).collect::<Vec<_>>(), expected, "{name}, seed {seed}");
    arrived.into_inner()
}

/// A place with texts for its words.
fn replaced(place: &str, words: &BTreeMap<String, String>, arrived: &RefCell<usize>) -> String {
    let mut parts = place.split("kw");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (number, rest) = part.split_at_checked(6).unwrap_or((part, ""));
        text += words.get(&format!("kw{number}")).unwrap_or_else(|| panic!("{place}"));
        text += rest;
        *arrived.borrow_mut() += 1;
    }
    text
}

#[tokio::test]
async fn no_text_of_a_caller_is_anything_but_text_upstream() {
    let mut upstreams = Vec::new();
    for &wire in WIRES {
        upstreams.push((wire.provider, Upstream::of(wire).await));
    }
    let first = fastrand::u64(..);
    let mut arrived = 0;
    for (provider, upstream) in &upstreams {
        let (_, pool) = POOLS.iter().find(|(known, _)| known == provider).unwrap();
        let own = format!("ispbridge.{provider}.v1");
        for service in pool.services().filter(|service| service.package_name() == own) {
            for method in service.methods() {
                let name = format!("{provider}.{}/{}", service.name(), method.name());
                let contents = taken(upstream, &name, &method).await;
                for round in 0..ROUNDS {
                    let seed = first.wrapping_add(round as u64 * 10_000);
                    arrived += hostile(upstream, &name, &method, contents.clone(), seed).await;
                }
            }
        }
    }
    assert!(arrived > 100 * ROUNDS, "{arrived} texts");
    println!("{arrived} texts");
    for (_, upstream) in upstreams {
        upstream.service.drain().await;
    }
}
