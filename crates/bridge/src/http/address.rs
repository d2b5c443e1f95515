//! Where calls may go: base addresses, and the rule against private ones.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

/// The address of an upstream, checked when the configuration is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct BaseUrl(#[schemars(with = "String")] Url);

/// Why an address is not accepted; names no secret, because user names in addresses are refused first.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseUrlError {
    /// It cannot be parsed.
    #[error("must be an address such as https://api.example.com/path")]
    Malformed,
    /// Another scheme than http and https.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Credentials belong into their own keys.
    #[error("must not contain a user name or password")]
    UserInfo,
    /// A query or fragment would be lost or repeated.
    #[error("must not contain a query or fragment")]
    Query,
    /// The host is a private address and the account does not allow that.
    #[error("must not be a private or local address, unless transport.allow_private = true")]
    Private,
}

impl BaseUrl {
    /// The address itself.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Checks a host that is written as an address; names are checked when they are resolved.
    pub(crate) fn check_private(&self, allow_private: bool) -> Result<(), BaseUrlError> {
        let address = match self.0.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if allow_private || is_public(address) { Ok(()) } else { Err(BaseUrlError::Private) }
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;

    fn try_from(text: String) -> Result<Self, BaseUrlError> {
        let url = Url::parse(&text).map_err(|_| BaseUrlError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BaseUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Query);
        }
        Ok(BaseUrl(url))
    }
}

/// Resolves names and drops private addresses, so that the address that is checked is the one that is
/// connected to.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) allow_private: bool,
}

#[derive(Debug)]
struct OnlyPrivate;

impl fmt::Display for OnlyPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name resolves to private addresses only")
    }
}

impl std::error::Error for OnlyPrivate {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(OnlyPrivate.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => address.to_ipv4().map_or_else(|| is_public_v6(address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = a == 192 && b == 0 && c == 0;
    let benchmarks = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 240
        || shared
        || protocols
        || benchmarks
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let nat64 = (first, second) == (0x64, 0xff9b);
    // 6to4 and Teredo carry an IPv4 address, site-local ones are the private ones of old (RFC 3879).
    let carried = first == 0x2002 || (first, second) == (0x2001, 0);
    let site_local = first & 0xffc0 == 0xfec0;
    !(nat64
        || carried
        || site_local
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<BaseUrl, BaseUrlError> {
        BaseUrl::try_from(text.to_owned())
    }

    #[test]
    fn refuses_what_is_no_base() {
        assert_eq!(base("nonsense").unwrap_err(), BaseUrlError::Malformed);
        assert_eq!(base("ftp://h/").unwrap_err(), BaseUrlError::Scheme);
        assert_eq!(base("https://u:p@h/").unwrap_err(), BaseUrlError::UserInfo);
        assert_eq!(base("https://h/?key=1").unwrap_err(), BaseUrlError::Query);
    }

    #[test]
    fn refuses_private_addresses_however_they_are_written() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0.0.0.0/",
            "http://169.254.169.254/",
            "http://10.1.2.3/",
            "http://192.168.1.1/",
            "http://172.20.0.1/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001::1]/",
            "http://[fec0::1]/",
            "http://198.18.0.1/",
        ] {
            let url = base(text).expect(text);
            assert_eq!(url.check_private(false), Err(BaseUrlError::Private), "{text}");
            assert_eq!(url.check_private(true), Ok(()));
        }
        for text in ["https://api.example.com/", "http://8.8.8.8/", "http://[2606:4700::1111]/"] {
            assert_eq!(base(text).expect(text).check_private(false), Ok(()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_private_address_is_refused() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Resolver { allow_private: false }.resolve(name()).await.is_err());
        assert!(Resolver { allow_private: true }.resolve(name()).await.is_ok());
    }
}
