//! SOAP 1.1: rpc/encoded as SOAP::Lite and PHP speak it (azotel.md 2.2 and 2.3), and document/literal.

mod literal;
mod reply;

use std::fmt::Write;

pub use literal::{ElementForm, write_literal};
pub use reply::{Escapes, parse_outputs, parse_reply};

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    binary::{self, Alphabet},
    fault::Fault,
    http::HttpRequest,
    node::{Entry, Node},
    problem::{Problem, Problems},
    xml::write::{escape_into, is_name},
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
const BASE64: &str = r#" xsi:type="xsd:base64Binary">"#;

/// The request that posts a call. What `action` is for, an intent by which servers find the method, its WSDL says
/// (SOAP 1.1, 6.1.1).
///
/// # Errors
/// A NOT_SENT [`Fault`] when the action cannot be a header.
pub fn post(url: Url, action: &str, body: String) -> Result<HttpRequest, Fault> {
    let action = HeaderValue::try_from(format!("\"{action}\""));
    let action =
        action.map_err(|_| Fault::invalid(Problems(vec![Problem::new("SOAPAction", "cannot be a header")])))?;
    let request = HttpRequest::post(url, "text/xml; charset=utf-8", body);
    Ok(request.with_header(HeaderName::from_static("soapaction"), action))
}

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
        Node::Text(text) | Node::Number(text) | Node::Unreadable(text) => write_text(name, text, out),
        Node::Bytes(bytes) => {
            open(name, BASE64, out);
            out.push_str(&binary::encode(bytes, Alphabet::Standard));
            close(name, out);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
