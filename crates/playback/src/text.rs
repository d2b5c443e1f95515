//! Recorded HTTP and its comparison, as text for people.

/// Where the body begins; nothing while the head is not whole.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The length that a head announces.
pub(crate) fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value.trim());
    length.filter_map(|value| value.parse().ok()).next().unwrap_or(0)
}

/// A recorded reply as it is played: its head with proper line ends, the length of the body as it is now, and the word
/// that the connection ends with it.
pub(crate) fn playable(recorded: &[u8]) -> Result<Vec<u8>, String> {
    if recorded.is_empty() {
        return Ok(Vec::new());
    }
    let (head, body) = split(recorded).ok_or("the recorded reply has no empty line after its head")?;
    let own = ["content-length", "transfer-encoding", "connection"];
    let mut played = String::new();
    for line in head.lines() {
        let name = line.split(':').next().unwrap_or("");
        if !own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            played.push_str(line);
            played.push_str("\r\n");
        }
    }
    played.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
    Ok([played.as_bytes(), body].concat())
}

/// Head and body of a file that a person may have written, with either kind of line ends.
pub(crate) fn split(recorded: &[u8]) -> Option<(String, &[u8])> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let proper = head_end(recorded).map(|end| (end - 4, end));
    let plain = recorded.windows(2).position(|window| window == b"\n\n").map(|at| (at, at + 2));
    // Whichever empty line comes first ends the head; the other may be part of the body.
    let (at, end) = [proper, plain].into_iter().flatten().min()?;
    Some((text(&recorded[..at]), &recorded[end..]))
}

/// The first line in which two texts differ, if any.
pub(crate) fn difference(expected: &[u8], got: &[u8]) -> Option<String> {
    if expected == got {
        return None;
    }
    let (expected, got) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(got));
    let (mut left, mut right) = (expected.split('\n'), got.split('\n'));
    for number in 1.. {
        match (left.next(), right.next()) {
            (Some(left), Some(right)) if left == right => {}
            (None, None) => break,
            (left, right) => {
                let (recorded, got) = excerpts(left, right);
                return Some(format!("differs in line {number}\n  recorded {recorded}\n  got      {got}"));
            }
        }
    }
    Some("differs in bytes that are not text".to_owned())
}

/// Two lines from a little before the first character in which they differ: some are very long.
fn excerpts(left: Option<&str>, right: Option<&str>) -> (String, String) {
    const BEFORE: usize = 60;
    const LENGTH: usize = 160;
    let pairs = left.unwrap_or("").chars().zip(right.unwrap_or("").chars());
    let start = pairs.take_while(|(left, right)| left == right).count().saturating_sub(BEFORE);
    let excerpt = |line: Option<&str>| match line {
        Some(line) => format!("{:?}", line.chars().skip(start).take(LENGTH).collect::<String>()),
        None => "(end of file)".to_owned(),
    };
    (excerpt(left), excerpt(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_reply_is_played_with_its_own_length() {
        let expected =
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\nConnection: close\r\n\r\na\n\nb";
        for recorded in [
            "HTTP/1.1 200 OK\nContent-Type: text/xml\n\na\n\nb",
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\ncontent-length: 99\r\nTransfer-Encoding: chunked\r\n\r\na\n\nb",
        ] {
            assert_eq!(String::from_utf8(playable(recorded.as_bytes()).unwrap()).unwrap(), expected);
        }
        assert!(playable(b"").unwrap().is_empty());
        assert!(playable(b"HTTP/1.1 200 OK").is_err());
    }

    #[test]
    fn the_first_different_line_is_shown() {
        assert_eq!(difference(b"a\nb", b"a\nb"), None);
        let shown = difference(b"a\nb\nc", b"a\nx\nc").unwrap();
        assert_eq!(shown, "differs in line 2\n  recorded \"b\"\n  got      \"x\"");
        let (long, other) = ("=".repeat(1000) + "abc", "=".repeat(1000) + "axc");
        let shown = difference(long.as_bytes(), other.as_bytes()).unwrap();
        assert!(shown.contains("=abc\"") && shown.contains("=axc\"") && shown.len() < 300, "{shown}");
        assert!(difference(b"a", b"a\n").unwrap().contains("recorded (end of file)"));
        assert_eq!(difference(b"\xff", b"\xfe").unwrap(), "differs in bytes that are not text");
    }

    #[test]
    fn a_head_says_how_long_the_body_is() {
        let request = b"POST / HTTP/1.1\r\nContent-LENGTH: 12\r\n\r\n";
        assert_eq!((head_end(request), body_length(request)), (Some(request.len()), 12));
        assert_eq!(head_end(b"POST / HTTP/1.1\r\n"), None);
    }
}
