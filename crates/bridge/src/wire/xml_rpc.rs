//! XML-RPC as Perl's XMLRPC::Lite, PHP and Python speak it (freeside.md 1.1 and its last section).

use base64::{Engine, engine::general_purpose::STANDARD};
use bumpalo::Bump;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Envelope, LastOfEach, ProtocolFault, WireError, base64_node, names, text_node};
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
            Node::Bytes(bytes) => self.base64(bytes),
        }
        self.out.push_str("</value>");
    }

    fn text(&mut self, text: &str) {
        if self.texts == Texts::Base64 && !text.is_ascii() {
            return self.base64(text.as_bytes());
        }
        self.out.push_str("<string>");
        escape_into(&mut self.out, text);
        self.out.push_str("</string>");
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push_str("<base64>");
        STANDARD.encode_string(bytes, &mut self.out);
        self.out.push_str("</base64>");
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
        let value = required(fault, "value").map(|value| read_value(value, arena))?;
        let (code, text) = (value.text_at("faultCode").trim(), value.text_at("faultString").trim());
        return Ok(Envelope::Fault(ProtocolFault { code, text, detail: "" }));
    }
    let parameters = required(&root, "params")?;
    let Some(first) = parameters.child("param") else { return Ok(Envelope::Value(Node::Null)) };
    Ok(Envelope::Value(read_value(required(first, "value")?, arena)))
}

fn required<'e, 't>(element: &'e Element<'t>, name: &'static str) -> Result<&'e Element<'t>, WireError> {
    element.child(name).ok_or(WireError::Envelope("an element of the envelope is missing"))
}

/// Reads a `<value>`: whatever its type, a scalar is its text, so that leading zeros and numbers of any size survive servers
/// that guess types, and so do the types that Apache and others add.
fn read_value<'t>(value: &Element<'t>, arena: &'t Bump) -> Node<'t> {
    let Some(typed) = value.children.first() else {
        return if value.text.is_empty() { Node::Null } else { text_node(value.text) };
    };
    match typed.local_name() {
        "string" => text_node(typed.text),
        "boolean" => read_boolean(typed.text.trim()),
        "base64" => base64_node(typed.text, arena),
        "nil" => Node::Null,
        "array" => read_array(typed, arena),
        "struct" => read_struct(typed, arena),
        _ if typed.children.is_empty() => text_node(typed.text.trim()),
        _ => Node::Unreadable(typed.text.trim()),
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

/// An array without `<data>` is empty, or has its values itself.
fn read_array<'t>(array: &Element<'t>, arena: &'t Bump) -> Node<'t> {
    let values = array.child("data").unwrap_or(array).children;
    Node::List(arena.alloc_slice_fill_iter(values.iter().map(|value| read_value(value, arena))))
}

/// A member without a value cannot be read.
fn read_struct<'t>(element: &Element<'t>, arena: &'t Bump) -> Node<'t> {
    let (mut last, mut entries) = (LastOfEach::default(), Vec::with_capacity(element.children.len()));
    for member in element.children {
        let value = member.child("value").map_or(Node::Unreadable(""), |value| read_value(value, arena));
        let (name, value) = names::member(member.child("name").map(|name| name.text), value);
        last.add(&mut entries, 0, name, value);
    }
    Node::Map(arena.alloc_slice_copy(&entries))
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
            ("<array/>", "List([])"),
            ("<array></array>", "List([])"),
            ("<array>\n</array>", "List([])"),
            ("<array><value>a</value></array>", "List([Text(\"a\")])"),
            ("<array><data><value/><value><array/></value></data></array>", "List([Null, List([])])"),
            ("<struct><member><name>a</name><value>b</value></member></struct>", "Map([(\"a\", Text(\"b\"))])"),
        ] {
            assert_eq!(read(value), format!("Value({expected})"), "{value}");
        }
    }

    #[test]
    fn types_that_others_add_are_texts() {
        for kind in ["i1", "i2", "i8", "float", "dateTime", "bigdecimal", "biginteger", "date", "uuid"] {
            for prefix in ["", "ex:", "n0:"] {
                let value = format!("<{prefix}{kind}> 1.50 </{prefix}{kind}>");
                assert_eq!(read(&value), "Value(Text(\"1.50\"))", "{value}");
            }
        }
        assert_eq!(read("<ex:boolean>1</ex:boolean>"), "Value(Bool(true))");
        assert_eq!(read("<ex:string> x </ex:string>"), "Value(Text(\" x \"))");
        assert_eq!(read("<ex:dom><a>x</a></ex:dom>"), "Value(Unreadable(\"\"))");
    }

    #[test]
    fn base64_comes_in_many_forms() {
        for text in
            ["xYE/PyA+Pg==", "xYE/PyA+Pg", "xYE_PyA-Pg", "xYE_PyA-Pg==", "xYE/PyA+Pg=", " xY E/\tPy\r\nA+ Pg= = \n"]
        {
            assert_eq!(read(&format!("<base64>{text}</base64>")), "Value(Text(\"Ł?? >>\"))", "{text}");
        }
        assert_eq!(read("<base64/>"), "Value(Text(\"\"))");
        for text in ["x", "x===", "xYE!", "xY==xYE=", "=xYE", "Ł"] {
            assert_eq!(read(&format!("<base64>{text}</base64>")), format!("Value(Unreadable({text:?}))"));
        }
    }

    #[test]
    fn an_odd_member_costs_its_field() {
        for (members, expected) in [
            ("<member><name>a</name></member>", "(\"a\", Unreadable(\"\"))"),
            ("<member><value>x</value></member>", "(\"\", Unreadable(\"x\"))"),
            ("<member/>", "(\"\", Unreadable(\"\"))"),
            ("<member><name/><value>x</value></member>", "(\"\", Unreadable(\"x\"))"),
            ("<member><value>x</value><name>a</name></member>", "(\"a\", Text(\"x\"))"),
            ("<member><name>a</name><value>x&#0;y</value></member>", "(\"a\", Unreadable(\"x\\u{ffff}y\"))"),
            ("<member><name>a</name><value>&#xD800;</value></member>", "(\"a\", Unreadable(\"\\u{ffff}\"))"),
            (
                "<member><name>a</name><value>x</value></member><member><name>a</name><value><nil/></value></member>",
                "(\"a\", Null)",
            ),
        ] {
            let more = "<member><name>b</name><value>y</value></member>";
            let expected = format!("Value(Map([{expected}, (\"b\", Text(\"y\"))]))");
            assert_eq!(read(&format!("<struct>{members}{more}</struct>")), expected, "{members}");
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
