//! One agent per state folder: two would throw each other off the relay. The lock ends with the process, whatever ends it, so it also
//! says for certain whether an agent lives.

use crate::error::Error;
use crate::paths::Paths;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// `status` holds a shared lock for a moment; a start that meets it looks again.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Takes the lock for as long as the file is kept.
///
/// # Errors
/// When another agent holds it.
pub(crate) fn hold(paths: &Paths) -> Result<File, Error> {
    let path = paths.lock();
    let mut file = open(&path).map_err(Error::file("open", &path))?;
    for tries_left in (0..TRIES).rev() {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries_left > 0 => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::AlreadyRunning { state: paths.state.clone(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(Error::File { action: "lock", path, source }),
        }
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(Error::file("write", &path))?;
    Ok(file)
}

/// Whether an agent holds the lock.
///
/// # Errors
/// When the lock file cannot be read.
pub(crate) fn is_held(paths: &Paths) -> Result<bool, Error> {
    let path = paths.lock();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::File { action: "read", path, source }),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(Error::File { action: "lock", path, source }),
    }
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
    if known { pid.trim().to_owned() } else { "unknown".to_owned() }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    #[test]
    fn one_state_folder_has_one_running_agent() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        assert!(!is_held(&paths).unwrap());
        let held = hold(&paths).unwrap();
        assert!(is_held(&paths).unwrap());
        let error = hold(&paths).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(held);
        assert!(!is_held(&paths).unwrap());
        drop(hold(&paths).unwrap());
    }
}
