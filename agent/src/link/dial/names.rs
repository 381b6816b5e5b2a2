//! What the names resolved to when they last did: a name server that is gone for a while does not cut off a relay that is there.

use super::error::{DialError, Endpoint};
use super::resolve::resolve;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The name server is asked; what it said before counts when it does not answer.
    Ask,
    /// What it said before counts, and it is asked only if it never said anything.
    Remember,
}

/// The addresses of the names met so far: a relay's or two and a proxy's.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<Vec<(Endpoint, Vec<SocketAddr>)>>,
}

impl Names {
    /// The addresses of a party.
    ///
    /// # Errors
    /// When the name server does not answer, and never did.
    pub(crate) async fn resolve(
        &self,
        at: &Endpoint,
        lookup: Lookup,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(known) = self.recall(at).filter(|_| lookup == Lookup::Remember) {
            return Ok(known);
        }
        match resolve(at, limit).await {
            Ok(addresses) => {
                self.keep(at, &addresses);
                Ok(addresses)
            }
            Err(error) => match self.recall(at) {
                Some(known) => {
                    tracing::debug!(event = "name_remembered", name = %at, %error, "the name server does not help; its last answer is used");
                    Ok(known)
                }
                None => Err(error),
            },
        }
    }

    fn recall(&self, at: &Endpoint) -> Option<Vec<SocketAddr>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| known == at).map(|(_, addresses)| addresses.clone())
    }

    fn keep(&self, at: &Endpoint, addresses: &[SocketAddr]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| known != at);
        known.push((at.clone(), addresses.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Role;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_last_answer_counts_when_the_name_server_gives_none() {
        let at = Endpoint { role: Role::Relay, host: "no-such-host.invalid".to_owned(), port: 443 };
        let names = Names::default();
        assert!(names.resolve(&at, Lookup::Ask, LIMIT).await.is_err());
        let address = "192.0.2.1:443".parse().unwrap();
        names.keep(&at, &[address]);
        assert_eq!(names.resolve(&at, Lookup::Ask, LIMIT).await.unwrap(), [address]);
        assert_eq!(names.resolve(&at, Lookup::Remember, LIMIT).await.unwrap(), [address]);
    }

    #[tokio::test]
    async fn a_new_answer_replaces_the_old_one() {
        let at = Endpoint { role: Role::Relay, host: "127.0.0.1".to_owned(), port: 443 };
        let names = Names::default();
        names.keep(&at, &["192.0.2.1:443".parse().unwrap()]);
        let real = ["127.0.0.1:443".parse().unwrap()];
        assert_eq!(names.resolve(&at, Lookup::Ask, LIMIT).await.unwrap(), real);
        assert_eq!(names.resolve(&at, Lookup::Remember, LIMIT).await.unwrap(), real);
    }
}
