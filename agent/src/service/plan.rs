//! What installing comes to: files and commands, in order.

use super::ServiceError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write a file that everybody may read.
    Write(PathBuf, String),
    /// Write a file unless there is one: it is the administrator's then.
    WriteOnce(PathBuf, String),
    /// Remove a file or folder with all that is in it; one that is not there is no error.
    Remove(PathBuf),
    /// Run a command that must succeed.
    Run(Vec<String>),
    /// Run a command that may fail, because what it takes away may not be there.
    Try(Vec<String>),
}

impl Step {
    pub(super) fn run(words: &[&str]) -> Self {
        Step::Run(owned(words))
    }

    pub(super) fn attempt(words: &[&str]) -> Self {
        Step::Try(owned(words))
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Does one step after the other and stops at the first that fails.
pub(super) fn carry_out(steps: &[Step]) -> Result<(), ServiceError> {
    steps.iter().try_for_each(|step| match step {
        Step::Write(path, text) => write(path, text),
        Step::WriteOnce(path, text) => {
            if path.exists() {
                Ok(())
            } else {
                write(path, text)
            }
        }
        Step::Remove(path) => remove(path),
        Step::Run(words) => output(words).map(drop),
        Step::Try(words) => {
            if let Err(error) = output(words) {
                tracing::debug!(event = "service_step_skipped", %error, "there was nothing to do");
            }
            Ok(())
        }
    })
}

/// What a command printed.
///
/// # Errors
/// When it cannot be started or ends without success; its own words are the reason.
pub(super) fn output(words: &[String]) -> Result<String, ServiceError> {
    let failed = |reason: String| ServiceError::Command { command: words.join(" "), reason };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = done.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr).trim().to_owned();
    Err(failed(if said.is_empty() { status.to_string() } else { said }))
}

fn write(path: &Path, text: &str) -> Result<(), ServiceError> {
    let failed = |source| ServiceError::File { action: "write", path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)?;
    readable(path).map_err(failed)
}

/// Whatever the administrator's umask: the manager and the service must read it.
#[cfg(unix)]
fn readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> io::Result<()> {
    Ok(())
}

fn remove(path: &Path) -> Result<(), ServiceError> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(met) if met.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::File { action: "remove", path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_administrator_is_not_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("etc/agent.toml");
        carry_out(&[Step::WriteOnce(path.clone(), "ours".to_owned())]).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        carry_out(&[Step::WriteOnce(path.clone(), "ours".to_owned())]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        carry_out(&[Step::Remove(place.path().join("etc")), Step::Remove(path.clone())]).unwrap();
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_first_failure_ends_the_plan_in_the_commands_own_words() {
        let place = tempfile::tempdir().unwrap();
        let after = place.path().join("after");
        let steps = [
            Step::attempt(&["false"]),
            Step::run(&["sh", "-c", "echo no such unit >&2; exit 3"]),
            Step::Write(after.clone(), String::new()),
        ];
        let error = carry_out(&steps).unwrap_err().to_string();
        assert!(error.contains("no such unit") && error.contains("sh -c"), "{error}");
        assert!(!after.exists());
    }
}
