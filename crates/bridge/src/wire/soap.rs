//! SOAP 1.1 as SOAP::Lite and PHP speak it (azotel.md 2.2 and 2.3), and plain literal bodies.

use std::{
    cell::{Cell, OnceCell},
    fmt::Write,
};

use bumpalo::{Bump, collections::Vec as BumpVec};
use rustc_hash::FxHashMap;

use super::{Envelope, Gather, WireError, base64_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    node::{Entry, Node},
    xml::{
        document::{self, Element, Limits, XmlError},
        unescape::unescaped,
        write::{escape_into, is_name},
    },
};

/// How the named arguments are passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// One apache `Map`, the form that carries any key.
    #[default]
    Map,
    /// One untyped element with a child per key; a key that is no XML name makes it a map.
    Struct,
    /// Positional key, value, key, value.
    Flat,
}

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/""#,
    r#" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:apachens="http://xml.apache.org/xml-soap""#,
    r#" soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/""#,
);
const STRING: &str = r#" xsi:type="xsd:string">"#;

/// Writes a call of `method` in `namespace`; every scalar is an `xsd:string` in UTF-8, nothing is nil.
#[must_use]
pub fn write_call(method: &str, namespace: &str, style: Style, arguments: Node<'_>) -> String {
    let mut out = String::with_capacity(4096);
    out.push_str(HEAD);
    out.push_str("><soap:Body><");
    out.push_str(method);
    out.push_str(" xmlns=\"");
    escape_into(&mut out, namespace);
    out.push_str("\">");
    write_arguments(style, arguments, &mut out);
    out.push_str("</");
    out.push_str(method);
    out.push_str("></soap:Body></soap:Envelope>");
    out
}

fn write_arguments(style: Style, arguments: Node<'_>, out: &mut String) {
    let entries = if let Node::Map(entries) = arguments { entries } else { &[] };
    let present = entries.iter().filter(|(_, value)| *value != Node::Null);
    match style {
        Style::Map => write_map("arguments", entries, out),
        Style::Struct => write_value("arguments", arguments, out),
        Style::Flat => present.for_each(|(key, value)| {
            write_value("argument", Node::Text(key), out);
            write_value("argument", *value, out);
        }),
    }
}

fn write_value(name: &str, node: Node<'_>, out: &mut String) {
    match node {
        Node::Null => {}
        Node::Bool(flag) => write_text(name, if flag { "1" } else { "0" }, out),
        Node::Text(text) | Node::Number(text) => write_text(name, text, out),
        Node::List(items) => write_array(name, items, out),
        Node::Map(entries) if entries.iter().all(|(key, _)| is_name(key)) => {
            open(name, ">", out);
            entries.iter().for_each(|(key, value)| write_value(key, *value, out));
            close(name, out);
        }
        Node::Map(entries) => write_map(name, entries, out),
    }
}

fn write_text(name: &str, text: &str, out: &mut String) {
    open(name, STRING, out);
    escape_into(out, text);
    close(name, out);
}

