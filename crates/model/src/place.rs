//! Where a caller calls from: the address, which the audit log names, and the network, by which failures and connections are counted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A caller's address, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<IpAddr>);

/// Who is behind an address: in IPv4 the address itself, in IPv6 its network of 64 bits, all of which one caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(Option<IpAddr>);

impl Place {
    /// Of a caller within the process.
    pub const UNKNOWN: Self = Self(None);

    /// The place of this address. An IPv4 address that is written in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(Some(address.to_canonical()))
    }

    /// Whether the caller is on this machine: a program there, or a proxy for everybody.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.is_some_and(|address| address.is_loopback())
    }

    /// The network.
    #[must_use]
    pub fn network(self) -> Network {
        Network(self.0.map(|address| match address {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        }))
    }
}

/// The address without a port; empty when it is not known.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    fn place(address: &str) -> Place {
        Place::of(address.parse().unwrap())
    }

    #[test]
    fn a_caller_is_known_by_an_ipv4_address_or_64_bits_of_ipv6() {
        for (one, other) in [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::1", "2001:db8::ffff:0:0:1")] {
            assert_eq!(place(one).network(), place(other).network(), "{one} {other}");
        }
        for (one, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("::1", "127.0.0.1")] {
            assert_ne!(place(one).network(), place(other).network(), "{one} {other}");
        }
        assert_ne!(Place::UNKNOWN.network(), place("::").network());
    }

    #[test]
    fn it_is_written_without_a_port() {
        assert_eq!(place("::ffff:192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(place("2001:db8::1").to_string(), "2001:db8::1");
        assert_eq!(Place::UNKNOWN.to_string(), "");
    }

    #[test]
    fn loopback_is_this_machine() {
        assert!(["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"].into_iter().all(|address| place(address).is_loopback()));
        assert!(!place("192.0.2.1").is_loopback() && !Place::UNKNOWN.is_loopback());
    }
}
