//! Who was refused: connections by reason, and the addresses that most refusals came from.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use config::counted_address;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use protocol::names;
use serde::Serialize;
use tokio::time::Instant;

/// How often refusals for one reason are worth a line.
const SELDOM: Duration = Duration::from_secs(10);
/// Addresses that are counted. Who comes beyond takes the place of the one with the fewest refusals.
const COUNTED: usize = 256;
/// Addresses that are shown.
const SHOWN: usize = 25;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are `server.max_connections`.
    TooMany,
    /// There are `server.max_connections_per_ip` of this address.
    TooManyOfOneAddress,
    /// What is left of descriptors is for other things.
    Descriptors,
    /// A proxy whose connections begin with a PROXY header sent none.
    ProxyHeaderMissing,
    /// Somebody else sent one.
    ProxyHeaderForbidden,
    /// The header cannot be read, or breaks off.
    ProxyHeaderBroken,
    /// There was no TLS handshake, or none that succeeded.
    TlsHandshake,
    /// The first request did not begin, or its head did not end, in time.
    Preface,
}

/// Counts what was refused; the memory that it takes is bounded.
#[derive(Debug)]
pub struct Refusals {
    process: &'static str,
    connections: Counter<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reasons: BTreeMap<&'static str, Reason>,
    addresses: HashMap<IpAddr, Address>,
}

#[derive(Debug)]
struct Reason {
    count: u64,
    last: SystemTime,
    logged: Option<Instant>,
    /// Those since the last line.
    unsaid: u64,
}

/// Counts of the most frequent are right within `inherited` (Metwally, Agrawal and El Abbadi, "Efficient Computation of
/// Frequent and Top-k Elements in Data Streams", 2005: the algorithm Space-Saving).
#[derive(Debug)]
struct Address {
    count: u64,
    inherited: u64,
    reason: &'static str,
    last: SystemTime,
}

/// The same for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RefusalSummary {
    /// Connections that were refused, by reason.
    pub connections: Vec<RefusedConnections>,
    /// Addresses that most refusals came from, of connections and of calls.
    pub addresses: Vec<RefusedAddress>,
}

/// Connections that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusedConnections {
    /// Why, e.g. `too_many`.
    pub reason: &'static str,
    /// How many since the start.
    pub count: u64,
    /// When the last one was, RFC 3339 in UTC.
    pub last: String,
}

/// An address that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusedAddress {
    /// The address, or a network of 64 bits for IPv6.
    pub address: String,
    /// How often since the start; at least so often if many addresses were refused.
    pub count: u64,
    /// Why the last time.
    pub reason: &'static str,
    /// When the last time was, RFC 3339 in UTC.
    pub last: String,
}

impl Refused {
    /// Its name in metrics, logs and on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::TooManyOfOneAddress => "too_many_of_one_address",
            Self::Descriptors => "descriptors",
            Self::ProxyHeaderMissing => "proxy_header_missing",
            Self::ProxyHeaderForbidden => "proxy_header_forbidden",
            Self::ProxyHeaderBroken => "proxy_header_broken",
            Self::TlsHandshake => "tls_handshake",
            Self::Preface => "preface",
        }
    }

    /// The same as a sentence for the log.
    fn words(self) -> &'static str {
        match self {
            Self::TooMany => "a connection was refused: there are server.max_connections",
            Self::TooManyOfOneAddress => {
                "a connection was refused: its address has as many as server.max_connections_per_ip lets it"
            }
            Self::Descriptors => "a connection was refused: the file descriptors of the process run out",
            Self::ProxyHeaderMissing => "a connection was refused: server.proxy_protocol wants a PROXY header from it",
            Self::ProxyHeaderForbidden => {
                "a connection was refused: it began with a PROXY header and is not from server.proxy_protocol"
            }
            Self::ProxyHeaderBroken => "a connection was refused: its PROXY header cannot be read",
            Self::TlsHandshake => "a connection was refused: its TLS handshake failed",
            Self::Preface => "a connection was refused: no whole request head came in server.preface_seconds",
        }
    }
}

impl Refusals {
    pub(crate) fn new(process: &'static str, meter: &Meter) -> Self {
        let connections = meter.u64_counter(names::CONNECTIONS_REFUSED).with_description("Connections refused").build();
        Self { process, connections, state: Mutex::default() }
    }

    /// Notes a connection that is refused, and logs it now and then.
    pub(crate) fn connection(&self, why: Refused, address: Option<IpAddr>, detail: Option<&str>) {
        self.connections.add(1, &[KeyValue::new(names::REASON, why.name())]);
        let unsaid = {
            let mut state = self.state();
            address.into_iter().for_each(|address| state.note(address, why.name()));
            state.count(why.name())
        };
        if let Some(suppressed) = unsaid {
            let client_address = address.map(|address| address.to_canonical().to_string());
            let (process, reason) = (self.process, why.name());
            tracing::warn!(process, reason, client_address, detail, suppressed, "{}", why.words());
        }
    }

