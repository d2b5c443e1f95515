//! A file of lines that begins anew when it is full; the older ones are `NAME.1`, `NAME.2` and so on.
//!
//! Every line in it is whole. One that was written in part (the disk was full) is taken back at once; one that a process left
//! that died is taken out at the start, and what there was of it is handed to the caller. Whoever writes holds a shared lock
//! on the file, so that nobody takes out a line that another process is about to end.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Only its owner reads an audit log.
const MODE: u32 = 0o600;
/// How far from its end the beginning of the last line is looked for at a time.
const STEP: u64 = 64 << 10;

/// The file that is written, and how it is put away.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    file: File,
    /// Whether the last line is not whole, and cannot be taken back.
    is_torn: bool,
}

impl RotatedFile {
    /// Opens the file, or goes on with it; returns what there was of a last line that is not whole.
    pub(super) fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<(Self, Option<String>)> {
        let (mut file, mut torn) = (open(path)?, None);
        // Whoever else writes now is about to end the line.
        if file.try_lock().is_ok() {
            torn = take_out(&mut file)?;
        }
        let is_torn = lock_shared(&file) && ends_torn(&mut file)?;
        Ok((Self { path: path.to_owned(), max_bytes, keep, file, is_torn }, torn))
    }

    /// Writes a line, into a new file if this one would become too large or is not there any more.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.find()?;
        let size = self.file.metadata()?.len();
        if size > 0 && size + line.len() as u64 + 1 > self.max_bytes {
            self.rotate()?;
        }
        let line = [if self.is_torn { &b"\n"[..] } else { b"" }, line, b"\n"].concat();
        self.append(&line)
    }

    /// Writes at once, which the system keeps together; what was written in part is taken back.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let written = loop {
            match self.file.write(line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written == line.len() {
            self.is_torn = false;
            return Ok(());
        }
        let taken_back = self.take_back(written as u64);
        self.is_torn = written > 0 && taken_back.is_err();
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Takes the last bytes back, unless somebody else has written behind them.
    fn take_back(&mut self, count: u64) -> io::Result<()> {
        let (end, length) = (self.file.stream_position()?, self.file.metadata()?.len());
        match end == length {
            true => self.file.set_len(end - count),
            false => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.file.sync_data() {
            // A pipe or a terminal has no disk.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    /// Makes sure that the file is the one of this name: somebody may have put it, or its folder, away.
    fn find(&mut self) -> io::Result<()> {
        let (own, named) = (self.file.metadata()?, fs::metadata(&self.path));
        let is_there = named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino()));
        if is_there { Ok(()) } else { self.reopen() }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        self.is_torn = lock_shared(&self.file) && ends_torn(&mut self.file)?;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let mut older = self.numbered(self.keep);
        for number in (1..self.keep).rev() {
            let newer = self.numbered(number);
            rename(&newer, &older)?;
            older = newer;
        }
        match self.keep {
            0 => fs::remove_file(&self.path)?,
            _ => rename(&self.path, &older)?,
        }
        self.reopen()
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Whether a file can be written and its folder take others beside it; leaves nothing behind.
pub(super) fn check(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        OpenOptions::new().append(true).open(path)?;
    }
    let mut beside = OsString::from(path);
    beside.push(format!(".check-{}", std::process::id()));
    File::create(&beside)?;
    fs::remove_file(beside)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(MODE).open(path)
}

/// Says to others that the file is written; a file system that knows no locks knows no others either.
fn lock_shared(file: &File) -> bool {
    // It is never locked for longer than a start takes.
    let _ = file.lock_shared();
    true
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    let known = file.metadata()?;
    if !known.is_file() || known.len() == 0 {
        return Ok(false);
    }
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte != *b"\n")
}

/// Takes a last line that is not whole out of the file; a whole one that only lacks its end gets it.
fn take_out(file: &mut File) -> io::Result<Option<String>> {
    if !ends_torn(file)? {
        return Ok(None);
    }
    let (begin, tail) = last_line(file)?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(&tail).is_ok() {
        file.write_all(b"\n")?;
        return Ok(None);
    }
    file.set_len(begin)?;
    Ok(Some(String::from_utf8_lossy(&tail).into_owned()))
}

/// Where the last line begins, and the line.
fn last_line(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let mut begin = file.metadata()?.len();
    let mut tail = Vec::new();
    while begin > 0 {
        let step = STEP.min(begin);
        begin -= step;
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(file).take(step).read_to_end(&mut part)?;
        if let Some(end) = part.iter().rposition(|byte| *byte == b'\n') {
            let rest = part.split_off(end + 1);
            return Ok((begin + end as u64 + 1, [rest, tail].concat()));
        }
        tail = [part, tail].concat();
    }
    Ok((0, tail))
}

/// A file that is not there has nothing to give its name to.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_is_put_away_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let (mut file, _) = RotatedFile::open(&path, 10, 2).unwrap();
        for line in ["one", "two", "three", "four", "a line that is longer than a file"] {
            file.write(line.as_bytes()).unwrap();
        }
        file.sync().unwrap();
        assert_eq!(names(folder.path()), ["audit.log", "audit.log.1", "audit.log.2"]);
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("audit.log"), "a line that is longer than a file\n");
        assert_eq!((read("audit.log.1").as_str(), read("audit.log.2").as_str()), ("four\n", "three\n"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// Opens a file that holds this, and writes `next`.
    fn go_on(text: &str) -> (Option<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, text).unwrap();
        let (mut file, torn) = RotatedFile::open(&path, 1 << 20, 0).unwrap();
        file.write(b"next").unwrap();
        (torn, fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn it_goes_on_where_it_was_and_a_torn_line_is_taken_out() {
        let torn = |text: &str| Some(text.to_owned());
        assert_eq!(go_on(""), (None, "next\n".to_owned()));
        assert_eq!(go_on("1\n"), (None, "1\nnext\n".to_owned()));
        assert_eq!(go_on("1\n{\"tor"), (torn("{\"tor"), "1\nnext\n".to_owned()));
        assert_eq!(go_on("{\"tor"), (torn("{\"tor"), "next\n".to_owned()));
        assert_eq!(go_on("1\n{\"a\":1}"), (None, "1\n{\"a\":1}\nnext\n".to_owned()), "whole but for its end");
        let long = format!("{{\"{}", "x".repeat(200_000));
        assert_eq!(go_on(&format!("1\n{long}")), (torn(&long), "1\nnext\n".to_owned()));
    }

    #[test]
    fn what_another_process_writes_is_not_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let (mut one, _) = RotatedFile::open(&path, 100, 1).unwrap();
        one.file.write_all(b"half").unwrap();
        let (mut other, torn) = RotatedFile::open(&path, 100, 1).unwrap();
        assert_eq!(torn, None);
        other.write(b"next").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half\nnext\n");
    }

    #[test]
    fn a_file_that_was_put_away_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("logs");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("audit.log");
        let (mut file, _) = RotatedFile::open(&path, 100, 1).unwrap();
        file.write(b"one").unwrap();
        fs::rename(&path, inner.join("away")).unwrap();
        file.write(b"two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::remove_dir_all(&inner).unwrap();
        assert!(file.write(b"three").is_err(), "what nobody can read is not written");
        fs::create_dir(&inner).unwrap();
        file.write(b"four").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
    }
}
