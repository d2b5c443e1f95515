//! The name of a file in `Content-Disposition` (RFC 6266).

use percent_encoding::percent_decode_str;

/// The name that the header gives, without folders and control characters; the extended form wins (RFC 6266, 4.3).
pub(super) fn file_name(header: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    for (name, value) in parameters(header) {
        match name.to_ascii_lowercase().as_str() {
            "filename" => plain = plain.or(Some(value)),
            "filename*" => extended = extended.or_else(|| decoded(&value)),
            _ => {}
        }
    }
    let name = extended.or(plain)?;
    // A path would lead whoever saves the file elsewhere (RFC 6266, 4.3).
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    Some(clean.trim().to_owned()).filter(|name| !matches!(name.as_str(), "" | "." | ".."))
}

/// `UTF-8'language'percent-encoded` (RFC 8187, 3.2); of other charsets only what is ASCII is read.
fn decoded(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (_, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// The parameters behind the type; a value in quotes may hold semicolons, and a backslash before any character.
fn parameters(header: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), header.split_once(';').map_or("", |(_, rest)| rest));
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, end) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                after.split_once(';').map_or((after.trim().to_owned(), ""), |(v, rest)| (v.trim().to_owned(), rest))
            }
        };
        found.push((name.trim().trim_start_matches(';').trim().to_owned(), value));
        rest = end;
    }
    found
}

fn unquoted(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_read_and_leads_nowhere() {
        for (header, name) in [
            ("attachment; filename=backup.tar.gz", Some("backup.tar.gz")),
            ("attachment; filename=\"a; b = \\\"c\\\".txt\"; size=3", Some("a; b = \"c\".txt")),
            ("attachment; FileName=\"plain.txt\"; filename*=UTF-8''%C5%81ucja%20%2F1.txt", Some("1.txt")),
            ("attachment; filename*=UTF-8'pl'%C5%81.txt; filename=L.txt", Some("Ł.txt")),
            ("attachment; filename*=UTF-8''%FF; filename=ok", Some("ok")),
            ("inline; filename=\"../../etc/passwd\"", Some("passwd")),
            ("inline; filename=\"C:\\\\x\\\\y.doc\"", Some("y.doc")),
            ("attachment; filename=\"a\r\nb\"", Some("ab")),
            ("attachment; filename=\"open", Some("open")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=", None),
            ("attachment", None),
            ("", None),
        ] {
            assert_eq!(file_name(header).as_deref(), name, "{header}");
        }
    }
}
