//! Recorded replies as such, for tests that play them some other way.

use std::{fs, path::Path};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::text;

/// Places in which one body is cut at most; a longer one is cut at even distances.
const CUTS: usize = 400;

/// One recorded exchange.
#[derive(Debug)]
pub struct Recording {
    /// The fixture and its file: `AddCustomer.empty/received.http`.
    pub name: String,
    /// What was sent, as text; empty where that is not recorded.
    pub sent: String,
    /// The reply's status.
    pub status: StatusCode,
    /// The reply's headers.
    pub headers: HeaderMap,
    /// The reply's body.
    pub body: Vec<u8>,
}

impl Recording {
    /// The body cut off before the end of its document element or JSON value, once for each place.
    pub fn cuts(&self) -> impl Iterator<Item = &[u8]> {
        // Blanks after the end are no part of what is said.
        let end = self.body.trim_ascii_end().len().saturating_sub(1);
        (0..end)
            .step_by(end.div_ceil(CUTS).max(1))
            .chain([end])
            .filter(|cut| *cut < self.body.len())
            .map(|cut| &self.body[..cut])
    }
}

/// All recorded replies that have a body, of the fixtures in a folder.
///
/// # Panics
/// If the folder cannot be read or a recording is no HTTP.
#[must_use]
pub fn recordings(folder: &str) -> Vec<Recording> {
    let cases = fs::read_dir(folder).expect("the folder of fixtures can be read").filter_map(Result::ok);
    let mut files: Vec<_> = cases
        .filter_map(|case| fs::read_dir(case.path()).ok())
        .flat_map(|files| files.filter_map(Result::ok).map(|file| file.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("received")))
        .collect();
    files.sort();
    let recordings: Vec<_> = files.iter().filter_map(|path| recording(path)).collect();
    assert!(!recordings.is_empty(), "no recorded reply in {folder}");
    recordings
}

fn recording(path: &Path) -> Option<Recording> {
    let bytes = fs::read(path).expect("a recording can be read");
    let (head, body) = text::split(&bytes)?;
    if body.is_empty() {
        return None;
    }
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a recording begins with a status");
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| {
        let name: HeaderName = name.parse().expect("a recorded header has a name");
        (name, HeaderValue::from_str(value.trim()).expect("a recorded header has a value"))
    });
    let sent = path.with_file_name(path.file_name()?.to_string_lossy().replacen("received", "sent", 1));
    let case = path.parent()?.file_name()?.to_string_lossy();
    Some(Recording {
        name: format!("{case}/{}", path.file_name()?.to_string_lossy()),
        sent: fs::read_to_string(sent).unwrap_or_default(),
        status,
        headers: headers.collect(),
        body: body.to_vec(),
    })
}
