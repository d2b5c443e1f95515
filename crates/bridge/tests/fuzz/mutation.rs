//! Inputs near to real ones.

use proptest::{collection, prelude::*, sample::Index};

use super::Input;

/// Longest input; what grows faster than its input shows before.
const MAX_BYTES: usize = 128 << 10;

/// One change of an input; places are shares of its length.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Insert(Index, &'static str),
    Cut(Index),
    Remove(Index, Index),
    Repeat(Index, Index, usize),
    Move(Index, Index, Index),
    /// The rest of another seed.
    Splice(Index, Index, Index),
}

/// A seed with a few changes, or a few bytes of no meaning.
pub(super) fn mutated(seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Input> {
    let near = (any::<Index>(), collection::vec(change(words), 0..5)).prop_map(move |(seed, changes)| {
        let mut bytes = seed.get(&seeds).clone();
        for change in changes {
            change.apply(&mut bytes, &seeds);
        }
        bytes.truncate(MAX_BYTES);
        Input(bytes)
    });
    prop_oneof![9 => near, 1 => collection::vec(any::<u8>(), 0..64).prop_map(Input)]
}

fn change(words: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        8 => (at(), proptest::sample::select(words)).prop_map(|(place, word)| Change::Insert(place, word)),
        1 => at().prop_map(Change::Cut),
        4 => (at(), at()).prop_map(|(from, to)| Change::Remove(from, to)),
        1 => (at(), at(), 2..1000_usize).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
        4 => (at(), at(), at()).prop_map(|(from, to, place)| Change::Move(from, to, place)),
        1 => (at(), at(), at()).prop_map(|(place, other, from)| Change::Splice(place, other, from)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let length = bytes.len();
        match self {
            Self::Byte(at, byte) => {
                if let Some(place) = bytes.get_mut(place(at, length)) {
                    *place = *byte;
                }
            }
            Self::Insert(at, word) => {
                let at = place(at, length);
                bytes.splice(at..at, word.bytes());
            }
            Self::Cut(at) => bytes.truncate(place(at, length)),
            Self::Remove(from, to) => drop(bytes.drain(span(from, to, length))),
            Self::Repeat(from, to, times) => {
                let span = span(from, to, length);
                let times = (*times).min(MAX_BYTES / span.len().max(1));
                let piece = bytes[span.clone()].repeat(times);
                bytes.splice(span, piece);
            }
            Self::Move(from, to, at) => {
                let piece: Vec<u8> = bytes.drain(span(from, to, length)).collect();
                let at = place(at, bytes.len());
                bytes.splice(at..at, piece);
            }
            Self::Splice(at, other, from) => {
                bytes.truncate(place(at, length));
                let other = other.get(seeds);
                bytes.extend_from_slice(&other[place(from, other.len())..]);
            }
        }
    }
}

fn span(from: &Index, to: &Index, length: usize) -> std::ops::Range<usize> {
    let (from, to) = (from.index(length + 1), to.index(length + 1));
    from.min(to)..from.max(to)
}
