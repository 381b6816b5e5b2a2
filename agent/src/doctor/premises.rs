//! What lies on this machine: configuration, state folder, identity.

use super::catalogue::{Check, Code};
use super::report::Finding;
use crate::error::Error;
use crate::identity::Identity;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use std::path::{Path, PathBuf};

/// The configuration was read.
pub(super) fn config_is_right(paths: &Paths) -> Finding {
    let file = paths.config.path();
    let found = if file.exists() {
        "it can be read and makes sense"
    } else {
        "it is not there, so the defaults and the environment count"
    };
    Finding::pass(Check::Config, file.display().to_string(), found)
}

/// The configuration cannot be used.
pub(super) fn config_is_wrong(paths: &Paths, error: &Error) -> Finding {
    Finding::of(Code::ConfigInvalid, paths.config.path().display().to_string(), error.to_string())
}

/// The state folder and the modes in it.
pub(super) fn state(paths: &Paths) -> Finding {
    let subject = paths.state.display().to_string();
    match paths.state.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            let why = "it is not there yet; `uplink-agent enroll` makes it";
            return Finding::skipped(Check::State, subject, why);
        }
        // A folder above it is closed to this user: whether it is there cannot be told.
        Err(error) => return Finding::of(Code::StateUnreachable, subject, error.to_string()),
    }
    match look_at_state(paths) {
        Ok(()) => {
            Finding::pass(Check::State, subject, "it can be written, and only its owner can reach the keys")
        }
        Err(Flaw::Owner { file }) => Finding::of(
            Code::StateOwner,
            subject,
            format!("{} belongs to another user than the folder", file.display()),
        ),
        Err(Flaw::Other(error @ Error::LooseMode { .. })) => {
            Finding::of(Code::StateMode, subject, error.to_string())
        }
        Err(Flaw::Other(error)) => Finding::of(Code::StateUnreachable, subject, error.to_string()),
    }
}

/// The audit log takes no line, although the files beside it may be well.
pub(super) fn audit_is_closed(paths: &Paths, error: &Error) -> Finding {
    Finding::of(Code::StateUnreachable, paths.state.display().to_string(), error.to_string())
}

enum Flaw {
    Owner { file: PathBuf },
    Other(Error),
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Reads every private file as the agent does, and writes one: a full or read-only disk shows itself only then.
fn look_at_state(paths: &Paths) -> Result<(), Flaw> {
    for file in [paths.identity(), paths.pending(), paths.permitted(), paths.status()] {
        drop(private_file::read(&file)?);
        if !is_owned_as_its_folder(&file, &paths.state) {
            return Err(Flaw::Owner { file });
        }
    }
    let probe = paths.state.join(".doctor");
    private_file::write(&probe, b"", Durability::Volatile)?;
    Ok(private_file::remove_if_there(&probe)?)
}

#[cfg(unix)]
fn is_owned_as_its_folder(file: &Path, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(file), std::fs::metadata(folder)) {
        (Ok(file), Ok(folder)) => file.uid() == folder.uid(),
        // What is not there belongs to nobody.
        _ => true,
    }
}

#[cfg(not(unix))]
fn is_owned_as_its_folder(_: &Path, _: &Path) -> bool {
    true
}

/// Keys and enrolment.
pub(super) fn identity(paths: &Paths) -> (Finding, Option<Identity>) {
    let subject = paths.identity().display().to_string();
    let loaded = Identity::load(paths).and_then(|identity| match identity {
        Some(identity) => identity.seeds.fingerprint().map(|fingerprint| Some((identity, fingerprint))),
        None => Ok(None),
    });
    match loaded {
        Ok(Some((identity, fingerprint))) => {
            let enrolment = &identity.enrolment;
            let found = format!(
                "agent {} ({}) of uplink {} at {}, fingerprint {fingerprint}",
                enrolment.agent_id, enrolment.name, enrolment.uplink, enrolment.relay
            );
            (Finding::pass(Check::Identity, subject, found), Some(identity))
        }
        Ok(None) => {
            let found = format!("this agent is not enrolled: nothing is in {}", paths.state.display());
            (Finding::of(Code::NotEnrolled, subject, found), None)
        }
        // Said by the check of the state folder.
        Err(error @ (Error::LooseMode { .. } | Error::File { .. })) => {
            (Finding::skipped(Check::Identity, subject, error.to_string()), None)
        }
        Err(error) => (Finding::of(Code::IdentityDamaged, subject, error.to_string()), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{identity as an_identity, paths_in};

    #[test]
    fn a_sound_state_folder_passes_and_is_left_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::ensure_folder(&paths.state).unwrap();
        an_identity().store(&paths).unwrap();
        let before: Vec<_> = std::fs::read_dir(&paths.state).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(state(&paths).code, "ok");
        assert_eq!(identity(&paths).0.code, "ok");
        let after: Vec<_> = std::fs::read_dir(&paths.state).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn no_identity_and_a_damaged_one_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::ensure_folder(&paths.state).unwrap();
        assert_eq!(identity(&paths).0.code, "not_enrolled");
        private_file::write(&paths.identity(), b"{\"seeds\":", Durability::Volatile).unwrap();
        assert_eq!(identity(&paths).0.code, "identity_damaged");
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_can_read_are_found_by_the_state_and_not_blamed_on_the_identity() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::ensure_folder(&paths.state).unwrap();
        an_identity().store(&paths).unwrap();
        std::fs::set_permissions(paths.identity(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let found = state(&paths);
        assert_eq!(found.code, "state_mode");
        assert!(found.found.contains("chmod 0600"), "{}", found.found);
        assert_eq!(identity(&paths).0.code, "skipped");
    }
}
