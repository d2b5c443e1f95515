//! XML-RPC as Perl's XMLRPC::Lite, PHP and Python speak it (freeside.md 1.1 and its last section).

use base64::{Engine, engine::general_purpose::STANDARD};
use bumpalo::{Bump, collections::Vec as BumpVec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Envelope, ProtocolFault, WireError, base64_text, text_node};
use crate::{
    node::{Entry, Node},
    xml::{
        document::{self, Element, Limits},
        write::escape_into,
    },
};

/// How the named arguments are passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parameters {
    /// One `<struct>`, as the document says.
    #[default]
    Struct,
    /// A list key, value, key, value, the only form that Freeside's back-end door reads.
    Flat,
}

/// How texts beyond ASCII are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Texts {
    /// As `<string>` in UTF-8.
    #[default]
    String,
    /// As `<base64>` of UTF-8, for servers that decode a `<string>` a second time (freeside.md 1.1, door C).
    Base64,
}

/// Writes a call; every scalar is a `<string>`, as servers that guess types want it.
#[must_use]
pub fn write_call(method: &str, parameters: Parameters, texts: Texts, arguments: Node<'_>) -> String {
    let mut writer = Writer { out: String::with_capacity(1024), texts };
    writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?><methodCall><methodName>");
    escape_into(&mut writer.out, method);
    writer.out.push_str("</methodName><params>");
    match (parameters, arguments) {
        (Parameters::Flat, Node::Map(entries)) => {
            for (key, value) in entries.iter().filter(|(_, value)| *value != Node::Null) {
                writer.parameter(Node::Text(key));
                writer.parameter(*value);
            }
        }
        _ => writer.parameter(arguments),
    }
    writer.out.push_str("</params></methodCall>");
    writer.out
}

struct Writer {
    out: String,
    texts: Texts,
}

impl Writer {
    fn parameter(&mut self, node: Node<'_>) {
        self.out.push_str("<param>");
        self.value(node);
        self.out.push_str("</param>");
    }

    fn value(&mut self, node: Node<'_>) {
        self.out.push_str("<value>");
        match node {
            Node::List(items) => {
                self.out.push_str("<array><data>");
                items.iter().for_each(|item| self.value(*item));
                self.out.push_str("</data></array>");
            }
            Node::Map(entries) => self.structure(entries),
            Node::Null => {}
            Node::Bool(flag) => self.out.push_str(if flag { "<string>1</string>" } else { "<string>0</string>" }),
            Node::Text(text) | Node::Number(text) | Node::Unreadable(text) => self.text(text),
        }
        self.out.push_str("</value>");
    }

    fn text(&mut self, text: &str) {
        if self.texts == Texts::Base64 && !text.is_ascii() {
            self.out.push_str("<base64>");
            STANDARD.encode_string(text, &mut self.out);
            self.out.push_str("</base64>");
            return;
        }
        self.out.push_str("<string>");
        escape_into(&mut self.out, text);
        self.out.push_str("</string>");
    }

    fn structure(&mut self, entries: &[Entry<'_>]) {
        self.out.push_str("<struct>");
        for (key, value) in entries.iter().filter(|(_, value)| *value != Node::Null) {
            self.out.push_str("<member><name>");
            escape_into(&mut self.out, key);
            self.out.push_str("</name>");
            self.value(*value);
            self.out.push_str("</member>");
        }
        self.out.push_str("</struct>");
    }
}

/// Reads a reply. No parameter at all reads as nothing; of several the first counts.
///
/// # Errors
/// [`WireError`] when the text is not an XML-RPC reply.
pub fn parse_reply<'t>(text: &'t str, limits: &Limits, arena: &'t Bump) -> Result<Envelope<'t>, WireError> {
    let root = document::parse(text, limits, arena)?;
    if root.name != "methodResponse" {
        return Err(WireError::Envelope("the document element is not methodResponse"));
    }
    if let Some(fault) = root.child("fault") {
        let value = required(fault, "value").and_then(|value| read_value(value, arena))?;
        let (code, text) = (value.text_at("faultCode").trim(), value.text_at("faultString").trim());
        return Ok(Envelope::Fault(ProtocolFault { code, text, detail: "" }));
    }
    let parameters = required(&root, "params")?;
    let Some(first) = parameters.child("param") else { return Ok(Envelope::Value(Node::Null)) };
    Ok(Envelope::Value(read_value(required(first, "value")?, arena)?))
}

fn required<'e, 't>(element: &'e Element<'t>, name: &'static str) -> Result<&'e Element<'t>, WireError> {
    element.child(name).ok_or(WireError::Envelope("an element of the envelope is missing"))
}

/// Reads a `<value>`: whatever its type, a scalar is its text, so that leading zeros and numbers of any
/// size survive servers that guess types.
fn read_value<'t>(value: &Element<'t>, arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let Some(typed) = value.children.first() else {
        return Ok(if value.text.is_empty() { Node::Null } else { text_node(value.text) });
    };
    match typed.local_name() {
        "string" => Ok(text_node(typed.text)),
        "int" | "i4" | "i8" | "i2" | "i1" | "double" | "dateTime.iso8601" => Ok(text_node(typed.text.trim())),
        "boolean" => Ok(read_boolean(typed.text.trim())),
        "base64" => base64_text(typed.text, arena).map(Node::Text),
        "nil" => Ok(Node::Null),
        "array" => read_array(typed, arena),
        "struct" => read_struct(typed, arena),
        _ => Err(WireError::Envelope("a value of an unknown type")),
    }
}

