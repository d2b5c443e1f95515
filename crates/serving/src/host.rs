//! The header `Host` of HTTP/1, and whom a name may stand for.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, Version, header};

/// A host as a request names it: `example.com:443` or `[::1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// Without port and brackets.
    name: &'a str,
}

impl<'a> Host<'a> {
    /// Reads a host and, if there is one, a port (RFC 3986, 3.2.2 and 3.2.3).
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(inside) => {
                let (name, rest) = inside.split_once(']')?;
                name.parse::<Ipv6Addr>().ok()?;
                (name, rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                is_name(name).then_some((name, rest))?
            }
        };
        is_port(rest).then_some(Self { name })
    }

    /// The host that a request over HTTP/1 names; an error if it names none, two, or something else.
    pub fn of(headers: &'a HeaderMap) -> Result<Self, &'static str> {
        let mut values = headers.get_all(header::HOST).into_iter();
        let first = values.next().ok_or("the request has no Host header")?;
        if values.next().is_some() {
            return Err("the request has more than one Host header");
        }
        first.to_str().ok().and_then(Self::parse).ok_or("the Host header must be a host and, if need be, a port")
    }

    /// Whether it is an address or `localhost`: names that no stranger can give to a machine.
    pub fn is_address(&self) -> bool {
        self.name.eq_ignore_ascii_case("localhost") || self.name.parse::<IpAddr>().is_ok()
    }

    /// Whether it is this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether nothing stands beside the name.
    pub fn is_bare(text: &str) -> bool {
        Host::parse(text).is_some_and(|host| host.name == text)
    }
}

/// What is wrong with how a request names its host (RFC 9112, 3.2: it is answered with 400); HTTP/1.0 need not name one.
pub(crate) fn fault(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let may_lack = version != Version::HTTP_11 && !headers.contains_key(header::HOST);
    if may_lack { None } else { Host::of(headers).err() }
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// What stands behind a host: nothing, or a colon and a port, which may be missing.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else {
        return text.is_empty();
    };
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["a", "example.com:443", "127.0.0.1:", "[::1]", "[2001:db8::1]:50051", "a_b~!$&'()*+,;=%41"] {
            assert_eq!(fault(Version::HTTP_11, &headers(&[host])), None, "{host}");
        }
        let garbage = [
            "", "a b", "a/b", "user@a", "a:b", "a:1:2", "a:65536", "a:+1", "[::1", "[a]", "[::1]x", "::1", "a,\"b\"",
            "a\u{e9}",
        ];
        for host in garbage {
            assert!(fault(Version::HTTP_11, &headers(&[host])).is_some(), "{host}");
            assert!(fault(Version::HTTP_10, &headers(&[host])).is_some(), "{host}");
        }
        for none_or_two in [&[][..], &["a", "a"], &["a", "b"]] {
            assert!(fault(Version::HTTP_11, &headers(none_or_two)).is_some(), "{none_or_two:?}");
        }
        assert_eq!(fault(Version::HTTP_10, &headers(&[])), None);
    }

    #[test]
    fn only_addresses_and_localhost_name_the_machine() {
        for host in ["localhost", "LocalHost:9901", "127.0.0.1:9901", "[::1]:9901", "10.0.0.1"] {
            assert!(Host::parse(host).unwrap().is_address(), "{host}");
        }
        for host in ["evil.example.com", "localhost.example.com:9901", "127.1", "2130706433", "0x7f.0.0.1"] {
            assert!(!Host::parse(host).unwrap().is_address(), "{host}");
        }
        assert!(Host::parse("Gateway.internal:9901").unwrap().is("gateway.INTERNAL"));
    }
}
