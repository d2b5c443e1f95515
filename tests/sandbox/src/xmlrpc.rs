//! XML-RPC as XMLRPC::Lite reads and writes it with Freeside's type table: every scalar a `<string>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::xml::{self, Element};

/// A value of either direction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Perl's `undef`, written `<value />`.
    Undef,
    Text(String),
    /// What came as `<base64>`.
    Encoded(Vec<u8>),
    Struct(Vec<(String, Value)>),
    Array(Vec<Value>),
}

/// Why a call failed outside the method's own errors.
pub(crate) struct Fault {
    /// `Client` or `Server`: not a number, as XMLRPC::Lite has it.
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Text(number.to_string())
    }
}

impl Fault {
    pub(crate) fn client(text: impl Into<String>) -> Self {
        Self { code: "Client", text: text.into() }
    }

    pub(crate) fn server(text: impl Into<String>) -> Self {
        Self { code: "Server", text: text.into() }
    }
}

/// Reads a `methodCall`: its name and its parameters.
pub(crate) fn read_call(body: &[u8]) -> Result<(String, Vec<Value>), Fault> {
    let root = xml::parse(body).map_err(|error| malformed(&error))?;
    let name = root.child_text("methodName").ok_or_else(|| malformed("no methodName"))?;
    let parameters = root.child("params").map(|params| params.children.as_slice()).unwrap_or_default();
    let values = parameters.iter().filter_map(|parameter| parameter.child("value")).map(read).collect();
    Ok((name.to_owned(), values))
}

/// Writes a `methodResponse`.
pub(crate) fn write_reply(value: &Value) -> String {
    let mut out = head();
    out.push_str("<params><param>");
    write(&mut out, value);
    out.push_str("</param></params></methodResponse>");
    out
}

/// Writes a fault; its code is a string.
pub(crate) fn write_fault(fault: &Fault) -> String {
    let members = vec![
        ("faultCode".to_owned(), Value::from(fault.code)),
        ("faultString".to_owned(), Value::from(fault.text.as_str())),
    ];
    let mut out = head();
    out.push_str("<fault>");
    write(&mut out, &Value::Struct(members));
    out.push_str("</fault></methodResponse>");
    out
}

fn head() -> String {
    r#"<?xml version="1.0" encoding="UTF-8"?><methodResponse>"#.to_owned()
}

fn malformed(error: &str) -> Fault {
    Fault::client(format!("Application failed during request deserialization: \n{error}\n"))
}

fn read(value: &Element) -> Value {
    let Some(typed) = value.children.first() else {
        return Value::Text(value.text.clone());
    };
    match typed.name.as_str() {
        "struct" => Value::Struct(typed.children.iter().filter_map(read_member).collect()),
        "array" => Value::Array(typed.child("data").map(read_items).unwrap_or_default()),
        "base64" => {
            let compact: String = typed.text.split_whitespace().collect();
            STANDARD.decode(compact).map_or(Value::Undef, Value::Encoded)
        }
        "nil" => Value::Undef,
        "string" => Value::Text(typed.text.clone()),
        _ => Value::Text(typed.text.trim().to_owned()),
    }
}

fn read_items(data: &Element) -> Vec<Value> {
    data.children.iter().map(read).collect()
}

fn read_member(member: &Element) -> Option<(String, Value)> {
    Some((member.child_text("name")?.to_owned(), member.child("value").map(read)?))
}

fn write(out: &mut String, value: &Value) {
    if *value == Value::Undef {
        out.push_str("<value />");
        return;
    }
    out.push_str("<value>");
    match value {
        Value::Undef => {}
        Value::Text(text) => write_text(out, text),
        Value::Encoded(bytes) => write_leaf(out, "base64", &STANDARD.encode(bytes)),
        Value::Struct(members) if members.is_empty() => out.push_str("<struct />"),
        Value::Struct(members) => write_struct(out, members),
        Value::Array(items) if items.is_empty() => out.push_str("<array><data /></array>"),
        Value::Array(items) => {
            out.push_str("<array><data>");
            items.iter().for_each(|item| write(out, item));
            out.push_str("</data></array>");
        }
    }
    out.push_str("</value>");
}

fn write_struct(out: &mut String, members: &[(String, Value)]) {
    out.push_str("<struct>");
    for (name, value) in members {
        out.push_str("<member>");
        write_leaf(out, "name", name);
        write(out, value);
        out.push_str("</member>");
    }
    out.push_str("</struct>");
}

fn write_text(out: &mut String, text: &str) {
    if is_date_time(text) { write_leaf(out, "dateTime.iso8601", text) } else { write_leaf(out, "string", text) }
}

fn write_leaf(out: &mut String, name: &str, text: &str) {
    if text.is_empty() {
        out.push_str(&format!("<{name} />"));
        return;
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xd;");
    out.push_str(&format!("<{name}>{text}</{name}>"));
}

/// Freeside's table knows one type beside the string: `/^\d{8}T\d\d:\d\d:\d\d$/`.
fn is_date_time(text: &str) -> bool {
    let pattern = "ddddddddTdd:dd:dd";
    text.len() == pattern.len()
        && text.chars().zip(pattern.chars()).all(|(letter, expected)| match expected {
            'd' => letter.is_ascii_digit(),
            _ => letter == expected,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_scalars_as_the_library_does() {
        let value = Value::Struct(vec![
            ("a".to_owned(), Value::from("Tofu & Co")),
            ("b".to_owned(), Value::from("")),
            ("c".to_owned(), Value::Undef),
            ("d".to_owned(), Value::from("20100811T12:34:56")),
            ("e".to_owned(), Value::Array(Vec::new())),
        ]);
        let mut out = String::new();
        write(&mut out, &value);
        assert_eq!(
            out,
            "<value><struct><member><name>a</name><value><string>Tofu &amp; Co</string></value></member>\
             <member><name>b</name><value><string /></value></member><member><name>c</name><value /></member>\
             <member><name>d</name><value><dateTime.iso8601>20100811T12:34:56</dateTime.iso8601></value></member>\
             <member><name>e</name><value><array><data /></array></value></member></struct></value>"
        );
    }

    #[test]
    fn reads_every_spelling_of_a_value() {
        let body = b"<methodCall><methodName>m</methodName><params>\
            <param><value>bare</value></param><param><value><i4> 5 </i4></value></param>\
            <param><value><base64>xYF1\nY2ph</base64></value></param><param><value/></param></params></methodCall>";
        let (_, values) = read_call(body).unwrap_or_else(|fault| panic!("{}", fault.text));
        let lucja = Value::Encoded("Łucja".as_bytes().to_vec());
        assert_eq!(values, vec![Value::from("bare"), Value::from("5"), lucja, Value::from("")]);
    }
}
