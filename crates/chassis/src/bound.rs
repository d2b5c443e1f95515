//! Instruments that are bound to their attributes once: the SDK hashes all of those with each measurement, in every one of
//! its readers.

use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
};

/// How many are kept, which is how many sets of attributes the SDK tells apart in one instrument; what comes beyond is bound
/// for each measurement.
const MOST: usize = 2000;

/// Bound instruments by a word of the program's, which are few, and a name that calls bring.
pub(crate) struct Bound<I>(RwLock<Names<I>>);

/// Of a few words a list is searched in less time than it takes to hash one.
type Names<I> = Vec<(&'static str, HashMap<Box<str>, I>)>;

impl<I> Bound<I> {
    /// Measures with the instrument of these names, which is bound if it was not yet; without one nothing is measured.
    pub(crate) fn measure(
        &self,
        word: &'static str,
        name: &str,
        measure: impl FnOnce(&I),
        bind: impl FnOnce() -> Option<I>,
    ) {
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
            known.push((word, HashMap::new()));
            known.len() - 1
        });
        known[place].1.insert(name.into(), instrument);
    }
}

impl<I> Default for Bound<I> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<I> fmt::Debug for Bound<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bound").finish_non_exhaustive()
    }
}
