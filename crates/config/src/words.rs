//! What serde says, in words for the person who writes a configuration.

/// One complaint of serde's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// A key that is not known, by its name.
    Unknown(String, String),
    /// A key that must be there, by its name.
    Missing(String),
    /// A value that is wrong.
    Wrong(String),
}

/// Reads a complaint; the value that it may quote is left out, for it may be a secret at the wrong place.
pub(crate) fn complaint(message: &str, others: &[&str]) -> Complaint {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split_once("`, ").map_or(rest, |(name, _)| name);
        return Complaint::Unknown(name.to_owned(), known(message, others));
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return Complaint::Missing(field.trim_matches('`').to_owned());
    }
    Complaint::Wrong(wrong(message))
}

fn known(message: &str, others: &[&str]) -> String {
    let known: Vec<&str> = alternatives(message).into_iter().chain(others.iter().copied()).collect();
    match known.as_slice() {
        [] => "unknown key: no key can stand here".to_owned(),
        [one] => format!("unknown key: must be {one}"),
        several => format!("unknown key: must be one of {}", several.join(", ")),
    }
}

/// The names that stand in backticks behind `expected`.
fn alternatives(message: &str) -> Vec<&str> {
    let listed = message.rsplit_once(", expected ").map_or("", |(_, listed)| listed);
    listed.split('`').skip(1).step_by(2).collect()
}

fn wrong(message: &str) -> String {
    if message.starts_with("unknown variant ") {
        let names: Vec<String> = alternatives(message).iter().map(|name| format!("\"{name}\"")).collect();
        return format!("must be {}", listed(&names));
    }
    match (message.starts_with("invalid "), message.rsplit_once(", expected ")) {
        (true, Some((_, expected))) => format!("must be {}", kind(expected)),
        (true, None) if message.contains("address syntax") => format!("must be {}", kind("socket address")),
        _ => message.to_owned(),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [start @ .., last] if !start.is_empty() => format!("{} or {last}", start.join(", ")),
        names => names.concat(),
    }
}

/// What serde expects, by the names that people have for it.
fn kind(expected: &str) -> String {
    if let Some(number) = expected.strip_prefix("a nonzero ") {
        return whole_number(1, number);
    }
    let plain = match expected {
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "a string" | "string only" | "a borrowed string" => "a text",
        "path string" => "the path of a file",
        "a sequence" => "a list",
        "a map" => "a table",
        "socket address" => "an address and a port, such as 127.0.0.1:50051 or [::1]:50051",
        "IP address" => "an IP address",
        _ if expected.starts_with("struct ") => "a table",
        _ => return whole_number(0, expected),
    };
    plain.to_owned()
}

fn whole_number(least: u8, name: &str) -> String {
    let most = match name {
        "u8" => u8::MAX.into(),
        "u16" => u16::MAX.into(),
        "u32" => u32::MAX,
        "u64" | "usize" => return format!("a whole number of at least {least}"),
        "i8" | "i16" | "i32" | "i64" | "isize" => return "a whole number".to_owned(),
        other => return other.to_owned(),
    };
    format!("a whole number between {least} and {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> String {
        match complaint(message, &[]) {
            Complaint::Unknown(_, text) | Complaint::Missing(text) | Complaint::Wrong(text) => text,
        }
    }

    #[test]
    fn no_words_of_the_language_and_no_value_are_left() {
        for (message, expected) in [
            ("unknown field `x`, expected one of `a`, `b`", "unknown key: must be one of a, b"),
            ("unknown field `x`, expected `a`", "unknown key: must be a"),
            ("unknown field `x`, there are no fields", "unknown key: no key can stand here"),
            ("missing field `url`", "url"),
            ("unknown variant `hunter2`, expected `json` or `text`", "must be \"json\" or \"text\""),
            ("unknown variant `a`, expected one of `a1`, `b`, `c`", "must be \"a1\", \"b\" or \"c\""),
            (
                "invalid type: string \"hunter2, expected u8\", expected u32",
                "must be a whole number between 0 and 4294967295",
            ),
            ("invalid value: integer `0`, expected a nonzero u8", "must be a whole number between 1 and 255"),
            ("invalid value: integer `0`, expected a nonzero usize", "must be a whole number of at least 1"),
            ("invalid type: map, expected a boolean", "must be true or false"),
            ("invalid type: map, expected struct Server", "must be a table"),
            ("invalid type: unit variant, expected string only", "must be a text"),
            ("invalid socket address syntax", "must be an address and a port, such as 127.0.0.1:50051 or [::1]:50051"),
            ("must be x", "must be x"),
        ] {
            assert_eq!(said(message), expected);
        }
    }
}
