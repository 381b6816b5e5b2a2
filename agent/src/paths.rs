//! Where the agent's files are: the folders of the system when it runs as a service or as root, those of the user otherwise.

use crate::error::Error;
use directories::ProjectDirs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const SYSTEM_STATE: &str = "/var/lib/uplink-agent";
const SYSTEM_CONFIG: &str = "/etc/uplink-agent";
const CONFIG_FILE: &str = "agent.toml";

/// The files of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The folder of identity, permitted list and status; nothing of Jira's is ever written there or elsewhere.
    pub(crate) state: PathBuf,
    /// The configuration file.
    pub(crate) config: ConfigFile,
}

/// The configuration file, and whether its absence is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigFile {
    /// Named by `--config`: it must be there.
    Named(PathBuf),
    /// The standard place: it may be missing.
    Standard(PathBuf),
}

impl ConfigFile {
    pub(crate) fn path(&self) -> &Path {
        match self {
            ConfigFile::Named(path) | ConfigFile::Standard(path) => path,
        }
    }
}

/// What the choice of places depends on besides the command line.
pub(crate) struct Surroundings<'a> {
    /// Whether the process is root.
    pub(crate) root: bool,
    /// Reads an environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Surroundings<'_> {
    /// The first folder of a variable that systemd sets for a service (`STATE_DIRECTORY`, `CONFIGURATION_DIRECTORY`).
    fn service_folder(&self, name: &str) -> Option<PathBuf> {
        let value = (self.variable)(name)?;
        std::env::split_paths(&value).next().filter(|path| path.is_absolute())
    }
}

impl Paths {
    /// Chooses the places: the command line, then systemd's variables, then the system's folders for root, then the user's own.
    pub(crate) fn choose(
        state: Option<PathBuf>,
        config: Option<PathBuf>,
        around: &Surroundings<'_>,
    ) -> Result<Self, Error> {
        let state = match state {
            Some(path) => path,
            None => standard_state(around)?,
        };
        let config = match config {
            Some(path) => ConfigFile::Named(path),
            None => ConfigFile::Standard(standard_config(around)?.join(CONFIG_FILE)),
        };
        Ok(Self { state, config })
    }

    /// The places for this process.
    pub(crate) fn for_process(state: Option<PathBuf>, config: Option<PathBuf>) -> Result<Self, Error> {
        let variable = |name: &str| std::env::var_os(name);
        Self::choose(state, config, &Surroundings { root: is_root(), variable: &variable })
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.state.join("identity.json")
    }

    /// Keys of an enrolment that was begun and has no answer yet.
    pub(crate) fn pending(&self) -> PathBuf {
        self.state.join("identity.pending.json")
    }

    /// Keys that are about to replace those of the identity.
    pub(crate) fn next(&self) -> PathBuf {
        self.state.join("identity.next.json")
    }

    /// The other agents of the uplink, as the relay named them last.
    pub(crate) fn peers(&self) -> PathBuf {
        self.state.join("peers.json")
    }

    /// Fingerprints that the premises confirmed.
    pub(crate) fn confirmed(&self) -> PathBuf {
        self.state.join("confirmed.json")
    }

    /// The ticket that says who is the one holder of the identity.
    pub(crate) fn ticket(&self) -> PathBuf {
        self.state.join("ticket.json")
    }

    pub(crate) fn relay_ca(&self) -> PathBuf {
        self.state.join("relay-ca.pem")
    }

    pub(crate) fn permitted(&self) -> PathBuf {
        self.state.join("permitted.json")
    }

    pub(crate) fn jira_ca(&self) -> PathBuf {
        self.state.join("jira-ca.pem")
    }

    pub(crate) fn status(&self) -> PathBuf {
        self.state.join("status.json")
    }

    /// The order to pause.
    pub(crate) fn pause(&self) -> PathBuf {
        self.state.join("pause.json")
    }

    /// The key by which columns are pseudonymised.
    pub(crate) fn mask_key(&self) -> PathBuf {
        self.state.join("mask.key")
    }

    /// The bytes that left today.
    pub(crate) fn volume(&self) -> PathBuf {
        self.state.join("volume.json")
    }

    /// What was decided of the relay's instructions.
    pub(crate) fn decisions(&self) -> PathBuf {
        self.state.join("decisions.jsonl")
    }

    /// Refused logins.
    pub(crate) fn logins(&self) -> PathBuf {
        self.state.join("logins.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.state.join("agent.lock")
    }
}

fn standard_state(around: &Surroundings<'_>) -> Result<PathBuf, Error> {
    if let Some(path) = around.service_folder("STATE_DIRECTORY") {
        return Ok(path);
    }
    if around.root {
        return Ok(PathBuf::from(SYSTEM_STATE));
    }
    let own = user_folders().ok_or(Error::NoHome { what: "state", flag: "--state" })?;
    Ok(own.state_dir().unwrap_or_else(|| own.data_local_dir()).to_owned())
}

fn standard_config(around: &Surroundings<'_>) -> Result<PathBuf, Error> {
    if let Some(path) = around.service_folder("CONFIGURATION_DIRECTORY") {
        return Ok(path);
    }
    if around.root {
        return Ok(PathBuf::from(SYSTEM_CONFIG));
    }
    let own = user_folders().ok_or(Error::NoHome { what: "configuration", flag: "--config" })?;
    Ok(own.config_dir().to_owned())
}

fn user_folders() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "uplink-agent")
}

/// Whether this process may do everything.
#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(root: bool, pairs: &[(&str, &str)]) -> Paths {
        let variable =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Paths::choose(None, None, &Surroundings { root, variable: &variable }).unwrap()
    }

    #[test]
    fn root_uses_the_places_of_the_system() {
        let paths = choose(true, &[]);
        assert_eq!(paths.state, Path::new("/var/lib/uplink-agent"));
        assert_eq!(paths.config.path(), Path::new("/etc/uplink-agent/agent.toml"));
    }

    #[test]
    fn a_service_uses_the_folders_that_systemd_gives() {
        let given = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("CONFIGURATION_DIRECTORY", "/etc/a")];
        let paths = choose(false, &given);
        assert_eq!(paths.state, Path::new("/var/lib/a"));
        assert_eq!(paths.config.path(), Path::new("/etc/a/agent.toml"));
    }

    #[test]
    fn the_command_line_wins_and_its_file_must_exist() {
        let around = Surroundings { root: true, variable: &|_| None };
        let paths = Paths::choose(Some("/s".into()), Some("/c.toml".into()), &around).unwrap();
        assert_eq!(paths.state, Path::new("/s"));
        assert_eq!(paths.config, ConfigFile::Named("/c.toml".into()));
    }
}
