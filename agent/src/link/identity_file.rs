//! Whether the identity of the state folder is still the one that this link was made for.

use crate::error::Error;
use crate::identity::Identity;
use crate::paths::Paths;
use crate::vigil::Pulse;
use protocol::ids::AgentId;
use protocol::keys::SigningKey;
use std::time::Duration;

/// A person who enrols anew waits for this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the state folder says.
#[derive(Debug)]
pub(super) enum Found {
    /// The same agent; its keys may have changed.
    Same(Box<SigningKey>),
    /// Another identity: enrolled anew.
    Other,
    /// None: it has left.
    Gone,
}

/// Looks at the state folder.
///
/// # Errors
/// When the identity cannot be read.
pub(super) fn look(paths: &Paths, agent_id: &AgentId) -> Result<Found, Error> {
    Ok(match Identity::load(paths)? {
        Some(identity) if identity.enrolment.agent_id == *agent_id => {
            Found::Same(Box::new(identity.seeds.signing_key()?))
        }
        Some(_) => Found::Other,
        None => Found::Gone,
    })
}

/// Waits until the identity is another one or gone. What cannot be read for now counts as unchanged.
pub(super) async fn until_changed(paths: &Paths, agent_id: &AgentId, pulse: &Pulse) {
    pulse.promise(LOOK_EVERY);
    while matches!(look(paths, agent_id), Ok(Found::Same(_)) | Err(_)) {
        tokio::time::sleep(LOOK_EVERY).await;
        pulse.promise(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{identity, paths_in};

    #[test]
    fn an_identity_that_was_enrolled_anew_or_removed_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let mut own = identity();
        own.store(&paths).unwrap();
        let id = own.enrolment.agent_id.clone();
        assert!(matches!(look(&paths, &id).unwrap(), Found::Same(_)));
        own.enrolment.agent_id = AgentId::from("agent_2");
        own.store(&paths).unwrap();
        assert!(matches!(look(&paths, &id).unwrap(), Found::Other));
        Identity::remove(&paths).unwrap();
        assert!(matches!(look(&paths, &id).unwrap(), Found::Gone));
    }
}
