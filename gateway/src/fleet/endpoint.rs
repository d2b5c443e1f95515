//! The address of one instance.

use std::{fmt, sync::Arc};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// Host and port of an instance, and whether it uses TLS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint {
    host: Arc<str>,
    port: u16,
    tls: bool,
}

impl Endpoint {
    /// Names a host (an address without brackets, or a name) and a port.
    pub(crate) fn new(host: &str, port: u16, tls: bool) -> Self {
        Self { host: host.trim_start_matches('[').trim_end_matches(']').into(), port, tls }
    }

    /// Reads `http://host:port` or `https://host:port`.
    pub(crate) fn of_uri(uri: &Uri) -> Self {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Self::new(uri.host().unwrap_or_default(), port, tls)
    }

    /// The host, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether it uses TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// The origin of requests to it; `None` if the host is nothing that a URI can hold.
    pub(crate) fn origin(&self) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Authority::try_from(self.authority()).ok();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        parts.authority.is_some().then(|| Uri::from_parts(parts).ok()).flatten()
    }

    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_an_origin() {
        for (text, tls) in [("http://[::1]:5001/", false), ("https://aex.internal:443/", true)] {
            let endpoint = Endpoint::of_uri(&text.parse().unwrap());
            assert_eq!(endpoint.is_tls(), tls);
            assert_eq!(endpoint.origin().unwrap().to_string(), text);
        }
        assert_eq!(Endpoint::new("a b", 1, false).origin(), None);
    }
}
