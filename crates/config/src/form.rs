//! Reads a section and tells all that is wrong with it, not only the first: what cannot be read is told, left out, and the rest
//! is read again.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Segment, Track};
use toml::{Table, Value};

use crate::{
    findings::Findings,
    strict::Strict,
    words::{Complaint, complaint},
};

/// After so many mistakes in one section nobody reads on.
const MOST: usize = 100;

/// A value that can lose parts; the entries of a list keep the index that they have in the file.
enum Tree {
    Table(Vec<(String, Tree)>),
    List(Vec<(usize, Tree)>),
    Leaf(Value),
}

/// One step into a tree.
enum Step {
    Key(String),
    Position(usize),
}

/// What is read, and where it stands.
struct Section<'a> {
    /// Its key; empty for the whole of a file.
    key: &'a str,
    /// Keys that are known beside those of the type.
    others: &'a [&'a str],
    /// Keys that were left out because they could not be read.
    left_out: Vec<String>,
}

/// Reads a section as far as it goes; nothing if what is left of it is no `T`.
pub(crate) fn read<T: DeserializeOwned>(
    key: &str,
    others: &[&str],
    value: Value,
    findings: &mut Findings,
) -> Option<T> {
    let mut section = Section { key, others, left_out: Vec::new() };
    let mut first = Some(value.clone());
    let mut tree = Tree::of(value);
    for _ in 0..MOST {
        let mut track = Track::new();
        let value = first.take().unwrap_or_else(|| tree.value());
        match T::deserialize(serde_path_to_error::Deserializer::new(Strict(value), &mut track)) {
            Ok(read) => {
                tree.note_kept(key, findings);
                return Some(read);
            }
            Err(error) => {
                let path = track.path().iter().filter_map(Step::of).collect();
                if !section.complain(&error.to_string(), path, &mut tree, findings) {
                    return None;
                }
            }
        }
    }
    findings.unknown(key.to_owned(), format!("more than {MOST} mistakes: the rest is not told"));
    None
}

impl Section<'_> {
    /// Tells a mistake and leaves out what has it; false if that is everything.
    fn complain(&mut self, message: &str, mut path: Vec<Step>, tree: &mut Tree, findings: &mut Findings) -> bool {
        let others = if path.len() <= 1 { self.others } else { &[] };
        let complaint = complaint(message, others);
        if let Complaint::Unknown(name, _) = &complaint
            && !matches!(path.last(), Some(Step::Key(last)) if last == name)
        {
            path.push(Step::Key(name.clone()));
        }
        let at = tree.key(self.key, &path);
        match complaint {
            Complaint::Unknown(_, text) => findings.unknown(at.clone(), text),
            Complaint::Wrong(text) => findings.unreadable(at.clone(), text),
            Complaint::Missing(field) => {
                let missing = joined(&at, &field);
                if !self.left_out.contains(&missing) {
                    findings.unreadable(missing, "must be given".to_owned());
                }
            }
        }
        // A record that lacks something is left out as a whole.
        self.left_out.push(at);
        !path.is_empty() && tree.remove(&mut path)
    }
}

impl Step {
    fn of(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Map { key } => Some(Self::Key(key.clone())),
            Segment::Seq { index } => Some(Self::Position(*index)),
            _ => None,
        }
    }
}

impl Tree {
    fn of(value: Value) -> Self {
        match value {
            Value::Table(table) => Self::Table(table.into_iter().map(|(key, value)| (key, Self::of(value))).collect()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::of).enumerate().collect()),
            leaf => Self::Leaf(leaf),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Table(entries) => {
                Value::Table(entries.iter().map(|(key, inner)| (key.clone(), inner.value())).collect::<Table>())
            }
            Self::List(items) => Value::Array(items.iter().map(|(_, inner)| inner.value()).collect()),
            Self::Leaf(value) => value.clone(),
        }
    }

    /// The key of a place, with the indices that the file has.
    fn key(&self, section: &str, path: &[Step]) -> String {
        let (mut key, mut at) = (section.to_owned(), Some(self));
        for step in path {
            let (next, name) = match (step, at) {
                (Step::Key(name), at) => (at.and_then(|at| at.entry(name)), joined(&key, name)),
                (Step::Position(position), Some(Self::List(items))) => {
                    let item = items.get(*position);
                    (item.map(|(_, item)| item), format!("{key}[{}]", item.map_or(*position, |(index, _)| *index)))
                }
                (Step::Position(position), _) => (None, format!("{key}[{position}]")),
            };
            (at, key) = (next, name);
        }
        key
    }

    fn entry(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Table(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, inner)| inner),
            _ => None,
        }
    }

    /// Leaves out what is at a place, or the nearest thing around it that can be left out.
    fn remove(&mut self, path: &mut Vec<Step>) -> bool {
        while let Some(last) = path.pop() {
            if self.at(path).is_some_and(|around| around.remove_one(&last)) {
                return true;
            }
        }
        false
    }

    fn at(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |at, step| match (step, at) {
            (Step::Key(name), Self::Table(entries)) => {
                entries.iter_mut().find(|(key, _)| key == name).map(|(_, inner)| inner)
            }
            (Step::Position(position), Self::List(items)) => items.get_mut(*position).map(|(_, inner)| inner),
            _ => None,
        })
    }

    fn remove_one(&mut self, step: &Step) -> bool {
        match (step, self) {
            (Step::Key(name), Self::Table(entries)) => {
                let before = entries.len();
                entries.retain(|(key, _)| key != name);
                entries.len() < before
            }
            (Step::Position(position), Self::List(items)) if *position < items.len() => {
                items.remove(*position);
                true
            }
            _ => false,
        }
    }

    /// Tells which entries of lists are left, where some are not.
    fn note_kept(&self, key: &str, findings: &mut Findings) {
        match self {
            Self::Table(entries) => {
                entries.iter().for_each(|(name, inner)| inner.note_kept(&joined(key, name), findings));
            }
            Self::List(items) => {
                if items.iter().enumerate().any(|(position, (index, _))| position != *index) {
                    findings.keeps(key.to_owned(), items.iter().map(|(index, _)| *index).collect());
                }
                items.iter().for_each(|(index, inner)| inner.note_kept(&format!("{key}[{index}]"), findings));
            }
            Self::Leaf(_) => {}
        }
    }
}

pub(crate) fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
