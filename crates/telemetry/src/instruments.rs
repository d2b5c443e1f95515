//! Instruments that are bound to their attributes once: the SDK hashes all of those with each measurement, in every one of
//! its readers.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
};

use rustc_hash::FxHashMap;

/// How many are kept, which is how many sets of attributes the SDK tells apart in one instrument; what comes beyond is bound
/// for each measurement.
const MOST: usize = 2000;

/// BoundInstruments instruments by a word of the program's, which are few, and a name of the contract's or the configuration's. No
/// stranger chooses those, so a hash that is fast will do.
pub struct BoundInstruments<I>(RwLock<Names<I>>);

/// Of a few words a list is searched in less time than it takes to hash one.
type Names<I> = Vec<(&'static str, FxHashMap<Box<str>, I>)>;

impl<I> BoundInstruments<I> {
    /// Measures with the instrument of these names, which is bound if it was not yet; without one nothing is measured.
    pub fn measure(&self, word: &'static str, name: &str, measure: impl FnOnce(&I), bind: impl FnOnce() -> Option<I>) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names = known.iter().find_map(|(known, names)| (*known == word).then_some(names));
        if let Some(instrument) = names.and_then(|names| names.get(name)) {
            return measure(instrument);
        }
        drop(known);
        if let Some(instrument) = bind() {
            measure(&instrument);
            self.keep(word, name, instrument);
        }
    }

    fn keep(&self, word: &'static str, name: &str, instrument: I) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.iter().map(|(_, names)| names.len()).sum::<usize>() >= MOST {
            return;
        }
        let place = known.iter().position(|(known, _)| *known == word).unwrap_or_else(|| {
            known.push((word, FxHashMap::default()));
            known.len() - 1
        });
        known[place].1.insert(name.into(), instrument);
    }
}

impl<I> Default for BoundInstruments<I> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<I> fmt::Debug for BoundInstruments<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BoundInstruments").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn everything_is_measured_and_so_much_is_bound_once() {
        let bound = BoundInstruments::default();
        let (measured, made) = (Cell::new(0), Cell::new(0));
        let measure = |word, number: usize| {
            let bind = || Some(made.replace(made.get() + 1));
            bound.measure(word, &number.to_string(), |_| measured.set(measured.get() + 1), bind);
        };
        for _ in 0..2 {
            (0..MOST / 2).for_each(|number| measure("OK", number));
            (0..MOST / 2).for_each(|number| measure("INTERNAL", number));
        }
        assert_eq!((measured.get(), made.get()), (2 * MOST, MOST));
        (0..3).for_each(|_| measure("OK", MOST));
        assert_eq!((measured.get(), made.get()), (2 * MOST + 3, MOST + 3));
        bound.measure("OK", "nothing to bind", |_| panic!("measured"), || None);
    }
}
