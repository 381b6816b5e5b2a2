//! Builds the programs that the demo runs, in the profile of the demo itself.

use crate::error::DemoError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the built programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Looks where the demo's own program lies: `target/<profile>/demo`.
    pub(crate) fn beside_us() -> Result<Self, DemoError> {
        let own = std::env::current_exe().map_err(|error| DemoError::System(error.to_string()))?;
        let folder =
            own.parent().ok_or_else(|| DemoError::System("a program without a folder".to_owned()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Builds them; cargo shows its progress.
    pub(crate) fn build(&self) -> Result<(), DemoError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(workspace())
            .args(arguments(self.profile()))
            .env("CARGO_TARGET_DIR", self.target());
        let status =
            command.status().map_err(|error| DemoError::Build(format!("cargo does not start: {error}")))?;
        if status.success() { Ok(()) } else { Err(DemoError::Build(status.to_string())) }
    }

    /// The command as a user would type it.
    pub(crate) fn typed(&self) -> String {
        format!("cargo {}", arguments(self.profile()).join(" "))
    }

    /// The path of a program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Cargo's target folder.
    pub(crate) fn target(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    fn profile(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or("debug")
    }
}

fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The folder of the profile `dev` is called `debug`.
fn arguments(profile: &str) -> Vec<&str> {
    let mut arguments = vec!["build", "-p", "agent", "-p", "relay", "-p", "tests", "--bins"];
    if profile != "debug" {
        arguments.extend(["--profile", profile]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_built_in_the_profile_of_the_demo() {
        assert!(!arguments("debug").contains(&"--profile"));
        assert!(arguments("release").ends_with(&["--profile", "release"]));
    }
}
