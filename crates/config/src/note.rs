//! Which files were read on this thread.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::content::Content;

/// Files that were read, and what they held.
pub type Noted = BTreeMap<PathBuf, Content>;

thread_local! {
    /// What is noted on this thread; nobody notes anything outside of [`noting`].
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Puts back what an outer [`noting`] has noted, and adds to it what the inner one has: also when there was a panic.
struct Outer(Option<Noted>);

/// Runs something and says which files it has read by way of this crate.
pub fn noting<T>(act: impl FnOnce() -> T) -> (T, Noted) {
    let outer = Outer(NOTED.replace(Some(Noted::new())));
    let done = act();
    let noted = NOTED.with_borrow(|noted| noted.clone().unwrap_or_default());
    drop(outer);
    (done, noted)
}

/// Reads a file that a configuration names, and notes it.
///
/// # Errors
/// As [`std::fs::read`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (read, content) = Content::read(path);
    NOTED.with_borrow_mut(|noted| noted.as_mut().map(|noted| noted.insert(path.to_owned(), content)));
    read
}

/// Reads a file as [`read`] does, as text.
///
/// # Errors
/// As [`std::fs::read_to_string`].
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read(path)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8"))
}

/// Why a file or another thing of the system cannot be used, in words for people.
#[must_use]
pub fn said_of_file(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder",
        io::ErrorKind::PermissionDenied => "this process may not",
        io::ErrorKind::IsADirectory => "it is a folder",
        io::ErrorKind::NotADirectory => "a part of its path is no folder",
        io::ErrorKind::InvalidData => "it is not UTF-8 text",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        io::ErrorKind::StorageFull => "the disk is full",
        // The number of an error says nothing more than its name.
        _ => return error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    };
    known.to_owned()
}

impl Drop for Outer {
    fn drop(&mut self) {
        let inner = NOTED.replace(self.0.take());
        NOTED.with_borrow_mut(|outer| outer.as_mut().map(|outer| outer.extend(inner.into_iter().flatten())));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, panic};

    use super::*;

    #[test]
    fn what_is_read_is_noted_by_everybody_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, gone] = ["one", "two", "gone"].map(|name| folder.path().join(name));
        fs::write(&one, "1").unwrap();
        symlink(&one, &two).unwrap();
        let (inner, outer) = noting(|| {
            read_text(&one).unwrap();
            noting(|| (read(&two).unwrap(), read(&gone).is_err())).1
        });
        assert_eq!(inner, Noted::from([(two, Content::of(&one)), (gone, Content::Unreadable)]));
        assert_eq!(outer.len(), 3);
        assert_eq!(outer[&one], Content::of_bytes(b"1"));
        assert!(NOTED.with_borrow(Option::is_none));
    }

    #[test]
    fn nothing_is_noted_after_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let _ = panic::catch_unwind(|| noting(|| panic::resume_unwind(Box::new(()))));
        read(folder.path()).unwrap_err();
        assert!(NOTED.with_borrow(Option::is_none));
    }

    #[test]
    fn a_pipe_is_not_read_to_be_looked_at() {
        let (reader, writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        drop(writer);
        assert_eq!(Content::of(Path::new(&path)), Content::Stream);
    }
}
