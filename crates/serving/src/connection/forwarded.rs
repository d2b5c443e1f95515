//! Whose request a proxy passes on: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Each proxy adds the address that it sees on the right, so the list is walked from there, over proxies that are believed,
//! to the first address of somebody else. What stands further left is that stranger's own word. Where the walk meets no
//! address (`unknown`, `_hidden`, garbage) it ends at the proxy that wrote so.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, header};
use protocol::headers::X_FORWARDED_FOR;

use crate::settings::{ForwardedHeader, ForwardedSettings};

/// Who sent a request that came from `peer`; the peer itself if it is no proxy that is believed.
pub(super) fn client(settings: &ForwardedSettings, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    if !settings.from.contains(peer.ip()) {
        return peer;
    }
    let standard = || walk(settings, peer, standard_hops(headers));
    let usual = || walk(settings, peer, usual_hops(headers));
    match settings.header {
        Some(ForwardedHeader::Forwarded) => standard(),
        Some(ForwardedHeader::XForwardedFor) => usual(),
        None => match (headers.contains_key(header::FORWARDED), headers.contains_key(X_FORWARDED_FOR)) {
            (true, false) => standard(),
            (false, true) => usual(),
            (false, false) => peer,
            // The proxy writes one of them; the other may be a stranger's. They count only where they say the same.
            (true, true) => {
                let (standard, usual) = (standard(), usual());
                if standard.ip().to_canonical() == usual.ip().to_canonical() { usual } else { peer }
            }
        },
    }
}

/// Walks the hops from right to left; one that is not readable is `None`.
fn walk(settings: &ForwardedSettings, peer: SocketAddr, hops: Vec<Option<SocketAddr>>) -> SocketAddr {
    let mut at = peer;
    for hop in hops.into_iter().rev() {
        if !settings.from.contains(at.ip()) {
            break;
        }
        match hop {
            Some(hop) => at = hop,
            None => break,
        }
    }
    at
}

fn usual_hops(headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
    let mut hops = Vec::new();
    for line in headers.get_all(X_FORWARDED_FOR) {
        match line.to_str() {
            // An empty element of a list is none (RFC 9110, 5.6.1).
            Ok(line) => hops.extend(line.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(node)),
            Err(_) => hops.push(None),
        }
    }
    hops
}

fn standard_hops(headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
    let mut hops = Vec::new();
    for line in headers.get_all(header::FORWARDED) {
        match line.to_str().ok().and_then(elements) {
            Some(elements) => hops.extend(elements),
            None => hops.push(None),
        }
    }
    hops
}

/// The `for` of each element of one line; nothing if the line is not of the form. A stranger's `Host` may stand in it as a
/// quoted text with commas, so that the line must be read from its beginning, quotes and all.
fn elements(line: &str) -> Option<Vec<Option<SocketAddr>>> {
    let mut elements = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let mut element = Element::default();
        rest = element.read(rest)?;
        elements.extend(element.hop());
    }
    Some(elements)
}

/// One element of `Forwarded`.
#[derive(Debug, Default)]
struct Element {
    is_empty: bool,
    values: Vec<String>,
}

impl Element {
    /// Reads pairs up to the next comma; what follows it.
    fn read<'a>(&mut self, mut rest: &'a str) -> Option<&'a str> {
        self.is_empty = true;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ';']);
            if let Some(next) = rest.strip_prefix(',') {
                return Some(next.trim_start());
            }
            if rest.is_empty() {
                return Some(rest);
            }
            self.is_empty = false;
            let (name, behind) = rest.split_once('=')?;
            if name.contains([' ', '\t', ',', ';', '"']) {
                return None;
            }
            let (value, behind) = value(behind)?;
            if name.eq_ignore_ascii_case("for") {
                self.values.push(value);
            }
            rest = behind.trim_start();
            if !rest.is_empty() && !rest.starts_with([';', ',']) {
                return None;
            }
        }
    }

    /// Where the request came from; the inner nothing is a proxy that does not say it.
    fn hop(&self) -> Option<Option<SocketAddr>> {
        match (self.is_empty, self.values.as_slice()) {
            (true, _) => None,
            (false, [one]) => Some(node(one)),
            (false, _) => Some(None),
        }
    }
}

/// A token or a quoted text (RFC 9110, 5.6.2 and 5.6.4) and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return (!token.is_empty() && !token.contains('"')).then(|| (token.to_owned(), rest));
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (index, character) in quoted.char_indices() {
        match character {
            _ if is_escaped => {
                value.push(character);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return Some((value, &quoted[index + 1..])),
            _ => value.push(character),
        }
    }
    None
}