    /// Notes a call that was refused for where it came from or for whom it came from.
    pub fn call(&self, reason: &'static str, address: IpAddr) {
        self.state().note(address, reason);
    }

    /// What was refused up to now.
    #[must_use]
    pub fn summary(&self) -> RefusalSummary {
        let state = self.state();
        let connections = state.reasons.iter().map(|(reason, counted)| RefusedConnections {
            reason,
            count: counted.count,
            last: rfc3339(counted.last),
        });
        let mut addresses: Vec<_> = state.addresses.iter().collect();
        addresses.sort_by_key(|(address, counted)| (std::cmp::Reverse(counted.count - counted.inherited), **address));
        addresses.truncate(SHOWN);
        RefusalSummary {
            connections: connections.collect(),
            addresses: addresses.into_iter().map(|(address, counted)| counted.shown(*address)).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a refusal; how many were not logged before it, if it is to be.
    fn count(&mut self, reason: &'static str) -> Option<u64> {
        let fresh = || Reason { count: 0, last: SystemTime::UNIX_EPOCH, logged: None, unsaid: 0 };
        let counted = self.reasons.entry(reason).or_insert_with(fresh);
        counted.count += 1;
        counted.last = SystemTime::now();
        if counted.logged.is_some_and(|then| then.elapsed() < SELDOM) {
            counted.unsaid += 1;
            return None;
        }
        counted.logged = Some(Instant::now());
        Some(std::mem::take(&mut counted.unsaid))
    }

    fn note(&mut self, address: IpAddr, reason: &'static str) {
        let address = counted_address(address);
        let is_new = !self.addresses.contains_key(&address);
        let inherited = if is_new && self.addresses.len() >= COUNTED { self.make_room() } else { 0 };
        let fresh = || Address { count: inherited, inherited, reason, last: SystemTime::UNIX_EPOCH };
        let counted = self.addresses.entry(address).or_insert_with(fresh);
        counted.count += 1;
        (counted.reason, counted.last) = (reason, SystemTime::now());
    }

    /// Forgets the address with the fewest refusals; returns how many it had.
    fn make_room(&mut self) -> u64 {
        let least = self.addresses.iter().min_by_key(|(_, counted)| counted.count).map(|(address, _)| *address);
        least.and_then(|address| self.addresses.remove(&address)).map_or(0, |counted| counted.count)
    }
}

impl Address {
    fn shown(&self, address: IpAddr) -> RefusedAddress {
        let address = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        };
        RefusedAddress { address, count: self.count - self.inherited, reason: self.reason, last: rfc3339(self.last) }
    }
}

fn rfc3339(time: SystemTime) -> String {
    prost_types::Timestamp::from(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn refusals() -> Refusals {
        Refusals::new("test", &opentelemetry::global::meter("test"))
    }

    #[test]
    fn who_is_refused_most_is_found_among_many_and_memory_is_bounded() {
        let refusals = refusals();
        let often: IpAddr = [192, 0, 2, 1].into();
        for number in 0..20_000_u32 {
            refusals.call("credentials", Ipv4Addr::from(number).into());
            if number % 10 == 0 {
                refusals.call("too_many_guesses", often);
            }
        }
        assert_eq!(refusals.state().addresses.len(), COUNTED);
        let summary = refusals.summary();
        assert_eq!(summary.addresses.len(), SHOWN);
        let first = &summary.addresses[0];
        assert_eq!((first.address.as_str(), first.reason), ("192.0.2.1", "too_many_guesses"));
        assert!(first.count <= 2000 && first.count > 1000, "{}", first.count);
        assert!(summary.addresses[1].count <= 1, "{:?}", summary.addresses[1]);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let refusals = refusals();
        for last in 1..=3 {
            refusals.call("credentials", format!("2001:db8::{last}").parse().unwrap());
        }
        let [one] = refusals.summary().addresses.try_into().unwrap();
        assert_eq!((one.address.as_str(), one.count), ("2001:db8::/64", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_rare_and_say_how_many_are_missing() {
        let mut state = State::default();
        let said: Vec<_> = (0..5).map(|_| state.count("too_many")).collect();
        assert_eq!(said, [Some(0), None, None, None, None]);
        assert_eq!(state.count("preface"), Some(0), "another reason has lines of its own");
        tokio::time::advance(SELDOM).await;
        assert_eq!((state.count("too_many"), state.count("too_many")), (Some(4), None));
        assert_eq!(state.reasons["too_many"].count, 7);
    }
}
