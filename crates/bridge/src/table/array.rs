//! PostgreSQL's text form of an array: `{"billing information",maintenance}`.

use bumpalo::{Bump, collections::String as BumpString};

use crate::node::Node;

/// Writes the scalars among `items`, each in quotes.
pub(super) fn write<'t>(items: &[Node<'_>], arena: &'t Bump) -> &'t str {
    let mut text = BumpString::from_str_in("{", arena);
    for (at, item) in items.iter().filter_map(Node::scalar).enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        for c in item.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text.into_bump_str()
}

/// Reads the elements of an array of one dimension, NULL ones left out; `None` if the text is not one.
pub(super) fn read(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (item, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (item, after) = quoted_item(quoted)?;
            (Some(item), after)
        } else {
            bare_item(rest)?
        };
        items.extend(item);
        rest = match after.trim_start().strip_prefix(',') {
            Some(more) if !more.trim().is_empty() => more.trim_start(),
            None if after.trim().is_empty() => "",
            _ => return None,
        };
    }
    Some(items)
}

/// What stands before the closing quote, its escapes undone, and what comes after it.
fn quoted_item(text: &str) -> Option<(String, &str)> {
    let mut item = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((item, &text[at + 1..])),
            '\\' => item.push(chars.next()?.1),
            _ => item.push(c),
        }
    }
    None
}

/// A word without quotes, `None` in it for NULL, and what comes after it.
fn bare_item(text: &str) -> Option<(Option<String>, &str)> {
    let (word, after) = text.split_at(text.find(',').unwrap_or(text.len()));
    let word = word.trim();
    if word.is_empty() || word.contains(['{', '}', '"', '\\']) {
        return None;
    }
    Some(((!word.eq_ignore_ascii_case("null")).then(|| word.to_owned()), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_forms_of_postgresql() {
        let some = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#"{"billin information", "maintenance"}"#), some(&["billin information", "maintenance"]));
        assert_eq!(read("{}"), some(&[]));
        assert_eq!(read(r#"{a,NULL,"",b c}"#), some(&["a", "", "b c"]));
        for bad in ["", "a", "{", "{a,}", "{,a}", r#"{"a}"#, r#"{"a"b}"#, "{{a}}", r#"{"a\"}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(items: Vec<String>) {
            let arena = Bump::new();
            let nodes: Vec<Node<'_>> = items.iter().map(|item| Node::Text(item)).collect();
            prop_assert_eq!(read(write(&nodes, &arena)), Some(items));
        }
    }
}
