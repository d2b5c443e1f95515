//! SOAP 1.1 rpc/encoded as SOAP::Lite 1.27 reads and writes it, types guessed from the text included.

mod autotype;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::perl::{Arguments, Perl};
use crate::xml::{self, Element};
use autotype::guess;

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soap:Envelope soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" "#,
    r#"xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" "#,
    r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
    r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>"#,
);
const FOOT: &str = "</soap:Body></soap:Envelope>";

/// A call: the method, the namespace that names its class, and the hash it was given.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) method: String,
    pub(crate) namespace: String,
    pub(crate) arguments: Arguments,
}

/// Reads an envelope; the complaint is for people.
pub(crate) fn read(body: &[u8]) -> Result<Invocation, String> {
    let envelope = xml::parse(body)?;
    let method = envelope.child("Body").and_then(|body| body.children.first()).ok_or("no method in the Body")?;
    Ok(Invocation {
        method: method.name.clone(),
        namespace: method.namespace.clone(),
        arguments: arguments(&method.children),
    })
}

/// One hash, or a flat list of names and values; parameters with names of their own lose them, as in SOAP::Lite.
fn arguments(parameters: &[Element]) -> Arguments {
    match parameters {
        [one] if one.xsi_type() == "Map" => {
            let pairs = one.children.iter().filter_map(|item| Some((item.child("key")?, item.child("value")?)));
            pairs.map(|(key, value)| (scalar(key), values(value))).collect()
        }
        [one] if !one.children.is_empty() => {
            one.children.iter().map(|child| (child.name.clone(), values(child))).collect()
        }
        list => list.chunks(2).map(|pair| (scalar(&pair[0]), pair.get(1).map(values).unwrap_or_default())).collect(),
    }
}

fn values(element: &Element) -> Vec<String> {
    if element.xsi_type() == "Array" {
        return element.children.iter().map(scalar).collect();
    }
    vec![scalar(element)]
}

/// A value as SOAP::Lite hands it to the method: booleans are 1 and 0, base64 is decoded, the rest is text.
fn scalar(element: &Element) -> String {
    match (element.xsi_type(), element.text.trim()) {
        ("boolean", "true") => return "1".to_owned(),
        ("boolean", "false") => return "0".to_owned(),
        ("base64Binary" | "base64", _) => {}
        _ => return element.text.clone(),
    }
    let compact: String = element.text.split_whitespace().collect();
    let bytes = STANDARD.decode(compact).unwrap_or_default();
    // Perl sends the bytes it has: UTF-8, or Latin-1 where no wide letter made it change over.
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

/// Writes the answer of a method; `symbol` numbers the generated element name.
pub(crate) fn write_reply(call: &Invocation, symbol: u32, value: &Perl) -> String {
    let name = match value {
        Perl::Array(_) => "soapenc:Array".to_owned(),
        _ => format!("s-gensym{symbol}"),
    };
    let mut out = HEAD.to_owned();
    out.push_str(&format!(r#"<{}Response xmlns="{}">"#, call.method, escape(&call.namespace)));
    write(&mut out, &name, value);
    out.push_str(&format!("</{}Response>{FOOT}", call.method));
    out
}

/// Writes a fault; its children have no namespace.
pub(crate) fn write_fault(code: &str, text: &str, actor: &str) -> String {
    format!(
        "{HEAD}<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{}\n</faultstring>\
         <faultactor>{}</faultactor></soap:Fault>{FOOT}",
        escape(text),
        escape(actor)
    )
}

fn write(out: &mut String, name: &str, value: &Perl) {
    match value {
        Perl::Undef => out.push_str(&format!(r#"<{name} xsi:nil="true" />"#)),
        Perl::Text(text) => write_scalar(out, name, text),
        Perl::Number(number) => write_scalar(out, name, &number.to_string()),
        Perl::Hash(members) if members.is_empty() => out.push_str(&format!("<{name} />")),
        Perl::Hash(members) => {
            out.push_str(&format!("<{name}>"));
            members.iter().for_each(|(key, value)| write(out, key, value));
            out.push_str(&format!("</{name}>"));
        }
        Perl::Array(items) => write_array(out, name, items),
    }
}

fn write_scalar(out: &mut String, name: &str, text: &str) {
    let kind = guess(text);
    let content = if kind == "base64Binary" { STANDARD.encode(text) } else { escape(text) };
    match content.as_str() {
        "" => out.push_str(&format!(r#"<{name} xsi:type="xsd:{kind}" />"#)),
        content => out.push_str(&format!(r#"<{name} xsi:type="xsd:{kind}">{content}</{name}>"#)),
    }
}

fn write_array(out: &mut String, name: &str, items: &[Perl]) {
    let kind = common_type(items);
    let open = format!(r#"<{name} soapenc:arrayType="xsd:{kind}[{}]" xsi:type="soapenc:Array""#, items.len());
    out.push_str(&open);
    if items.is_empty() {
        out.push_str(" />");
        return;
    }
    out.push('>');
    items.iter().for_each(|item| write(out, "item", item));
    out.push_str(&format!("</{name}>"));
}

fn common_type(items: &[Perl]) -> &'static str {
    let mut kinds = items.iter().map(|item| match item {
        Perl::Text(text) => guess(text),
        Perl::Number(number) => guess(&number.to_string()),
        _ => "anyType",
    });
    let first = kinds.next().unwrap_or("anyType");
    if kinds.all(|kind| kind == first) { first } else { "anyType" }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xd;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_hash_as_the_recording_of_one() {
        let items = vec![Perl::text("x"), Perl::text("y")];
        let hash = Perl::hash([
            ("id", Perl::text("27904")),
            ("list", Perl::Array(items)),
            ("empty", Perl::text("")),
            ("nested", Perl::hash([("a", Perl::text("1")), ("b", Perl::text("two"))])),
            ("undef", Perl::Undef),
        ]);
        let mut out = String::new();
        write(&mut out, "s-gensym156", &hash);
        assert_eq!(
            out,
            "<s-gensym156><id xsi:type=\"xsd:int\">27904</id><list soapenc:arrayType=\"xsd:string[2]\" \
             xsi:type=\"soapenc:Array\"><item xsi:type=\"xsd:string\">x</item><item xsi:type=\"xsd:string\">y</item>\
             </list><empty xsi:type=\"xsd:string\" /><nested><a xsi:type=\"xsd:int\">1</a>\
             <b xsi:type=\"xsd:string\">two</b></nested><undef xsi:nil=\"true\" /></s-gensym156>"
        );
    }
}
