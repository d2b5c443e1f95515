//! Url-encoded forms: as the body of a call, as its query, and as a reply.
//!
//! Names with brackets make lists and maps, as PHP reads and writes them: `a[b]` is the entry `b` of `a`, and `a[]` its
//! next item. Unlike PHP, a dot or a blank in a name stays what it is.

use std::borrow::Cow;

use bumpalo::Bump;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use url::form_urlencoded::{self, byte_serialize};

use super::WireError;
use crate::{
    binary::{self, Alphabet},
    node::{Entry, Node},
    problem::{Problem, Problems},
};

/// Levels of brackets that are read, as many as PHP reads by default.
const MAX_LEVELS: usize = 64;

/// How a list or a map is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nesting {
    /// A list is its name once for each item; a form of this kind has no maps and no lists of lists.
    #[default]
    Repeated,
    /// `list[]`, `map[key]`, and `list[0][key]` where items have entries of their own.
    Brackets,
}

/// How a text that may hold character references of HTML is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entities {
    /// As it stands.
    #[default]
    Kept,
    /// A reference is the character that it names, which separates nothing (directadmin.md, 2).
    Decoded,
}

/// Writes entries; a nothing, an empty list and an empty map are left out, for no form can say them.
///
/// # Errors
/// [`Problems`] naming each entry that a form of this nesting cannot carry.
pub fn write<'e>(
    entries: impl IntoIterator<Item = &'e Entry<'e>>,
    nesting: Nesting,
    out: &mut String,
) -> Result<(), Problems> {
    let mut writer = Writer { out, nesting, name: String::new(), problems: Vec::new() };
    for (name, value) in entries {
        writer.name.clear();
        writer.name.push_str(name);
        let is_nested = matches!(value, Node::List(_) | Node::Map(_)) && nesting == Nesting::Brackets;
        if is_nested && !is_closed(name) {
            writer.refuse("has a name whose brackets do not close");
            continue;
        }
        writer.value(*value);
    }
    if writer.problems.is_empty() { Ok(()) } else { Err(Problems(writer.problems)) }
}

struct Writer<'o> {
    out: &'o mut String,
    nesting: Nesting,
    /// The name of what is being written, brackets and all.
    name: String,
    problems: Vec<Problem>,
}

impl Writer<'_> {
    fn value(&mut self, value: Node<'_>) {
        match value {
            Node::List(items) if self.nesting == Nesting::Repeated => self.repeated(items),
            Node::List(items) => self.list(items),
            Node::Map(entries) if self.nesting == Nesting::Brackets => {
                entries.iter().for_each(|(key, value)| self.entry(key, *value));
            }
            Node::Map([]) => {}
            Node::Map(_) => self.refuse("has entries of its own, which this call cannot carry"),
            Node::Bytes(bytes) => self.pair(&binary::encode(bytes, Alphabet::Standard)),
            _ => value.scalar().into_iter().for_each(|text| self.pair(text)),
        }
    }

    fn repeated(&mut self, items: &[Node<'_>]) {
        for item in items {
            match item {
                Node::List(_) => self.refuse("is a list of lists, which this call cannot carry"),
                _ => self.value(*item),
            }
        }
    }

    /// Items with entries of their own need a number each: PHP begins a new item at every `[]`.
    fn list(&mut self, items: &[Node<'_>]) {
        let is_flat = !items.iter().any(|item| matches!(item, Node::List(_) | Node::Map(_)));
        for (number, item) in items.iter().enumerate() {
            self.within(&if is_flat { String::new() } else { number.to_string() }, *item);
        }
    }

    fn entry(&mut self, key: &str, value: Node<'_>) {
        if key.is_empty() || key.contains(['[', ']']) {
            return self.refuse("has a key that is empty or contains a bracket");
        }
        self.within(key, value);
    }

    fn within(&mut self, key: &str, value: Node<'_>) {
        let length = self.name.len();
        self.name.extend(["[", key, "]"]);
        self.value(value);
        self.name.truncate(length);
    }

    fn pair(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.out.extend(byte_serialize(self.name.as_bytes()));
        self.out.push('=');
        self.out.extend(byte_serialize(text.as_bytes()));
    }

    fn refuse(&mut self, why: &str) {
        self.problems.push(Problem::new(&self.name, why));
    }
}

/// Reads a form. Of a name that comes twice the last value counts; what has the keys 0, 1, 2 and so on in order is a list;
/// a name without `=` has an empty text. An empty text is an empty map.
///
/// # Errors
/// [`WireError::Envelope`] if names have more than 64 levels of brackets.
pub fn parse<'t>(text: &str, entities: Entities, arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let text = if entities == Entities::Decoded { without_references(text) } else { Cow::Borrowed(text) };
    let mut root = Branch::default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let keys = keys(&name);
        if keys.len() > MAX_LEVELS {
            return Err(WireError::Envelope("a name with more than 64 levels"));
        }
        root.insert(keys[0].to_owned(), &keys[1..], value.into_owned());
    }
    Ok(Node::Map(root.entries(arena)))
}

