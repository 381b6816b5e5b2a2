//! The first step: a name becomes addresses, in the order in which they are tried.

use super::error::{DialError, Endpoint, Step};
use std::net::SocketAddr;
use std::time::Duration;

/// The addresses of a party, IPv6 and IPv4 in turn (RFC 8305, section 4), beginning with the family that the system prefers.
///
/// # Errors
/// When there is no such name, or nobody answers.
pub(crate) async fn resolve(at: &Endpoint, limit: Duration) -> Result<Vec<SocketAddr>, DialError> {
    let unknown = |reason: String| DialError::Name { at: at.clone(), reason };
    let lookup = tokio::net::lookup_host((at.host.as_str(), at.port));
    let found = tokio::time::timeout(limit, lookup)
        .await
        .map_err(|_| DialError::Timeout { at: at.clone(), step: Step::Resolve, limit })?
        .map_err(|error| unknown(error.to_string()))?;
    let addresses = in_turn(found.collect());
    if addresses.is_empty() { Err(unknown("it has no address".to_owned())) } else { Ok(addresses) }
}

/// One family after the other, so that a dead one costs a moment and not all of its addresses.
fn in_turn(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut order = Vec::new();
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return order,
            (one, another) => order.extend(one.into_iter().chain(another)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_preferred_one() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = ["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"].map(address).to_vec();
        let wanted = ["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"].map(address).to_vec();
        assert_eq!(in_turn(found), wanted);
        let only = ["10.0.0.2:1", "10.0.0.1:1"].map(address).to_vec();
        assert_eq!(in_turn(only.clone()), only);
    }
}
