//! Where the keys of a text stand.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::findings::lies_within;

/// The lines of a TOML text, by the keys that stand on them.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    table: DeTable<'t>,
}

impl<'t> Lines<'t> {
    /// Reads a text; nothing if it is no TOML. One that a stranger wrote is read by [`parse_toml`](crate::parse_toml) first,
    /// which refuses what nests too deep.
    #[must_use]
    pub fn of(text: &'t str) -> Option<Self> {
        Some(Self { text, table: DeTable::parse(text).ok()?.into_inner() })
    }

    /// The line, from 1, at which a key such as `routes[0].provider` begins, or the nearest one around it that is there.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        start(&self.table, key).map(|start| line(self.text, start))
    }
}

/// The line of a place in a text.
pub(crate) fn line(text: &str, start: usize) -> usize {
    text.get(..start).unwrap_or_default().matches('\n').count() + 1
}

/// Where a key begins, or the nearest one around it that is there.
fn start(table: &DeTable<'_>, key: &str) -> Option<usize> {
    // The longest of the names: an alias may have dots.
    let names = table.iter().filter(|(name, _)| lies_within(key, name.get_ref()));
    let (name, value) = names.max_by_key(|(name, _)| name.get_ref().len())?;
    Some(inside(value, &key[name.get_ref().len()..]).unwrap_or(name.span().start))
}

/// Where what is left of a key begins inside a value; nothing if it is not there.
fn inside(value: &Spanned<DeValue<'_>>, rest: &str) -> Option<usize> {
    match value.get_ref() {
        DeValue::Table(table) => start(table, rest.strip_prefix('.')?),
        DeValue::Array(items) => {
            let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            Some(inside(item, rest).unwrap_or(item.span().start))
        }
        _ => None,
    }
}
