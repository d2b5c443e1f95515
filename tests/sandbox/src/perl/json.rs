//! JSON as Perl's `JSON->pretty` writes it: three blanks per level, a blank on either side of the colon.

use serde_json::Value;

use super::{Arguments, Perl};

const INDENT: &str = "   ";

/// A whole document, a line break at its end.
pub(crate) fn write(value: &Perl) -> String {
    let mut out = String::new();
    write_at(&mut out, value, 0);
    out.push('\n');
    out
}

/// The object of a call; the complaint is for people.
pub(crate) fn read(body: &[u8]) -> Result<Arguments, String> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members.into_iter().map(|(name, value)| (name, texts(&value))).collect()),
        Ok(_) => Err("not a HASH reference".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A value as texts; JSON's `true` is Perl's 1, its `null` and a hash say nothing.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(flag) => vec![i32::from(*flag).to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn write_at(out: &mut String, value: &Perl, depth: usize) {
    match value {
        Perl::Text(text) => out.push_str(&quoted(text)),
        Perl::Number(number) => out.push_str(&number.to_string()),
        Perl::Undef => out.push_str("null"),
        Perl::Hash(members) => write_list(out, ['{', '}'], members, depth, |out, (key, value)| {
            out.push_str(&quoted(key));
            out.push_str(" : ");
            write_at(out, value, depth + 1);
        }),
        Perl::Array(items) => write_list(out, ['[', ']'], items, depth, |out, item| write_at(out, item, depth + 1)),
    }
}

fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: &[T],
    depth: usize,
    write_item: impl Fn(&mut String, &T),
) {
    out.push(open);
    for (number, item) in items.iter().enumerate() {
        out.push_str(if number == 0 { "\n" } else { ",\n" });
        out.push_str(&INDENT.repeat(depth + 1));
        write_item(out, item);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&INDENT.repeat(depth));
    }
    out.push(close);
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_documents_form() {
        let result = Perl::hash([
            ("interfaceid", Perl::array([Perl::text("20")])),
            ("generated", Perl::Number(10)),
            ("default", Perl::Undef),
            ("none", Perl::array([])),
        ]);
        let reply = Perl::hash([("ip", Perl::text("127.0.0.1")), ("result", result)]);
        let expected = "{\n   \"ip\" : \"127.0.0.1\",\n   \"result\" : {\n      \"interfaceid\" : [\n         \"20\"\n      \
                        ],\n      \"generated\" : 10,\n      \"default\" : null,\n      \"none\" : []\n   }\n}\n";
        assert_eq!(write(&reply), expected);
    }

    #[test]
    fn reads_texts_numbers_and_arrays() {
        let arguments = read(br#"{"a": "x", "b": 7, "c": [1, "2"], "d": null, "e": ""}"#).unwrap();
        assert_eq!((arguments.get("a"), arguments.get("b"), arguments.get("d")), ("x", "7", ""));
        assert_eq!(arguments.all("c"), ["1", "2"]);
        assert!(arguments.has("e") && !arguments.has("f"));
        assert!(read(b"[]").is_err() && read(b"{").is_err());
    }
}