fn read_boolean(text: &str) -> Node<'_> {
    match text {
        "1" => Node::Bool(true),
        "0" => Node::Bool(false),
        other if other.eq_ignore_ascii_case("true") => Node::Bool(true),
        other if other.eq_ignore_ascii_case("false") => Node::Bool(false),
        other => text_node(other),
    }
}

fn read_array<'t>(array: &Element<'t>, arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let data = required(array, "data")?;
    let mut items = BumpVec::with_capacity_in(data.children.len(), arena);
    for value in data.children {
        items.push(read_value(value, arena)?);
    }
    Ok(Node::List(items.into_bump_slice()))
}

fn read_struct<'t>(element: &Element<'t>, arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let mut entries: BumpVec<'t, Entry<'t>> = BumpVec::with_capacity_in(element.children.len(), arena);
    for member in element.children {
        entries.push((required(member, "name")?.text, read_value(required(member, "value")?, arena)?));
    }
    Ok(Node::Map(entries.into_bump_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> String {
        let text = format!("<methodResponse><params><param><value>{value}</value></param></params></methodResponse>");
        let arena = Bump::new();
        format!("{:?}", parse_reply(&text, &Limits::default(), &arena).expect(value))
    }

    #[test]
    fn writes_struct_and_flat_list() {
        let arguments =
            Node::Map(&[("a", Node::Text("1<2")), ("n", Node::Null), ("l", Node::List(&[Node::Bool(true)]))]);
        let call = write_call("X.y", Parameters::Struct, Texts::String, arguments);
        assert!(
            call.contains("<struct><member><name>a</name><value><string>1&lt;2</string></value></member>"),
            "{call}"
        );
        assert!(
            !call.contains("<name>n</name>")
                && call.contains("<array><data><value><string>1</string></value></data></array>")
        );
        let flat = write_call("X.y", Parameters::Flat, Texts::String, Node::Map(&[("a", Node::Text("1"))]));
        assert!(flat.contains("<params><param><value><string>a</string></value></param><param><value><string>1</string></value></param></params>"), "{flat}");
    }

    #[test]
    fn reads_every_kind_of_value() {
        for (value, expected) in [
            ("<string> x </string>", "Text(\" x \")"),
            ("<string/>", "Text(\"\")"),
            ("", "Null"),
            ("plain", "Text(\"plain\")"),
            ("<int> 0871234567 </int>", "Text(\"0871234567\")"),
            ("<i8>353212348100</i8>", "Text(\"353212348100\")"),
            ("<double>52.25</double>", "Text(\"52.25\")"),
            ("<boolean>TRUE</boolean>", "Bool(true)"),
            ("<boolean>0</boolean>", "Bool(false)"),
            ("<boolean>maybe</boolean>", "Text(\"maybe\")"),
            ("<nil/>", "Null"),
            ("<ex:nil/>", "Null"),
            ("\n <base64>\nUG9nd2l6\nZMOzdw==\n</base64>\n", "Text(\"Pogwizdów\")"),
            ("<dateTime.iso8601>20100811T12:34:56</dateTime.iso8601>", "Text(\"20100811T12:34:56\")"),
            ("<array><data/></array>", "List([])"),
            ("<struct><member><name>a</name><value>b</value></member></struct>", "Map([(\"a\", Text(\"b\"))])"),
        ] {
            assert_eq!(read(value), format!("Value({expected})"), "{value}");
        }
    }

    #[test]
    fn faults_have_text_codes_and_other_documents_are_refused() {
        let arena = Bump::new();
        let text = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><string>Server</string></value></member><member><name>faultString</name><value><string>died at X line 7.\n</string></value></member></struct></value></fault></methodResponse>";
        let fault = parse_reply(text, &Limits::default(), &arena).unwrap();
        assert_eq!(fault, Envelope::Fault(ProtocolFault { code: "Server", text: "died at X line 7.", detail: "" }));
        for other in ["<html/>", "<methodResponse/>", "<methodCall><params/></methodCall>"] {
            assert!(matches!(parse_reply(other, &Limits::default(), &arena), Err(WireError::Envelope(_))), "{other}");
        }
        let empty = "<methodResponse><params/></methodResponse>";
        assert_eq!(parse_reply(empty, &Limits::default(), &arena), Ok(Envelope::Value(Node::Null)));
    }
}
