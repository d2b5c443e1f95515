//! A file of lines that begins anew when it is full; the older ones are `NAME.1`, `NAME.2` and so on.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Only its owner reads an audit log.
const MODE: u32 = 0o600;

/// The file that is written, and how it is put away.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    file: File,
    size: u64,
    /// Whether the last line is not complete: the process died, or the disk was full.
    is_torn: bool,
}

impl RotatedFile {
    /// Opens the file, or goes on with it.
    pub(super) fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<Self> {
        let mut file = open(path)?;
        let size = file.metadata()?.len();
        let is_torn = size > 0 && last_byte(&mut file)? != b'\n';
        Ok(Self { path: path.to_owned(), max_bytes, keep, file, size, is_torn })
    }

    /// Writes a line, into a new file if this one would become too large.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 + 1 > self.max_bytes {
            self.rotate()?;
        }
        let line = [if self.is_torn { &b"\n"[..] } else { b"" }, line, b"\n"].concat();
        // One write, which the system keeps whole.
        let written = self.file.write_all(&line);
        self.is_torn = written.is_err();
        self.size = self.file.metadata().map_or(self.size + line.len() as u64, |known| known.len());
        written
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
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
        self.file = open(&self.path)?;
        (self.size, self.is_torn) = (0, false);
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(MODE).open(path)
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
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
        let mut file = RotatedFile::open(&path, 10, 2).unwrap();
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

    #[test]
    fn it_goes_on_where_it_was_and_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, "whole\ntor").unwrap();
        let mut file = RotatedFile::open(&path, 100, 0).unwrap();
        file.write(b"next").unwrap();
        drop(file);
        RotatedFile::open(&path, 100, 0).unwrap().write(b"last").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\ntor\nnext\nlast\n");
    }
}
