//! The file of one case: sections of bytes, each begun by a line `=== name`.

use std::{fs, path::Path};

/// What begins a section; it may stand in no section's own bytes.
const MARK: &[u8] = b"\n=== ";

/// The sections of a file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Case(Vec<(String, Vec<u8>)>);

/// The name of a part of an exchange, `sent` or `received`; the exchange 0 is a login of the case's own.
pub(crate) fn exchange(part: &str, number: usize) -> String {
    match number {
        0 => format!("{part} login"),
        1 => part.to_owned(),
        _ => format!("{part} {number}"),
    }
}

/// Where a section stands in a file; nothing for a name that no section has.
fn rank(name: &str) -> Option<(u8, usize, u8)> {
    let order = |at| Some((at, 0, 0));
    match name.split_once(' ').unwrap_or((name, "1")) {
        ("config", "1") => order(0),
        ("delay", "1") => order(1),
        ("request", "1") => order(2),
        (part @ ("sent" | "received"), number) => {
            let number = if number == "login" { 0 } else { number.parse().ok()? };
            (exchange(part, number) == name).then_some((3, number, u8::from(part == "received")))
        }
        ("reply", "1") => order(4),
        ("unreadable", "1") => order(5),
        _ => None,
    }
}

impl Case {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes the file anew.
    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        fs::write(path, self.bytes()).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The line end before a mark, and the file's last one, belong to no section.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_suffix(b"\n").ok_or("must end with a line end")?;
        let mut rest = bytes.strip_prefix(&MARK[1..]).ok_or("must begin with a line \"=== name\"")?;
        let mut case = Self::default();
        loop {
            let end = rest.windows(MARK.len()).position(|window| window == MARK);
            case.add(&rest[..end.unwrap_or(rest.len())])?;
            let Some(end) = end else { return Ok(case) };
            rest = &rest[end + MARK.len()..];
        }
    }

    fn add(&mut self, section: &[u8]) -> Result<(), String> {
        let line = section.iter().position(|&byte| byte == b'\n');
        let name = String::from_utf8_lossy(&section[..line.unwrap_or(section.len())]).into_owned();
        let line = line.ok_or_else(|| format!("section {name:?} must have a line after its name"))?;
        if rank(&name).is_none() {
            return Err(format!("section {name:?} must be one that a case can have"));
        }
        if self.0.iter().any(|(known, _)| rank(known) >= rank(&name)) {
            return Err(format!("section {name:?} must stand once, and in its place"));
        }
        self.0.push((name, section[line + 1..].to_vec()));
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let section = |(name, bytes): &(String, Vec<u8>)| [b"=== ", name.as_bytes(), b"\n", bytes, b"\n"].concat();
        self.0.iter().flat_map(section).collect()
    }

    /// The bytes of a section.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, bytes)| &**bytes)
    }

    /// The text of a section; empty where it is absent.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.get(name).unwrap_or_default()).into_owned()
    }

    /// The same part of all exchanges from the first on.
    pub(crate) fn exchanges(&self, part: &str) -> impl Iterator<Item = (String, &[u8])> {
        (1..).map(move |number| exchange(part, number)).map_while(|name| self.get(&name).map(|bytes| (name, bytes)))
    }

    /// Names and bytes of all sections.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (&**name, &**bytes))
    }

    /// Replaces a section, or adds it in its place.
    pub(crate) fn set(&mut self, name: &str, bytes: &[u8]) {
        self.remove(name);
        let at = self.0.partition_point(|(known, _)| rank(known) < rank(name));
        self.0.insert(at, (name.to_owned(), bytes.to_vec()));
    }

    /// Removes a section if it is there.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"=== request\n{}\n=== sent\nGET / HTTP/1.1\r\n\r\n\n=== received\n\n=== reply\n{}\n";

    #[test]
    fn a_file_is_read_and_written_byte_for_byte() {
        let case = Case::parse(TEXT).unwrap();
        assert_eq!(case.get("request"), Some(&b"{}"[..]));
        assert_eq!(case.get("sent"), Some(&b"GET / HTTP/1.1\r\n\r\n"[..]));
        assert_eq!(case.get("received"), Some(&b""[..]));
        assert_eq!((case.get("delay"), case.text("delay")), (None, String::new()));
        assert_eq!(case.bytes(), TEXT);
    }

    #[test]
    fn a_section_is_put_in_its_place() {
        let mut case = Case::parse(b"=== received\nx\n").unwrap();
        for name in ["reply", "sent 10", "received 10", "sent 2", "sent", "sent login", "config", "sent"] {
            case.set(name, b"");
        }
        let names: Vec<_> = case.sections().map(|(name, _)| name).collect();
        let expected = ["config", "sent login", "sent", "received", "sent 2", "sent 10", "received 10", "reply"];
        assert_eq!(names, expected);
        assert_eq!(case.exchanges("sent").map(|(name, _)| name).collect::<Vec<_>>(), ["sent", "sent 2"]);
        case.remove("sent");
        assert_eq!(case.get("sent"), None);
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for (text, expected) in [
            ("", "end with a line end"),
            ("=== request\n{}", "end with a line end"),
            ("request\n", "begin with"),
            ("\n=== request\n{}\n", "begin with"),
            ("=== request\n", "\"request\" must have a line"),
            ("=== wish\n{}\n", "\"wish\" must be one"),
            ("=== sent 1\n{}\n", "\"sent 1\" must be one"),
            ("=== sent 02\n{}\n", "\"sent 02\" must be one"),
            ("=== reply 2\n{}\n", "\"reply 2\" must be one"),
            ("=== request\n1\n=== request\n2\n", "\"request\" must stand once"),
            ("=== reply\n1\n=== request\n2\n", "\"request\" must stand once, and in its place"),
        ] {
            let error = Case::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