/// What a name says: the part before its first bracket, and what is in each pair of them.
fn keys(name: &str) -> Vec<&str> {
    let Some(open) = name.find('[').filter(|open| *open > 0 && name[*open..].contains(']')) else { return vec![name] };
    let (mut keys, mut rest) = (vec![&name[..open]], &name[open..]);
    while let Some((key, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        keys.push(key);
        rest = after;
    }
    keys
}

/// Whether what follows a name in brackets is read as such.
fn is_closed(name: &str) -> bool {
    let depth = keys(&format!("{name}[]")).len();
    depth == name.matches('[').count() + 2
}

/// Named values, and the number of the next that has none.
#[derive(Default)]
struct Branch {
    values: IndexMap<String, Value, FxBuildHasher>,
    next: i64,
}

enum Value {
    Text(String),
    Branch(Branch),
}

impl Branch {
    fn insert(&mut self, key: String, below: &[&str], text: String) {
        if let Some(number) = key.parse::<i64>().ok().filter(|number| number.to_string() == key) {
            self.next = self.next.max(number.saturating_add(1));
        }
        let value = self.values.entry(key).or_insert_with(|| Value::Text(String::new()));
        let Some((key, below)) = below.split_first() else {
            *value = Value::Text(text);
            return;
        };
        if let Value::Text(_) = value {
            *value = Value::Branch(Branch::default());
        }
        if let Value::Branch(branch) = value {
            let key = if key.is_empty() { branch.next.to_string() } else { (*key).to_owned() };
            branch.insert(key, below, text);
        }
    }

    fn entries<'t>(&self, arena: &'t Bump) -> &'t [Entry<'t>] {
        let entries = self.values.iter();
        arena.alloc_slice_fill_iter(entries.map(|(key, value)| (&*arena.alloc_str(key), value.node(arena))))
    }

    fn is_list(&self) -> bool {
        self.values.keys().enumerate().all(|(number, key)| *key == number.to_string())
    }
}

impl Value {
    fn node<'t>(&self, arena: &'t Bump) -> Node<'t> {
        match self {
            Value::Text(text) => Node::Text(arena.alloc_str(text)),
            Value::Branch(branch) if branch.is_list() => {
                Node::List(arena.alloc_slice_fill_iter(branch.values.values().map(|value| value.node(arena))))
            }
            Value::Branch(branch) => Node::Map(branch.entries(arena)),
        }
    }
}

