//! Names to addresses: the system's hosts file and name servers, and the guard's look at every answer.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use reqwest::dns;

use crate::guard::Policy;

/// Any failure of a look-up. Every one of them means that nothing was sent.
pub(crate) type LookUpError = Box<dyn std::error::Error + Send + Sync>;

/// A look-up in progress.
pub(crate) type LookingUp = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, LookUpError>> + Send>>;

/// Where addresses of names come from: the system, or a test's own table.
pub(crate) trait LookUp: Send + Sync + 'static {
    /// Every address of a host name, in the order in which to try them.
    fn addresses(&self, host: &str) -> LookingUp;
}

/// The HTTP client's resolver: it is given only the addresses that the guard admits. The connection is made to exactly
/// these, so a name that changes its mind between check and use gains nothing.
pub(crate) struct GuardedNames {
    pub(crate) names: Arc<dyn LookUp>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) trusted: bool,
}

impl dns::Resolve for GuardedNames {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let looking_up = self.names.addresses(name.as_str());
        let (policy, trusted) = (Arc::clone(&self.policy), self.trusted);
        Box::pin(async move {
            let mut admitted = Vec::new();
            let mut refusal = None;
            for address in looking_up.await? {
                match policy.admit(address, trusted) {
                    // Port 0 stands for the port of the URL.
                    Ok(()) => admitted.push(SocketAddr::new(address, 0)),
                    Err(refused) => refusal = Some(refused),
                }
            }
            match refusal {
                Some(refusal) if admitted.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(admitted.into_iter()) as dns::Addrs),
            }
        })
    }
}

/// The files whose change means that names must be looked up anew, as glibc does it: a laptop changes networks and a
/// container's hosts file is rewritten while we run. Where they do not exist, the first reading stays.
const WATCHED: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// The system's way to look up names.
#[derive(Default)]
pub(crate) struct SystemNames(Mutex<Option<Arc<Configured>>>);

/// The system's configuration at one moment.
struct Configured {
    changed: [Option<SystemTime>; 2],
    hosts: Hosts,
    resolver: TokioResolver,
}

impl LookUp for SystemNames {
    fn addresses(&self, host: &str) -> LookingUp {
        let configured = self.configured();
        let host = host.to_owned();
        Box::pin(async move { configured?.addresses(&host).await })
    }
}

impl SystemNames {
    fn configured(&self) -> Result<Arc<Configured>, LookUpError> {
        let changed = WATCHED.map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok());
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(configured) if configured.changed == changed => Ok(Arc::clone(configured)),
            _ => {
                let configured = Arc::new(Configured::read(changed)?);
                *held = Some(Arc::clone(&configured));
                Ok(configured)
            }
        }
    }
}

impl Configured {
    fn read(changed: [Option<SystemTime>; 2]) -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system names no name server; asking the one on this machine, as resolv.conf(5) has it");
            let here = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            TokioResolver::builder_with_config(ResolverConfig::from_name_servers(vec![here]), TokioRuntimeProvider::default())
        });
        // The hosts file is asked below: hickory would ask a name server for the family that the file does not give,
        // and a machine without network would wait for that.
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        Ok(Self { changed, hosts: Hosts::from_system().unwrap_or_default(), resolver: builder.build()? })
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookUpError> {
        let here = self.addresses_in_hosts(host)?;
        if !here.is_empty() {
            return Ok(here);
        }
        let found: Vec<IpAddr> = self.resolver.lookup_ip(host).await?.iter().collect();
        if found.is_empty() { Err(io::Error::other("the name has no address").into()) } else { Ok(found) }
    }

    fn addresses_in_hosts(&self, host: &str) -> Result<Vec<IpAddr>, LookUpError> {
        let name = Name::from_utf8(host)?;
        let families = [RecordType::AAAA, RecordType::A];
        let found = families.into_iter().filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)));
        Ok(found.flat_map(|found| LookupIp::from(found).into_iter()).collect())
    }
}
