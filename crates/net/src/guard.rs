//! The address guard: which IP addresses an outbound request may reach.
//!
//! The list follows IANA's special-purpose registries (RFC 6890 and its updates). It errs on the closed side: of IPv6
//! only global unicast is open, so a range that is defined tomorrow is closed today.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// What an operator has opened.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Networks that may be reached although the guard would refuse them (`--allow-outbound CIDR`).
    pub allow: Vec<IpNet>,
}

/// An address that the guard refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    address: IpAddr,
    what: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, what } = self;
        write!(f, "{address} is {what}. Start the server with --allow-outbound {} to open it.", IpNet::from(*address))
    }
}

impl std::error::Error for Refusal {}

impl Policy {
    /// Whether a request may go to this address. `trusted` opens what an operator's own network is made of (loopback,
    /// private, shared); link-local addresses stay closed even then, for cloud machines serve their credentials there.
    pub(crate) fn admit(&self, address: IpAddr, trusted: bool) -> Result<(), Refusal> {
        // ::ffff:10.0.0.1 is 10.0.0.1 to the operating system, and so it is to us.
        let address = address.to_canonical();
        match class(address) {
            Class::Public => Ok(()),
            Class::Local(_) if trusted => Ok(()),
            Class::Local(_) | Class::Closed(_) if self.allow.iter().any(|net| net.contains(&address)) => Ok(()),
            Class::Local(what) | Class::Closed(what) => Err(Refusal { address, what }),
        }
    }
}

/// Whether the URL names a host of an operator's own network by its address, or this machine: nothing has to be looked up to know.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(name)) => return name == "localhost",
        None => return false,
    };
    matches!(class(address.to_canonical()), Class::Local(_))
}

/// What kind of address it is, with words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Anybody's.
    Public,
    /// A network of the operator's own.
    Local(&'static str),
    /// No server that a request should reach.
    Closed(&'static str),
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => class_v4(inner),
            None => class_v6(address),
        },
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    V4.iter().find(|(net, _)| net.contains(&address)).map_or(Class::Public, |(_, class)| *class)
}

fn class_v6(address: Ipv6Addr) -> Class {
    V6.iter().find(|(net, _)| net.contains(&address)).map_or(Class::Public, |(_, class)| *class)
}

/// The IPv4 address at which a translator delivers an IPv6 packet: NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len)
}

const fn v6(first: u16, second: u16, third: u16, len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), len)
}

const V4: &[(Ipv4Net, Class)] = &[
    (v4(127, 0, 0, 0, 8), Class::Local("a loopback address")),
    (v4(10, 0, 0, 0, 8), Class::Local("a private address")),
    (v4(172, 16, 0, 0, 12), Class::Local("a private address")),
    (v4(192, 168, 0, 0, 16), Class::Local("a private address")),
    (v4(100, 64, 0, 0, 10), Class::Local("an address shared inside a provider's network")),
    (v4(169, 254, 0, 0, 16), Class::Closed("a link-local address")),
    (v4(168, 63, 129, 16, 32), Class::Closed("a cloud platform's own address")),
    (v4(0, 0, 0, 0, 8), Class::Closed("an unspecified address")),
    (v4(192, 0, 0, 0, 24), Class::Closed("an address reserved for protocols")),
    (v4(192, 0, 2, 0, 24), Class::Closed("a documentation address")),
    (v4(198, 51, 100, 0, 24), Class::Closed("a documentation address")),
    (v4(203, 0, 113, 0, 24), Class::Closed("a documentation address")),
    (v4(192, 88, 99, 0, 24), Class::Closed("an address of a retired relay service")),
    (v4(198, 18, 0, 0, 15), Class::Closed("a benchmarking address")),
    (v4(224, 0, 0, 0, 4), Class::Closed("a multicast address")),
    (v4(255, 255, 255, 255, 32), Class::Closed("the broadcast address")),
    (v4(240, 0, 0, 0, 4), Class::Closed("a reserved address")),
];

const V6: &[(Ipv6Net, Class)] = &[
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Class::Local("a loopback address")),
    (v6(0xfc00, 0, 0, 7), Class::Local("a unique local address")),
    (v6(0xfe80, 0, 0, 10), Class::Closed("a link-local address")),
    (v6(0xff00, 0, 0, 8), Class::Closed("a multicast address")),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Class::Closed("an unspecified address")),
    (v6(0, 0, 0, 96), Class::Closed("an IPv4-compatible address")),
    (v6(0x2001, 0xdb8, 0, 32), Class::Closed("a documentation address")),
    (v6(0x3fff, 0, 0, 20), Class::Closed("a documentation address")),
    (v6(0x2001, 2, 0, 48), Class::Closed("a benchmarking address")),
    // Teredo is in here too: it tunnels to an IPv4 address that is not visible in a simple form.
    (v6(0x2001, 0, 0, 23), Class::Closed("an address reserved for protocols")),
    // The three ranges around 2000::/3, which is all of global unicast.
    (v6(0, 0, 0, 3), Class::Closed("a reserved address")),
    (v6(0x4000, 0, 0, 2), Class::Closed("a reserved address")),
    (v6(0x8000, 0, 0, 1), Class::Closed("a reserved address")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(policy: &Policy, address: &str, trusted: bool) -> bool {
        policy.admit(address.parse().unwrap(), trusted).is_ok()
    }

    #[test]
    fn what_is_local_is_seen_in_the_url() {
        let of = |url: &str| is_local(&Url::parse(url).unwrap());
        for url in ["http://127.0.0.1:9000/", "http://localhost/", "https://10.0.0.1/", "http://[::1]:1/", "http://[::ffff:192.168.0.1]/"] {
            assert!(of(url), "{url}");
        }
        for url in ["http://8.8.8.8/", "http://169.254.169.254/", "http://localhost.example.com/", "https://api.twilio.com/", "data:x"] {
            assert!(!of(url), "{url}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:4860:4860::8888",
        ] {
            assert!(admitted(&Policy::default(), address, false), "{address}");
        }
    }

    #[test]
    fn the_operators_own_networks_need_trust() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!admitted(&Policy::default(), address, false), "{address}");
            assert!(admitted(&Policy::default(), address, true), "{address}");
        }
    }

    #[test]
    fn what_no_server_has_stays_closed_even_with_trust() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::7f00:1",
            "::ffff:0:7f00:1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!admitted(&Policy::default(), address, false), "{address}");
            assert!(!admitted(&Policy::default(), address, true), "{address}");
        }
    }

    #[test]
    fn the_allow_list_opens_exactly_its_networks() {
        let policy = Policy { allow: vec!["10.1.0.0/16".parse().unwrap(), "169.254.0.0/16".parse().unwrap()] };
        assert!(admitted(&policy, "10.1.2.3", false));
        assert!(admitted(&policy, "::ffff:10.1.2.3", false));
        assert!(admitted(&policy, "169.254.1.1", false));
        assert!(!admitted(&policy, "10.2.0.1", false));
        assert!(!admitted(&policy, "127.0.0.1", false));
        // A translator's address is opened by its own network, not by that of the address it carries.
        assert!(!admitted(&policy, "64:ff9b::a01:203", false));
    }

    #[test]
    fn a_refusal_says_what_would_open_it() {
        let refusal = Policy::default().admit("10.0.0.1".parse().unwrap(), false).unwrap_err();
        assert_eq!(refusal.to_string(), "10.0.0.1 is a private address. Start the server with --allow-outbound 10.0.0.1/32 to open it.");
    }
}
