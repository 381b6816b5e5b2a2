//! The other agents of this uplink, and which of them the premises confirmed. A relay may name any keys it likes: what counts is the
//! fingerprint that is computed here from those keys, and that a person compared with the one shown on the other machine.

use crate::error::Error;
use crate::identity::{read_json, write_json};
use crate::paths::Paths;
use protocol::control::Peer;
use protocol::keys::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Another agent, for the list that a person reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownPeer {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: Fingerprint,
    /// Secrets that this agent can open and the other one cannot.
    pub(crate) lacks: u32,
}

/// The fingerprint of a peer, computed from the keys that the relay named.
pub(crate) fn fingerprint(peer: &Peer) -> Fingerprint {
    Fingerprint::of(&peer.signing_key, &peer.sealing_key)
}

/// Keeps what the relay named last, for `peers`.
pub(crate) fn keep(paths: &Paths, peers: &[Peer]) -> Result<(), Error> {
    let known = peers.iter().map(|peer| KnownPeer {
        agent_id: crate::policy::shortened(peer.agent_id.as_str()),
        name: crate::policy::shortened(&peer.name),
        fingerprint: fingerprint(peer),
        lacks: peer.lacks,
    });
    let known: Vec<KnownPeer> = known.collect();
    if known == list(paths)? { Ok(()) } else { write_json(&paths.peers(), &known) }
}

/// What the relay named last.
pub(crate) fn list(paths: &Paths) -> Result<Vec<KnownPeer>, Error> {
    Ok(read_json(&paths.peers())?.unwrap_or_default())
}

/// What the premises confirmed.
pub(crate) fn confirmed(paths: &Paths) -> Result<BTreeSet<Fingerprint>, Error> {
    Ok(read_json(&paths.confirmed())?.unwrap_or_default())
}

/// Confirms a fingerprint; also before the relay has named such an agent. False when it was confirmed before.
pub(crate) fn confirm(paths: &Paths, fingerprint: Fingerprint) -> Result<bool, Error> {
    let mut all = confirmed(paths)?;
    let news = all.insert(fingerprint);
    if news {
        write_json(&paths.confirmed(), &all)?;
    }
    Ok(news)
}

/// Takes a confirmation back. What was sealed for that agent before stays sealed for it.
pub(crate) fn withdraw(paths: &Paths, fingerprint: &Fingerprint) -> Result<bool, Error> {
    let mut all = confirmed(paths)?;
    let held = all.remove(fingerprint);
    if held {
        write_json(&paths.confirmed(), &all)?;
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{identity, paths_in};

    #[test]
    fn a_confirmation_is_kept_and_can_be_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let other = identity().seeds.fingerprint().unwrap();
        assert!(confirm(&paths, other.clone()).unwrap() && !confirm(&paths, other.clone()).unwrap());
        assert!(confirmed(&paths).unwrap().contains(&other));
        assert!(withdraw(&paths, &other).unwrap() && !withdraw(&paths, &other).unwrap());
        assert!(confirmed(&paths).unwrap().is_empty());
    }

    #[test]
    fn the_fingerprint_comes_from_the_keys_and_from_nothing_that_the_relay_says() {
        let seeds = identity().seeds;
        let honest = Peer {
            agent_id: "agent_2".into(),
            name: "host\u{7}".to_owned(),
            signing_key: seeds.signing_key().unwrap().public(),
            sealing_key: seeds.sealing_key().public(),
            lacks: 1,
        };
        assert_eq!(fingerprint(&honest), seeds.fingerprint().unwrap());
        let swapped = Peer { sealing_key: identity().seeds.sealing_key().public(), ..honest.clone() };
        assert_ne!(fingerprint(&swapped), seeds.fingerprint().unwrap());
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        keep(&paths, &[honest]).unwrap();
        assert_eq!(list(&paths).unwrap()[0].fingerprint, seeds.fingerprint().unwrap());
    }
}