/// The text with each character reference replaced by the character, url-encoded.
fn without_references(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = reference(rest).unzip();
        match character {
            Some(character) => out.extend(byte_serialize(character.encode_utf8(&mut [0; 4]).as_bytes())),
            None => out.push('&'),
        }
        rest = &rest[length.unwrap_or(1)..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character reference that a text begins with, and its length. One without a semicolon has two digits, as DirectAdmin
/// writes it (directadmin.md, 2).
fn reference(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 6] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&apos;", '\''), ("&nbsp;", '\u{a0}')];
    if let Some((name, character)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*character, name.len()));
    }
    let digits = text.strip_prefix("&#")?;
    let (digits, radix, start) = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16, 3),
        None => (digits, 10, 2),
    };
    let count = digits.bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    let (count, end) = if digits[count..].starts_with(';') { (count, 1) } else { (2.min(count), 0) };
    if end == 0 && (radix == 16 || count < 2) {
        return None;
    }
    let character = char::from_u32(u32::from_str_radix(&digits[..count], radix).ok()?)?;
    Some((character, start + count + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn written(value: Node<'_>, nesting: Nesting) -> Result<String, String> {
        let mut out = String::new();
        let Node::Map(entries) = value else { panic!("no map") };
        write(entries, nesting, &mut out).map(|()| out).map_err(|problems| problems.to_string())
    }

    fn read(text: &str, entities: Entities) -> String {
        let (arena, mut out) = (Bump::new(), String::new());
        json::write(parse(text, entities, &arena).unwrap(), &mut out);
        out
    }

    #[test]
    fn lists_and_maps_have_brackets() {
        let (one, two) = (Node::Text("1"), Node::Number("2"));
        let inner = Node::Map(&[("k.x", Node::Text("a b"))]);
        let value = [
            ("list", Node::List(&[one, two])),
            ("map", Node::Map(&[("b", one), ("c", Node::List(&[two]))])),
            ("items", Node::List(&[inner, inner])),
            ("none", Node::Null),
            ("empty", Node::List(&[])),
            ("blank", Node::Text("")),
        ];
        let expected = "list%5B%5D=1&list%5B%5D=2&map%5Bb%5D=1&map%5Bc%5D%5B%5D=2\
                        &items%5B0%5D%5Bk.x%5D=a+b&items%5B1%5D%5Bk.x%5D=a+b&blank=";
        assert_eq!(written(Node::Map(&value), Nesting::Brackets).unwrap(), expected);
        assert_eq!(written(Node::Map(&value[..1]), Nesting::Repeated).unwrap(), "list=1&list=2");
    }

    #[test]
    fn what_a_form_cannot_carry_is_named() {
        let nested = Node::Map(&[("b", Node::Text("1"))]);
        for (value, nesting, expected) in [
            (nested, Nesting::Repeated, "a has entries of its own"),
            (Node::List(&[nested]), Nesting::Repeated, "a has entries of its own"),
            (Node::List(&[Node::List(&[])]), Nesting::Repeated, "a is a list of lists"),
            (Node::Map(&[("x]", Node::Text("1"))]), Nesting::Brackets, "a has a key"),
            (Node::Map(&[("b", Node::Map(&[("", Node::Text("1"))]))]), Nesting::Brackets, "a[b] has a key"),
        ] {
            let problems = written(Node::Map(&[("a", value), ("c", Node::Text("2"))]), nesting).unwrap_err();
            assert!(problems.starts_with(expected), "{problems}");
        }
    }

    #[test]
    fn names_are_read_as_php_reads_them() {
        for (text, expected) in [
            ("", "{}"),
            ("a", r#"{"a":""}"#),
            ("a=1&a=2", r#"{"a":"2"}"#),
            ("example.com=owner+one&b%20c=%C3%A9", r#"{"example.com":"owner one","b c":"é"}"#),
            ("list[]=a&list%5B%5D=b", r#"{"list":["a","b"]}"#),
            ("a[0]=x&a[2]=y", r#"{"a":{"0":"x","2":"y"}}"#),
            ("a[5]=x&a[]=y", r#"{"a":{"5":"x","6":"y"}}"#),
            ("a[b][c]=1&a[b][d]=2", r#"{"a":{"b":{"c":"1","d":"2"}}}"#),
            ("a=1&a[b]=2", r#"{"a":{"b":"2"}}"#),
            ("a[b]=2&a=1", r#"{"a":"1"}"#),
            ("a[b=1&[c]=2&d]=3", r#"{"a[b":"1","[c]":"2","d]":"3"}"#),
            ("select0=x&select1=y&select[dns]=z", r#"{"select0":"x","select1":"y","select":{"dns":"z"}}"#),
        ] {
            assert_eq!(read(text, Entities::Kept), expected, "{text}");
        }
        let deep = "a".to_owned() + &"[b]".repeat(MAX_LEVELS) + "=1";
        assert!(parse(&deep, Entities::Kept, &Bump::new()).is_err());
    }

    #[test]
    fn a_reference_is_a_character_and_separates_nothing() {
        for (text, expected) in [
            ("error=1&text=a&#58b&details=c", r#"{"error":"1","text":"a:b","details":"c"}"#),
            ("text=a&#5812", r#"{"text":"a:12"}"#),
            ("text=a&#8364;b&#x20ac;", r#"{"text":"a€b€"}"#),
            ("text=a&amp;b&#38;c&#61d&#37;20&#43;", r#"{"text":"a&b&c=d%20+"}"#),
            ("text=%26%2338&b=%26amp%3B", r#"{"text":"&#38","b":"&amp;"}"#),
            (
                "text=a&#5&b=&#;&c=&#xzz;&d=&#xD800;",
                r##"{"text":"a","#5":"","b":"","#;":"","c":"","#xzz;":"","d":"","#xD800;":""}"##,
            ),
        ] {
            assert_eq!(read(text, Entities::Decoded), expected, "{text}");
        }
        assert_eq!(read("text=a&#58b", Entities::Kept), r##"{"text":"a","#58b":""}"##);
    }
}
