//! Calls in the style document/literal (WS-I Basic Profile 1.1, 4.7): one element of the schema, plain values inside.

use super::{close, open};
use crate::{
    binary::{self, Alphabet},
    node::{Entry, Node},
    problem::{Problem, Problems},
    xml::write::{escape_into, is_name},
};

/// Whether the elements inside of a call are in its namespace: `elementFormDefault` of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementForm {
    /// They are.
    Qualified,
    /// They are in none, which is the default of XML Schema.
    Unqualified,
}

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>"#,
);
const TAIL: &str = "</soap:Body></soap:Envelope>";

/// Writes a call whose element is `element` of `namespace`. Values come in the order of the tree, as a sequence of a schema
/// wants them; a list is its element again and again, and null is nil.
///
/// # Errors
/// [`Problems`] naming each value that has no form: a name that is none of XML, or a list right inside a list.
pub fn write_literal(
    element: &str,
    namespace: &str,
    form: ElementForm,
    arguments: Node<'_>,
) -> Result<String, Problems> {
    let mut writer = Writer { out: String::with_capacity(1024), problems: Vec::new() };
    // A prefix keeps the namespace from what is inside.
    let (prefix, declaration) = match form {
        ElementForm::Qualified => ("", " xmlns=\""),
        ElementForm::Unqualified => ("m:", " xmlns:m=\""),
    };
    let name = format!("{prefix}{element}");
    writer.out.push_str(HEAD);
    open(&name, declaration, &mut writer.out);
    escape_into(&mut writer.out, namespace);
    writer.out.push_str("\">");
    let entries = if let Node::Map(entries) = arguments { entries } else { &[] };
    writer.entries(entries, "");
    close(&name, &mut writer.out);
    writer.out.push_str(TAIL);
    if writer.problems.is_empty() { Ok(writer.out) } else { Err(Problems(writer.problems)) }
}

struct Writer {
    out: String,
    problems: Vec<Problem>,
}

impl Writer {
    fn entries(&mut self, entries: &[Entry<'_>], above: &str) {
        for (name, value) in entries {
            let path = if above.is_empty() { (*name).to_owned() } else { format!("{above}.{name}") };
            match (is_name(name), value) {
                (false, _) => self.problems.push(Problem::new(path, "has a name that no XML element can have")),
                (true, Node::List(items)) => items.iter().for_each(|item| self.value(name, *item, &path)),
                (true, value) => self.value(name, *value, &path),
            }
        }
    }

    fn value(&mut self, name: &str, node: Node<'_>, path: &str) {
        match node {
            Node::Null => return open(name, r#" xsi:nil="true"/>"#, &mut self.out),
            Node::List(_) => {
                return self.problems.push(Problem::new(path, "has a list right inside a list, which has no element"));
            }
            _ => open(name, ">", &mut self.out),
        }
        match node {
            Node::Map(entries) => self.entries(entries, path),
            Node::Bytes(bytes) => self.out.push_str(&binary::encode(bytes, Alphabet::Standard)),
            _ => escape_into(&mut self.out, node.scalar().unwrap_or("")),
        }
        close(name, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(form: ElementForm, arguments: Node<'_>) -> String {
        let text = write_literal("Op", "urn:\"a\"", form, arguments).unwrap();
        text.strip_prefix(HEAD).and_then(|text| text.strip_suffix(TAIL)).unwrap().to_owned()
    }

    #[test]
    fn writes_each_form_and_every_kind_of_value() {
        let text = Node::Text("1 < 2 & \"Ł\"");
        let entries = [
            ("t", text),
            ("b", Node::Bool(true)),
            ("n", Node::Number("-0.50")),
            ("z", Node::Null),
            ("l", Node::List(&[Node::Text("1"), Node::Null, Node::Map(&[("x", Node::Text("2"))])])),
            ("none", Node::List(&[])),
            ("m", Node::Map(&[("in", Node::Map(&[]))])),
        ];
        let inside = "<t>1 &lt; 2 &amp; \"Ł\"</t><b>true</b><n>-0.50</n><z xsi:nil=\"true\"/>\
                      <l>1</l><l xsi:nil=\"true\"/><l><x>2</x></l><m><in></in></m>";
        let qualified = body(ElementForm::Qualified, Node::Map(&entries)).replace("&quot;", "\"");
        assert_eq!(qualified, format!("<Op xmlns=\"urn:\"a\"\">{inside}</Op>"));
        let unqualified = body(ElementForm::Unqualified, Node::Map(&entries)).replace("&quot;", "\"");
        assert_eq!(unqualified, format!("<m:Op xmlns:m=\"urn:\"a\"\">{inside}</m:Op>"));
        assert_eq!(body(ElementForm::Unqualified, Node::Null), "<m:Op xmlns:m=\"urn:&quot;a&quot;\"></m:Op>");
    }

    #[test]
    fn what_has_no_form_is_named_and_not_written() {
        let lists = Node::List(&[Node::List(&[])]);
        let inner = [("two words", Node::Text("x")), ("39", Node::Null)];
        let entries = [("a", Node::Map(&inner)), ("l", lists), ("x><y", Node::Text("x")), ("p:q", Node::Text("x"))];
        let problems = write_literal("Op", "u", ElementForm::Qualified, Node::Map(&entries)).unwrap_err();
        let fields: Vec<_> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["a.two words", "a.39", "l", "x><y", "p:q"]);
    }
}
