//! The folder of the demo: data of the relay, state of the agent, logs. Only a folder that a demo made is ever emptied.

use crate::error::DemoError;
use std::path::{Path, PathBuf};

/// Tells that a demo made this folder.
const MARK: &str = ".made-by-uplink-demo";

/// The folder of one demo.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, or empties one that an earlier demo made.
    pub(crate) fn fresh(path: &Path) -> Result<Self, DemoError> {
        let failed =
            |error: std::io::Error| DemoError::Folder { path: path.to_owned(), reason: error.to_string() };
        if path.join(MARK).is_file() {
            std::fs::remove_dir_all(path).map_err(failed)?;
        } else if path.exists() && std::fs::read_dir(path).map_err(failed)?.next().is_some() {
            let reason =
                "it holds something that no demo made; name an empty or a new folder with --keep".to_owned();
            return Err(DemoError::Folder { path: path.to_owned(), reason });
        }
        std::fs::create_dir_all(path.join("logs")).map_err(failed)?;
        std::fs::write(path.join(MARK), "A demo of Uplink made this folder and may empty it.\n")
            .map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        // Empty, so that the demo does not take up a configuration of this machine.
        for name in ["agent.toml", "relay.toml", "uplinkctl.toml"] {
            std::fs::write(path.join(name), "").map_err(failed)?;
        }
        Ok(Self { path })
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the relay keeps.
    pub(crate) fn relay_data(&self) -> PathBuf {
        self.path.join("relay-data")
    }

    /// What the agent keeps: all that lies on the premises.
    pub(crate) fn agent_state(&self) -> PathBuf {
        self.path.join("agent")
    }

    /// An empty configuration file.
    pub(crate) fn config(&self, program: &str) -> PathBuf {
        self.path.join(format!("{program}.toml"))
    }

    /// The log of a process.
    pub(crate) fn log(&self, program: &str) -> PathBuf {
        self.path.join("logs").join(format!("{program}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_an_earlier_demo_is_emptied_and_no_other() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        let folder = Folder::fresh(&path).unwrap();
        std::fs::create_dir(folder.relay_data()).unwrap();
        Folder::fresh(&path).unwrap();
        assert!(!folder.relay_data().exists());

        let foreign = parent.path().join("foreign");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("thesis.txt"), "work of years").unwrap();
        assert!(Folder::fresh(&foreign).is_err());
        assert!(foreign.join("thesis.txt").exists());
    }
}
