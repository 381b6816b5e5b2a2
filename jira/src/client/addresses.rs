//! Where a Jira's name may lead. Every connection resolves the name anew and is made to the very addresses that were judged here, so
//! a name that changes its addresses between two requests gains nothing.
//!
//! An address written as numbers in the site's own address needs no judgement, and behind a proxy it is the proxy that resolves.

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};

/// The networks in which a Jira may be; every network that holds ordinary hosts when none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    networks: Vec<IpNet>,
}

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network; write it like 10.1.2.0/24, or 10.1.2.3 for a single address")]
pub struct NoNetwork(String);

/// A name that leads where no Jira may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} leads to {found}; {allowed}")]
pub(crate) struct Elsewhere {
    name: String,
    found: String,
    allowed: String,
}

impl Addresses {
    /// Only these networks, each written as `ADDRESS/BITS` or as a single address.
    ///
    /// # Errors
    /// When one of them is no network.
    pub fn parse<S: AsRef<str>>(networks: &[S]) -> Result<Self, NoNetwork> {
        let network = |text: &S| {
            let text = text.as_ref().trim();
            let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>().ok().or_else(single).ok_or_else(|| NoNetwork(text.to_owned()))
        };
        Ok(Self { networks: networks.iter().map(network).collect::<Result<_, _>>()? })
    }

    /// Whether every ordinary address is permitted.
    pub fn is_open(&self) -> bool {
        self.networks.is_empty()
    }

    fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.is_open() {
            return !is_no_host(address);
        }
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn judge(&self, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Elsewhere> {
        let permitted: Vec<_> = found.iter().copied().filter(|found| self.permits(found.ip())).collect();
        if !permitted.is_empty() || found.is_empty() {
            return Ok(permitted);
        }
        let texts = |ips: &mut dyn Iterator<Item = String>| ips.collect::<Vec<_>>().join(", ");
        let allowed = match self.networks.as_slice() {
            [] => "no host of a company has such an address".to_owned(),
            networks => format!("it may lead to {}", texts(&mut networks.iter().map(IpNet::to_string))),
        };
        let found = texts(&mut found.iter().map(|found| found.ip().to_string()));
        Err(Elsewhere { name: name.to_owned(), found, allowed })
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = addresses.judge(name.as_str(), found.collect())?;
            Ok::<Addrs, Box<dyn StdError + Send + Sync>>(Box::new(permitted.into_iter()))
        })
    }
}

/// Link-local addresses, where clouds answer with the credentials of the machine, and addresses that are no single host's.
fn is_no_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(addresses: &Addresses, found: &[&str]) -> Result<Vec<String>, String> {
        let found = found.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        let permitted = addresses.judge("jira", found).map_err(|error| error.to_string())?;
        Ok(permitted.iter().map(|found| found.ip().to_string()).collect())
    }

    #[test]
    fn a_name_never_leads_to_the_metadata_of_a_cloud() {
        let open = Addresses::default();
        for evil in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::"] {
            assert!(judged(&open, &[evil]).unwrap_err().contains("leads to"), "{evil}");
        }
        let ordinary = ["10.0.0.7", "127.0.1.1", "192.0.2.1", "fd00::7", "2001:db8::7"];
        assert_eq!(judged(&open, &ordinary).unwrap(), ordinary);
        assert_eq!(judged(&open, &["169.254.169.254", "10.0.0.7"]).unwrap(), ["10.0.0.7"]);
    }

    #[test]
    fn named_networks_are_the_only_ones() {
        let own = Addresses::parse(&["10.1.0.0/16", "192.0.2.9", "fd00::/8"]).unwrap();
        assert_eq!(
            judged(&own, &["10.1.9.9", "10.2.0.1", "192.0.2.9", "192.0.2.8", "fd12::1"]).unwrap(),
            ["10.1.9.9", "192.0.2.9", "fd12::1"]
        );
        let refused = judged(&own, &["127.0.0.1"]).unwrap_err();
        assert!(refused.contains("127.0.0.1") && refused.contains("10.1.0.0/16"), "{refused}");
        assert!(Addresses::parse(&["jira.corp"]).unwrap_err().to_string().contains("jira.corp"));
    }
}