fn write_array(name: &str, items: &[Node<'_>], out: &mut String) {
    open(name, "", out);
    let of = if items.iter().all(|item| item.scalar().is_some()) { "string" } else { "anyType" };
    let _ = write!(out, r#" soapenc:arrayType="xsd:{of}[{}]" xsi:type="soapenc:Array">"#, items.len());
    items.iter().for_each(|item| write_value("item", *item, out));
    close(name, out);
}

fn write_map(name: &str, entries: &[Entry<'_>], out: &mut String) {
    open(name, r#" xsi:type="apachens:Map">"#, out);
    for (key, value) in entries.iter().filter(|(_, value)| *value != Node::Null) {
        out.push_str("<item>");
        write_text("key", key, out);
        match value {
            Node::Map(entries) => write_map("value", entries, out),
            _ => write_value("value", *value, out),
        }
        out.push_str("</item>");
    }
    close(name, out);
}

fn open(name: &str, rest: &str, out: &mut String) {
    out.push('<');
    out.push_str(name);
    out.push_str(rest);
}

fn close(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// How often a server escapes the one text that it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escapes {
    /// As XML wants it.
    #[default]
    Once,
    /// Once more: `&amp;lt;` for `<`, or base64 of `&lt;`.
    Twice,
}

impl Escapes {
    /// What the server does that names itself so in the header `SOAPServer`: SOAP::Lite from 0.70_07 to 0.710.06 escapes
    /// results and fault texts before it writes them, yet not what is inside a struct or an array (its source, "called
    /// incorrectly in envelope"; captures `soap-perl-old`). Up to 0.71 these versions call themselves 0.70_04.
    #[must_use]
    pub fn of_server(name: &str) -> Self {
        let version = name.strip_prefix("SOAP::Lite/Perl/").unwrap_or("");
        let patch = version.strip_prefix("0.710.").and_then(|patch| patch.parse().ok());
        let twice = version.starts_with("0.70_") || patch.is_some_and(|patch: u8| patch <= 6);
        if twice { Escapes::Twice } else { Escapes::Once }
    }

    /// The text that is meant.
    fn resolve<'t>(self, text: &'t str, arena: &'t Bump) -> &'t str {
        match self {
            Escapes::Once => text,
            Escapes::Twice => unescaped(text, arena).unwrap_or(text),
        }
    }
}

/// Reads a reply to `method`. The first child of the response element is the value, whatever its name:
/// SOAP::Lite names it `s-gensymN` with a number that grows.
///
/// # Errors
/// [`WireError`] when the text is not a SOAP reply to that method.
pub fn parse_reply<'t>(
    text: &'t str,
    method: &str,
    escapes: Escapes,
    limits: &Limits,
    arena: &'t Bump,
) -> Result<Envelope<'t>, WireError> {
    let envelope = document::parse(text, limits, arena)?;
    if envelope.local_name() != "Envelope" {
        return Err(WireError::Envelope("the document element is not a SOAP envelope"));
    }
    let body = envelope.child("Body").ok_or(WireError::Envelope("the envelope has no body"))?;
    let answer = body.children.first().ok_or(WireError::Envelope("the body is empty"))?;
    if answer.local_name() == "Fault" {
        return Ok(fault(answer, escapes, arena));
    }
    if answer.local_name().strip_suffix("Response") != Some(method) {
        return Err(WireError::Envelope("the body answers another method"));
    }
    let reader = ValueReader { body, arena, limits, ids: OnceCell::new(), values: Cell::new(0) };
    let value = answer.children.first().map_or(Ok(Node::Null), |value| reader.read(value, 0))?;
    Ok(Envelope::Value(if let Node::Text(text) = value { Node::Text(escapes.resolve(text, arena)) } else { value }))
}

/// SOAP 1.1 `faultcode`/`faultstring`, or the `Code`/`Reason` of 1.2.
fn fault<'t>(fault: &Element<'t>, escapes: Escapes, arena: &'t Bump) -> Envelope<'t> {
    let old = |name| fault.child(name).map(|child| child.text.trim());
    let new = |outer, inner| fault.child(outer).and_then(|child| child.child(inner)).map(|child| child.text.trim());
    let code = old("faultcode").or_else(|| new("Code", "Value")).unwrap_or("");
    let text = old("faultstring").or_else(|| new("Reason", "Text")).unwrap_or("");
    Envelope::Fault { code: code.rsplit_once(':').map_or(code, |(_, code)| code), text: escapes.resolve(text, arena) }
}

struct ValueReader<'e, 't, 'l> {
    body: &'e Element<'t>,
    arena: &'t Bump,
    limits: &'l Limits,
    /// What references point at, by its id; made with the first reference.
    ids: OnceCell<FxHashMap<&'t str, &'e Element<'t>>>,
    /// Values read so far: with references a short reply could mean a tree without bounds.
    values: Cell<usize>,
}

impl<'e, 't> ValueReader<'e, 't, '_> {
    /// References followed at most: a reply that refers to itself has no end.
    const MAX_DEPTH: usize = 64;

    /// Reads a value. The type is a guess of the server about the text, so only base64, maps and arrays
    /// are looked at (azotel.md 2.3).
    fn read(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        if depth > Self::MAX_DEPTH {
            return Err(WireError::Envelope("references that do not end"));
        }
        self.count(1)?;
        if let Some(target) = element.attribute("href") {
            return self.read(self.referred(target)?, depth + 1);
        }
        if element.attribute("nil").or_else(|| element.attribute("null")).is_some_and(|nil| matches!(nil, "true" | "1"))
        {
            return Ok(Node::Null);
        }
        let kind = element.attribute("type").map_or("", |kind| kind.rsplit_once(':').map_or(kind, |(_, name)| name));
        match kind {
            "base64" | "base64Binary" => {
                // Each reference to it makes another copy.
                self.count(element.text.len() / 64)?;
                base64_text(element.text, self.arena).map(Node::Text)
            }
            "Map" => self.map(element, depth),
            "Array" => self.list(element, depth),
            _ if element.attribute("arrayType").is_some() || element.local_name() == "Array" => {
                self.list(element, depth)
            }
            _ if element.children.is_empty() => Ok(Node::Text(element.text)),
            _ => self.record(element, depth),
        }
    }

    fn referred(&self, target: &str) -> Result<&'e Element<'t>, WireError> {
        let ids = self.ids.get_or_init(|| {
            // Of an id that comes twice the first counts.
            let children = self.body.children.iter().rev();
            children.filter_map(|child| Some((child.attribute("id")?, child))).collect()
        });
        let found = ids.get(target.trim_start_matches('#')).copied();
        found.ok_or(WireError::Envelope("a reference without its target"))
    }

    /// Counts values against the limit of elements, which a reply without references keeps anyway.
    fn count(&self, values: usize) -> Result<(), WireError> {
        let (all, most) = (self.values.get() + values, self.limits.elements);
        self.values.set(all);
        if all > most { Err(XmlError::Limit("values", most).into()) } else { Ok(()) }
    }

    fn list(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let mut items = BumpVec::with_capacity_in(element.children.len(), self.arena);
        for item in element.children {
            items.push(self.read(item, depth + 1)?);
        }
        Ok(Node::List(items.into_bump_slice()))
    }

    fn map(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let mut entries: BumpVec<'t, Entry<'t>> = BumpVec::with_capacity_in(element.children.len(), self.arena);
        for item in element.children {
            let (Some(key), Some(value)) = (item.child("key"), item.child("value")) else {
                return Err(WireError::Envelope("a map item without key and value"));
            };
            let key = self.read(key, depth + 1)?.scalar().unwrap_or("");
            entries.push((key, self.read(value, depth + 1)?));
        }
        Ok(Node::Map(entries.into_bump_slice()))
    }

    fn record(&self, element: &Element<'t>, depth: usize) -> Result<Node<'t>, WireError> {
        let mut gather = Gather::new(self.arena, element.children.len());
        for child in element.children {
            gather.add(child.local_name(), self.read(child, depth + 1)?);
        }
        Ok(gather.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> String {
        let text = format!("<s:Envelope xmlns:s=\"x\"><s:Body>{inner}</s:Body></s:Envelope>");
        let arena = Bump::new();
        match parse_reply(&text, "m", Escapes::Once, &Limits::default(), &arena) {
            Ok(Envelope::Value(node)) => format!("{node:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn writes_each_style() {
        let arguments = Node::Map(&[("name", Node::Text("Łucja & Co")), ("39", Node::List(&[Node::Text("a")]))]);
        let map = write_call("addX", "http://h/API", Style::Map, arguments);
        assert!(map.contains("<addX xmlns=\"http://h/API\"><arguments xsi:type=\"apachens:Map\"><item><key xsi:type=\"xsd:string\">name</key><value xsi:type=\"xsd:string\">Łucja &amp; Co</value></item>"), "{map}");
        assert!(map.contains("<value soapenc:arrayType=\"xsd:string[1]\" xsi:type=\"soapenc:Array\"><item xsi:type=\"xsd:string\">a</item></value>"), "{map}");
        let turned = write_call("addX", "u", Style::Struct, arguments);
        assert!(turned.contains("<arguments xsi:type=\"apachens:Map\">"), "a numeric key needs the map: {turned}");
        let record = write_call("addX", "u", Style::Struct, Node::Map(&[("name", Node::Text("x"))]));
        assert!(record.contains("<arguments><name xsi:type=\"xsd:string\">x</name></arguments>"), "{record}");
        let flat = write_call("addX", "u", Style::Flat, Node::Map(&[("name", Node::Text("x"))]));
        assert!(flat.contains(
            "<argument xsi:type=\"xsd:string\">name</argument><argument xsi:type=\"xsd:string\">x</argument>"
        ));
    }

    #[test]
    fn reads_every_kind_of_value() {
        for (value, expected) in [
            ("<r t:type='xsd:int'>5</r>", "Text(\"5\")"),
            ("<r type='base64Binary'>Q2Fm6Q==</r>", "Text(\"Café\")"),
            ("<r xsi:nil='true'/>", "Null"),
            ("", "Null"),
            ("<r/>", "Text(\"\")"),
            ("<e:Array e:arrayType='x[2]'><item>a</item><item>b</item></e:Array>", "List([Text(\"a\"), Text(\"b\")])"),
            (
                "<r t:type='a:Map'><item><key>two words</key><value>x</value></item></r>",
                "Map([(\"two words\", Text(\"x\"))])",
            ),
            (
                "<r><a>1</a><b><c/></b><a>2</a></r>",
                "Map([(\"a\", List([Text(\"1\"), Text(\"2\")])), (\"b\", Map([(\"c\", Text(\"\"))]))])",
            ),
        ] {
            assert_eq!(read(&format!("<mResponse>{value}</mResponse>")), expected, "{value}");
        }
        let shared = "<mResponse><r href='#i1'/></mResponse><multiRef id='i1'>x</multiRef>";
        assert_eq!(read(shared), "Text(\"x\")");
        let endless = "<mResponse><r href='#i1'/></mResponse><multiRef id='i1' href='#i1'/>";
        assert!(read(endless).contains("references that do not end"));
    }

    #[test]
    fn references_make_no_tree_without_bounds() {
        let doubled = |n: usize| format!("<multiRef id='i{n}'><a href='#i{0}'/><b href='#i{0}'/></multiRef>", n + 1);
        let last = "<multiRef id='i25'>x</multiRef>";
        let laughs: String = (0..25).map(doubled).collect();
        let laughs = format!("<mResponse><r href='#i0'/></mResponse>{laughs}{last}");
        let copies = format!(
            "<mResponse><Array>{}</Array></mResponse><multiRef id='b' type='base64'>{}</multiRef>",
            "<i href='#b'/>".repeat(10_000),
            "QUJD".repeat(10_000)
        );
        for reply in [laughs, copies] {
            assert_eq!(read(&reply), "Err(Xml(Limit(\"values\", 250000)))");
        }
        let crowd: String = (0..20_000).map(|n| format!("<multiRef id='i{n}'>x</multiRef>")).collect();
        let all: String = (0..20_000).map(|n| format!("<i href='#i{n}'/>")).collect();
        assert!(read(&format!("<mResponse><Array>{all}</Array></mResponse>{crowd}")).starts_with("List([Text"));
    }

    #[test]
    fn a_fault_or_another_document_is_never_a_value() {
        let fault = "<s:Fault><faultcode>s:Server</faultcode><faultstring>died\n</faultstring></s:Fault>";
        assert_eq!(read(fault), r#"Ok(Fault { code: "Server", text: "died" })"#);
        for other in ["", "<otherResponse><r>1</r></otherResponse>", "<m><r>1</r></m>"] {
            assert!(read(other).starts_with("Err(Envelope"), "{other}");
        }
        let arena = Bump::new();
        assert!(parse_reply("<html><body/></html>", "m", Escapes::Once, &Limits::default(), &arena).is_err());
    }

    #[test]
    fn versions_that_escape_twice_are_known() {
        let of = |version| Escapes::of_server(&format!("SOAP::Lite/Perl/{version}"));
        for version in ["0.70_04", "0.710.05", "0.710.06"] {
            assert_eq!(of(version), Escapes::Twice, "{version}");
        }
        for version in ["0.55", "0.69", "0.710.07", "0.710.10", "0.711", "0.714", "1.27", ""] {
            assert_eq!(of(version), Escapes::Once, "{version}");
        }
    }
}
