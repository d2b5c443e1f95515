//! Networks of IP addresses, as a configuration names them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use schemars::JsonSchema;
use serde::Deserialize;

/// Bits of an IPv6 address that one subscriber has to spare: counting by the whole address would count nothing.
const OWN_BITS: u32 = 64;

/// A list of networks: `["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

/// One network; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Network(#[schemars(with = "String")] IpNet);

impl Networks {
    /// Whether an address is in one of them; an IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network = network.map_err(|_| "must be a network such as \"10.0.0.0/8\", or an address")?;
        Ok(Self(canonical(network).trunc()))
    }
}

fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let bits = mapped.prefix_len().checked_sub(96);
    let address = mapped.addr().to_ipv4_mapped();
    match (address, bits) {
        (Some(address), Some(bits)) => Ipv4Net::new(address, bits).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// What is counted when something is counted by address: an IPv4 address, or the network of 64 bits that an IPv6 address
/// lies in, because who has one of its addresses has them all.
#[must_use]
pub fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> OWN_BITS << OWN_BITS).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &str) -> Result<Networks, String> {
        #[derive(Deserialize)]
        struct Section {
            from: Networks,
        }
        toml::from_str::<Section>(&format!("from = {list}"))
            .map(|section| section.from)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_address_is_found_in_its_network_however_it_is_written() {
        let networks =
            networks(r#"["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:172.16.0.0/108", "10.1.2.3/16"]"#)
                .unwrap();
        for inside in ["10.255.0.1", "::ffff:10.0.0.1", "192.0.2.7", "2001:db8:1::9", "172.16.9.9", "::ffff:172.31.0.1"]
        {
            assert!(networks.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::10.0.0.1", "172.32.0.1"] {
            assert!(!networks.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!Networks::default().contains([127, 0, 0, 1].into()));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in ["10.0.0.0/33", "10.0.0", "example.com", "", "fe80::1%eth0", "10.0.0.0/8 "] {
            let error = networks(&format!("[\"10.0.0.0/8\", {wrong:?}]")).unwrap_err();
            assert!(error.contains("must be a network"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_network_of_64_bits_counts_as_one() {
        let counted = |text: &str| counted_address(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8::ffff:2"), "2001:db8::");
        assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
