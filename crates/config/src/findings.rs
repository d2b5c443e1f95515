//! What a check of a configuration found.

use std::{collections::HashMap, fmt::Display};

use crate::error::{Error, Mistake, Mistakes};

/// Collects what is wrong with a configuration, and what of it has no effect, so that one run tells all of it.
///
/// A check sees what could be read. Where an entry could not, that has been told already, and a mistake that would only follow
/// from it is not recorded.
#[derive(Debug, Default)]
pub struct Findings {
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) warnings: Vec<Mistake>,
    /// Keys whose values could not be read and are missing from what is checked.
    unread: Vec<String>,
    /// Of each list that lacks entries, the indices of those that it still has, as the file counts them.
    kept: HashMap<String, Vec<usize>>,
}

impl Findings {
    /// Records what is wrong at a key such as `routes[0].provider`: "must be ...".
    pub fn mistake(&mut self, key: impl AsRef<str>, text: impl Display) {
        if self.is_whole(key.as_ref()) {
            self.add(Mistake::new(self.in_file(key.as_ref()), text));
        }
    }

    /// Records what is right at a key but has no effect.
    pub fn warning(&mut self, key: impl AsRef<str>, text: impl Display) {
        let key = self.in_file(key.as_ref());
        self.warnings.push(Mistake::new(key, text));
    }

    /// Whether all of a section could be read, so that what is missing there is really missing.
    #[must_use]
    pub fn is_whole(&self, section: &str) -> bool {
        let section = &self.in_file(section);
        !self.unread.iter().any(|unread| lies_within(unread, section) || lies_within(section, unread))
    }

    /// Records the error of a step, or gives what it made.
    pub fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(made) => return Some(made),
            Err(Error::Config(Mistakes(mistakes))) => mistakes.into_iter().for_each(|mistake| match mistake.place {
                Some(_) => self.mistakes.push(mistake),
                None => self.mistake(mistake.key, mistake.text),
            }),
            Err(other) => self.mistakes.push(Mistake::new("", other)),
        }
        None
    }

    /// All mistakes as one error, if there are any.
    ///
    /// # Errors
    /// The mistakes.
    pub fn into_result(self) -> Result<(), Error> {
        if self.mistakes.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// All mistakes, of which there are some, as one error.
    #[must_use]
    pub fn into_error(self) -> Error {
        Error::Config(Mistakes(self.mistakes))
    }

    /// What two checks find is told once.
    fn add(&mut self, mistake: Mistake) {
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// Records what could not be read, under the key that it has in the file.
    pub(crate) fn unreadable(&mut self, key: String, text: String) {
        self.unread.push(key.clone());
        self.mistakes.push(Mistake::new(key, text));
    }

    /// Records a key that nobody knows; nothing that is checked lacks it.
    pub(crate) fn unknown(&mut self, key: String, text: String) {
        self.mistakes.push(Mistake::new(key, text));
    }

    /// Records which entries of a list are left.
    pub(crate) fn keeps(&mut self, list: String, indices: Vec<usize>) {
        self.kept.insert(list, indices);
    }

    /// A key of what is checked, with the indices that the file has.
    fn in_file(&self, key: &str) -> String {
        let mut parts = key.split('[');
        let mut path = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (index, rest) = part.split_once(']').unwrap_or((part, ""));
            let kept = self.kept.get(&path).and_then(|kept| kept.get(index.parse::<usize>().ok()?));
            let index = kept.map_or_else(|| index.to_owned(), usize::to_string);
            path = format!("{path}[{index}]{rest}");
        }
        path
    }
}

/// Whether a key is another one or stands below it.
pub(crate) fn lies_within(key: &str, above: &str) -> bool {
    key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
