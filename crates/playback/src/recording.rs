//! Recorded replies as such, for tests that play them some other way.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{case::Case, fixture::file, names, text};

/// Places in which one body is cut at most; a longer one is cut at even distances.
const CUTS: usize = 400;

/// One recorded exchange.
#[derive(Debug)]
pub struct Recording {
    /// The fixture and its section: `AddCustomer.empty, received`.
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
    let folder = Path::new(folder);
    let mut recordings = Vec::new();
    for name in names(folder) {
        let case = Case::read(&file(folder, &name)).expect("a fixture can be read");
        let received = case.sections().filter(|(section, _)| section.starts_with("received"));
        recordings.extend(received.filter_map(|(section, bytes)| recording(&name, &case, section, bytes)));
    }
    assert!(!recordings.is_empty(), "no recorded reply in {}", folder.display());
    recordings
}

fn recording(name: &str, case: &Case, section: &str, bytes: &[u8]) -> Option<Recording> {
    let (head, body) = text::split(bytes)?;
    if body.is_empty() {
        return None;
    }
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a recording begins with a status");
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| {
        let name: HeaderName = name.parse().expect("a recorded header has a name");
        (name, HeaderValue::from_str(value.trim()).expect("a recorded header has a value"))
    });
    Some(Recording {
        name: format!("{name}, {section}"),
        sent: case.text(&section.replacen("received", "sent", 1)),
        status,
        headers: headers.collect(),
        body: body.to_vec(),
    })
}
