//! Text as Perl's XML::Simple writes it (`XMLout`, version 2.25): no declaration, two blanks per level, names unchecked.
//!
//! So an element may be called `<1>` and an attribute `Nowy Status`; what reads it must not be an XML parser.

use std::borrow::Cow;

use crate::perl::Perl;

/// What `KeyAttr` is when nothing is said.
const KEYS: [&str; 3] = ["name", "key", "id"];

/// The options of `XMLout` that the upstream's samples attest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    /// Whether a scalar in a hash becomes an attribute (`NoAttr => 0`).
    pub(crate) attributes: bool,
    /// Whether a hash of hashes becomes a list with its keys inside, and a key comes first (`KeyAttr` as it is by
    /// default, or `[]`).
    pub(crate) folding: bool,
}

/// The whole text, a line break at its end.
pub(crate) fn write(root: &str, value: &Perl, style: Style) -> String {
    let mut out = String::new();
    style.write_value(&mut out, root, value, 0);
    out
}

impl Style {
    fn write_value(self, out: &mut String, name: &str, value: &Perl, depth: usize) {
        match value {
            Perl::Hash(members) => match self.unfolded(members, depth) {
                Some(hashes) => hashes.iter().for_each(|hash| self.write_hash(out, name, hash, depth)),
                None => self.write_hash(out, name, members, depth),
            },
            Perl::Array(items) => items.iter().for_each(|item| self.write_item(out, name, item, depth)),
            scalar => write_scalar(out, name, scalar, depth),
        }
    }

    /// `hash_to_array`: hashes by key become hashes that name their key, unless they have a `name` of their own.
    fn unfolded(self, members: &[(String, Perl)], depth: usize) -> Option<Vec<Vec<(String, Perl)>>> {
        if depth == 0 || members.is_empty() || !self.folding {
            return None;
        }
        let hashes: Option<Vec<_>> = sorted(members, false)
            .map(|(key, value)| match value {
                Perl::Hash(inner) if inner.iter().any(|(name, _)| name == KEYS[0]) => Some(inner.clone()),
                Perl::Hash(inner) => {
                    let mut hash = vec![(KEYS[0].to_owned(), Perl::text(key.as_str()))];
                    hash.extend_from_slice(inner);
                    Some(hash)
                }
                _ => None,
            })
            .collect();
        hashes
    }

    fn write_hash(self, out: &mut String, name: &str, members: &[(String, Perl)], depth: usize) {
        let (indent, mut attributes, mut nested) = ("  ".repeat(depth), String::new(), String::new());
        let mut has_children = false;
        for (key, value) in sorted(members, self.folding) {
            match value.scalar() {
                Some(text) if self.attributes => attributes.push_str(&format!(r#" {key}="{}""#, escape(&text))),
                _ => {
                    has_children = true;
                    self.write_value(&mut nested, key, value, depth + 1);
                }
            }
        }
        out.push_str(&match (members.is_empty(), has_children) {
            (true, _) => format!("{indent}<{name}></{name}>\n"),
            (_, true) => format!("{indent}<{name}{attributes}>\n{nested}{indent}</{name}>\n"),
            _ => format!("{indent}<{name}{attributes} />\n"),
        });
    }

    /// A list within a list has no name of its own.
    fn write_item(self, out: &mut String, name: &str, item: &Perl, depth: usize) {
        let Perl::Array(_) = item else {
            return self.write_value(out, name, item, depth);
        };
        let indent = "  ".repeat(depth);
        out.push_str(&format!("{indent}<{name}>\n"));
        self.write_value(out, "anon", item, depth + 1);
        out.push_str(&format!("{indent}</{name}>\n"));
    }
}

fn write_scalar(out: &mut String, name: &str, scalar: &Perl, depth: usize) {
    let text = scalar.scalar().unwrap_or_default();
    out.push_str(&format!("{}<{name}>{}</{name}>\n", "  ".repeat(depth), escape(&text)));
}

/// `sorted_keys`: the first key attribute there is, then the rest in the order of their bytes.
fn sorted(members: &[(String, Perl)], key_first: bool) -> impl Iterator<Item = &(String, Perl)> {
    let first = KEYS.iter().find(|key| key_first && members.iter().any(|(name, _)| name == *key));
    let mut rest: Vec<_> = members.iter().collect();
    rest.sort_by_key(|(name, _)| (Some(&name.as_str()) != first, name.as_str()));
    rest.into_iter()
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Perl {
        let text = |text: &str| Perl::text(text);
        let pair = |one: &str, other: &str| Perl::hash([("id", text(one)), ("label", text(other))]);
        let folded = [("q", Perl::hash([("name", text("own")), ("c", text("2"))])), ("p", pair("1", "x"))];
        Perl::hash([
            ("s", text("A & \"B\"")),
            ("39", pair("39", "x")),
            ("b", Perl::hash(folded)),
            ("u", Perl::Undef),
            ("l", Perl::array([text("1"), pair("7", "v"), Perl::array([text("x"), text("y")])])),
            ("h", Perl::hash::<String>([])),
            ("e", Perl::array([])),
        ])
    }

    /// What XML::Simple 2.25 itself writes for the same structure.
    #[test]
    fn writes_what_the_real_one_writes() {
        let list = "<l>1</l>\n  <l>\n    <id>7</id>\n    <label>v</label>\n  </l>\n  <l>\n    <anon>x</anon>\n    \
                    <anon>y</anon>\n  </l>\n  <s>A &amp; &quot;B&quot;</s>\n  <u></u>\n</root>\n";
        let first = "<root>\n  <39>\n    <id>39</id>\n    <label>x</label>\n  </39>\n";
        let folding = "  <b>\n    <name>p</name>\n    <id>1</id>\n    <label>x</label>\n  </b>\n  <b>\n    \
                       <name>own</name>\n    <c>2</c>\n  </b>\n  <h></h>\n  ";
        let elements = Style { attributes: false, folding: true };
        assert_eq!(write("root", &sample(), elements), format!("{first}{folding}{list}"));
        let plain = "  <b>\n    <p>\n      <id>1</id>\n      <label>x</label>\n    </p>\n    <q>\n      <c>2</c>\n      \
                     <name>own</name>\n    </q>\n  </b>\n  <h></h>\n  ";
        let unfolded = Style { attributes: false, folding: false };
        assert_eq!(write("root", &sample(), unfolded), format!("{first}{plain}{list}"));
        let attributes = Style { attributes: true, folding: true };
        let expected = "<root s=\"A &amp; &quot;B&quot;\" u=\"\">\n  <39 id=\"39\" label=\"x\" />\n  \
                        <b name=\"p\" id=\"1\" label=\"x\" />\n  <b name=\"own\" c=\"2\" />\n  <h></h>\n  <l>1</l>\n  \
                        <l id=\"7\" label=\"v\" />\n  <l>\n    <anon>x</anon>\n    <anon>y</anon>\n  </l>\n</root>\n";
        assert_eq!(write("root", &sample(), attributes), expected);
    }

    #[test]
    fn writes_empty_roots() {
        let style = Style { attributes: false, folding: true };
        assert_eq!(write("r", &Perl::hash([("e", Perl::array([]))]), style), "<r>\n</r>\n");
        assert_eq!(write("r", &Perl::hash::<String>([]), style), "<r></r>\n");
    }
}