/// An address with or without port; IPv6 in brackets, or alone.
fn node(text: &str) -> Option<SocketAddr> {
    let at = |address: IpAddr, port| Some(SocketAddr::new(address, port));
    if let Ok(address) = text.parse::<IpAddr>() {
        return at(address, 0);
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (address, port) = inside.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, _) = text.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), &text[address.len()..])
        }
    };
    match port.strip_prefix(':') {
        // A port may be hidden too (RFC 7239, 6).
        Some(hidden) if hidden.starts_with('_') => at(address, 0),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => at(address, port.parse().ok()?),
        Some(_) => None,
        None => port.is_empty().then(|| SocketAddr::new(address, 0)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn settings(header: Option<ForwardedHeader>) -> ForwardedSettings {
        let text = "from = [\"10.0.0.0/8\", \"2001:db8:ffff::/48\"]";
        ForwardedSettings { header, ..toml::from_str(text).unwrap() }
    }

    fn told(header: Option<ForwardedHeader>, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        client(&settings(header), SocketAddr::new(peer.parse().unwrap(), 1), &headers).ip().to_string()
    }

    #[test]
    fn the_list_is_walked_from_the_right_to_the_first_stranger() {
        for (lines, client) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            (&["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            (&["6.6.6.6", "192.0.2.7,10.0.0.2", " 10.0.0.3 "], "192.0.2.7"),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&["192.0.2.7, , 10.0.0.2,"], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["[2001:db8::7]:4711, 2001:db8:ffff::1"], "2001:db8::7"),
            (&["::ffff:192.0.2.7, ::ffff:10.0.0.2"], "::ffff:192.0.2.7"),
            // At garbage the walk ends with the proxy that wrote it.
            (&["unknown"], PROXY),
            (&["192.0.2.7, hello"], PROXY),
            (&["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["192.0.2.7:99999"], PROXY),
            (&["192.0.2.7:"], PROXY),
            (&["[2001:db8::7"], PROXY),
            (&["fe80::1%eth0"], PROXY),
            (&["192.0.2.7", "\u{e9}"], PROXY),
            (&["", ","], PROXY),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(told(None, PROXY, &lines), client, "{lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        for (lines, client) in [
            (&["for=192.0.2.7"][..], "192.0.2.7"),
            (&["For=\"192.0.2.7:4711\";proto=https;by=10.0.0.1"], "192.0.2.7"),
            (&["proto=http; FOR=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=\"[2001:db8::7]\" , for=10.0.0.2"], "2001:db8::7"),
            (&["for=6.6.6.6, for=192.0.2.7;host=\"a,for=6.6.6.6\""], "192.0.2.7"),
            (&["for=192.0.2.7;host=\"a\\\",for=6.6.6.6\""], "192.0.2.7"),
            (&["for=6.6.6.6;host=\"", "for=192.0.2.7"], "192.0.2.7"),
            (&["for=192.0.2.7,,", "for=10.0.0.2"], "192.0.2.7"),
            (&["for=\"192.0.2.7:_port\""], "192.0.2.7"),
            (&["for=\"19\\2.0.2.7\""], "192.0.2.7"),
            (&["for=_hidden, for=10.0.0.2"], "10.0.0.2"),
            (&["for=unknown"], PROXY),
            (&["for=192.0.2.7, by=10.0.0.2"], PROXY),
            (&["for=192.0.2.7;for=6.6.6.6"], PROXY),
            (&["for=\"192.0.2.7"], PROXY),
            (&["for=192.0.2.7, nonsense"], PROXY),
            (&["for=\"192.0.2.7\"x"], PROXY),
            (&["for="], PROXY),
            (&["for = 192.0.2.7"], PROXY),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
            assert_eq!(told(None, PROXY, &lines), client, "{lines:?}");
        }
    }

    #[test]
    fn of_two_headers_that_differ_none_is_believed_unless_one_is_chosen() {
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told(None, PROXY, &both), PROXY);
        assert_eq!(told(Some(ForwardedHeader::XForwardedFor), PROXY, &both), "192.0.2.7");
        assert_eq!(told(Some(ForwardedHeader::Forwarded), PROXY, &both), "6.6.6.6");
        assert_eq!(told(Some(ForwardedHeader::Forwarded), PROXY, &both[1..]), PROXY);
        let same = [("forwarded", "for=\"192.0.2.7:1\""), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told(None, PROXY, &same), "192.0.2.7");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lines = [("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told(None, "203.0.113.1", &lines), "203.0.113.1");
        assert_eq!(told(None, "::ffff:10.0.0.1", &lines), "192.0.2.7");
        assert_eq!(told(None, PROXY, &[]), PROXY);
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in "[a-z=\";,:\\[\\]\\\\ .0-9_]{0,60}") {
            let _ = (elements(&line), node(&line));
        }
    }
}
