//! Named values that come one after the other: what becomes of a name that comes again.

use std::collections::HashMap;

use bumpalo::{Bump, collections::Vec as BumpVec};

use crate::node::{Entry, Node};

/// Where names stand among entries, found without a comparison for nearly every name that is new.
#[derive(Default)]
struct Places<'t> {
    /// A bit for each value of [`mark`] that came.
    marks: [u64; 4],
    /// The names of a record so large that a look through it would be quadratic; strangers choose them, so the hash has a key.
    index: Option<HashMap<&'t str, usize>>,
}

impl<'t> Places<'t> {
    /// Up to so many names a look through the entries is cheaper than hashes.
    const SCAN: usize = 64;

    /// Where `name` stands in `entries`; if it does not, it is about to be added.
    fn place(&mut self, name: &'t str, entries: &[Entry<'t>]) -> Option<usize> {
        let next = entries.len();
        if next >= Self::SCAN {
            let all = || entries.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
            let at = *self.index.get_or_insert_with(all).entry(name).or_insert(next);
            return (at < next).then_some(at);
        }
        let mark = mark(name);
        let (word, bit) = (&mut self.marks[usize::from(mark >> 6)], 1 << (mark & 63));
        let is_new = *word & bit == 0;
        *word |= bit;
        if is_new { None } else { entries.iter().position(|(known, _)| *known == name) }
    }
}

/// A number that few names of one record share: of their length and last letters.
fn mark(name: &str) -> u8 {
    let bytes = name.as_bytes();
    let last = bytes.last_chunk::<4>().map_or_else(
        || bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)),
        |chunk| u32::from_le_bytes(*chunk),
    );
    ((last ^ bytes.len() as u32).wrapping_mul(0x9E37_79B1) >> 24) as u8
}

/// Named values of which the last counts when a name comes again, as readers of JSON have it.
#[derive(Default)]
pub(super) struct LastOfEach<'t>(Places<'t>);

impl<'t> LastOfEach<'t> {
    /// Adds an entry to those that stand in `entries` from `first` on; each of them was added by this.
    pub(super) fn add(&mut self, entries: &mut Vec<Entry<'t>>, first: usize, name: &'t str, value: Node<'t>) {
        match self.0.place(name, &entries[first..]) {
            Some(at) => entries[first + at].1 = value,
            None => entries.push((name, value)),
        }
    }
}

/// An entry whose name may be missing: its value then stands under no name, and cannot be read.
pub(super) fn member<'t>(name: Option<&'t str>, value: Node<'t>) -> Entry<'t> {
    match name {
        Some(name) if !name.is_empty() => (name, value),
        _ => ("", Node::Unreadable(value.scalar().unwrap_or(""))),
    }
}

/// Collects named values; a name that comes again makes a list of its values, as XML has them.
pub(super) struct Gather<'t> {
    arena: &'t Bump,
    entries: BumpVec<'t, Entry<'t>>,
    places: Places<'t>,
    /// The lists of names that came again; most names come once, so that only the others cost something.
    lists: Vec<Vec<Node<'t>>>,
    /// For each entry the number of its list, counted from one.
    list_of: Vec<usize>,
}

impl<'t> Gather<'t> {
    pub(super) fn new(arena: &'t Bump, expected: usize) -> Self {
        let entries = BumpVec::with_capacity_in(expected, arena);
        Gather { arena, entries, places: Places::default(), lists: Vec::new(), list_of: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &'t str, value: Node<'t>) {
        let Some(at) = self.places.place(name, &self.entries) else {
            self.entries.push((name, value));
            return;
        };
        if self.list_of.len() <= at {
            self.list_of.resize(self.entries.len(), 0);
        }
        match self.list_of[at] {
            0 => {
                self.lists.push(vec![self.entries[at].1, value]);
                self.list_of[at] = self.lists.len();
            }
            number => self.lists[number - 1].push(value),
        }
    }

    pub(super) fn finish(mut self) -> Node<'t> {
        for (at, number) in self.list_of.iter().enumerate().filter(|(_, number)| **number > 0) {
            self.entries[at].1 = Node::List(self.arena.alloc_slice_copy(&self.lists[number - 1]));
        }
        Node::Map(self.entries.into_bump_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of which many share a mark, and as many as make an index; each twice.
    #[test]
    fn of_a_name_that_comes_again_the_last_counts() {
        for count in [1, 2, 16, 63, 64, 65, 66, 1000] {
            let names: Vec<String> = (0..count).map(|n| format!("name {n}")).collect();
            let (mut last, mut entries) = (LastOfEach::default(), vec![("around", Node::Null)]);
            for value in [Node::Bool(false), Node::Bool(true)] {
                names.iter().for_each(|name| last.add(&mut entries, 1, name, value));
            }
            let expected = names.iter().map(|name| (name.as_str(), Node::Bool(true)));
            assert_eq!(entries, [("around", Node::Null)].into_iter().chain(expected).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn a_name_that_comes_again_makes_a_list() {
        for count in [1, 63, 64, 65, 200] {
            let (names, arena) = ((0..count).map(|n| n.to_string()).collect::<Vec<_>>(), Bump::new());
            let mut gather = Gather::new(&arena, 0);
            for value in ["a", "b", "c"] {
                names.iter().for_each(|name| gather.add(name, Node::Text(value)));
            }
            gather.add("once", Node::Null);
            let Node::Map(entries) = gather.finish() else { panic!("a map") };
            let list = Node::List(&[Node::Text("a"), Node::Text("b"), Node::Text("c")]);
            assert_eq!((entries.len(), entries[count]), (count + 1, ("once", Node::Null)));
            assert!(entries[..count].iter().zip(&names).all(|(entry, name)| *entry == (name.as_str(), list)));
        }
    }
}
