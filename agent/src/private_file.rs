//! Files that only the agent may read: private from the first byte, whole or not there, and checked when they are read.

use crate::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A password, or a certificate with its key and a chain, is far shorter.
const SECRET_BYTES_MAX: u64 = 256 << 10;

/// Whether a file must survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// File and folder are synced before the call returns.
    Synced,
    /// Whole or absent after a crash of the process; an old version may come back after a loss of power.
    Volatile,
}

/// Makes the folder if needed and gives it mode 0700.
pub(crate) fn ensure_folder(path: &Path) -> Result<(), Error> {
    create_folder(path).map_err(Error::file("create", path))?;
    restrict_folder(path).map_err(Error::file("restrict", path))
}

/// The same for a folder within the state folder, which belongs to the state folder's owner also when root makes it.
pub(crate) fn ensure_folder_within(path: &Path) -> Result<(), Error> {
    ensure_folder(path)?;
    give_folder_to_owner_of_parent(path).map_err(Error::file("give away", path))
}

#[cfg(unix)]
fn give_folder_to_owner_of_parent(path: &Path) -> io::Result<()> {
    give_to_owner_of(path.parent().unwrap_or(Path::new(".")), &File::open(path)?)
}

#[cfg(not(unix))]
fn give_folder_to_owner_of_parent(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Replaces a file in one step; the new one has mode 0600 before its first byte is written.
pub(crate) fn write(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = draft_name(path)?;
    let done = fill(&draft, bytes, folder, durability).and_then(|()| fs::rename(&draft, path));
    if let Err(source) = done {
        // Why the writing failed says more than why the rest of it stays.
        drop(remove_if_there(&draft));
        return Err(Error::File { action: "write", path: path.to_owned(), source });
    }
    match durability {
        Durability::Synced => sync_folder(folder).map_err(Error::file("sync", folder)),
        Durability::Volatile => Ok(()),
    }
}

/// Reads a private file; `None` when it is not there.
///
/// # Errors
/// When other users may read the file or change its folder, or it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { action: "read", path: path.to_owned(), source }),
    };
    check_mode(path, &file.metadata().map_err(Error::file("read", path))?, 0o077, 0o600)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        check_mode(folder, &fs::metadata(folder).map_err(Error::file("read", folder))?, 0o022, 0o700)?;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    Ok(Some(bytes))
}

/// Opens a file to read it and to append to it; a new one is private before its first byte and belongs to its folder's owner.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    private_from_the_start(&mut options);
    let file = options.open(path)?;
    give_to_owner_of(path.parent().unwrap_or(Path::new(".")), &file)?;
    Ok(file)
}

/// Reads a text that an administrator wrote: a password, a private key. It may belong to a group, but not to everybody.
///
/// # Errors
/// In words, when it cannot be read, is too long, or every user of the machine can reach it.
pub(crate) fn read_secret_text(path: &Path) -> Result<Zeroizing<String>, String> {
    let met = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if met.len() > SECRET_BYTES_MAX {
        return Err(format!("{} is too large for a secret", path.display()));
    }
    check_mode(path, &met, 0o007, 0o600).map_err(|error| error.to_string())?;
    let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is no UTF-8 text", path.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn draft_name(path: &Path) -> Result<PathBuf, Error> {
    let mut random = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::System {
        action: "draw random numbers",
        reason: "the system has none".to_owned(),
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{:016x}", u64::from_le_bytes(random))))
}

fn fill(draft: &Path, bytes: &[u8], folder: &Path, durability: Durability) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private_from_the_start(&mut options);
    let mut file = options.open(draft)?;
    give_to_owner_of(folder, &file)?;
    file.write_all(bytes)?;
    match durability {
        Durability::Synced => file.sync_all(),
        Durability::Volatile => Ok(()),
    }
}

#[cfg(unix)]
fn private_from_the_start(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private_from_the_start(_: &mut OpenOptions) {}

/// An administrator enrols as root what a service with a user of its own reads later: the folder's owner gets the file.
#[cfg(unix)]
fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let owner = fs::metadata(folder)?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        return fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn give_to_owner_of(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn restrict_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let held = fs::metadata(path)?.permissions();
    if held.mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path, met: &fs::Metadata, forbidden: u32, wanted: u32) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = met.permissions().mode() & 0o7777;
    if mode & forbidden == 0 { Ok(()) } else { Err(Error::LooseMode { path: path.to_owned(), mode, wanted }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata, _: u32, _: u32) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn file_and_folder_are_for_the_agent_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("deep/state");
        ensure_folder(&folder).unwrap();
        write(&folder.join("identity.json"), b"one", Durability::Synced).unwrap();
        write(&folder.join("identity.json"), b"two", Durability::Synced).unwrap();
        assert_eq!(mode_of(&folder), 0o700);
        assert_eq!(mode_of(&folder.join("identity.json")), 0o600);
        assert_eq!(read(&folder.join("identity.json")).unwrap().unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a draft was left behind");
    }

    #[test]
    fn what_root_makes_within_the_state_folder_belongs_to_its_owner() {
        use std::os::unix::fs::MetadataExt;
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root can make files for others");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(place.path(), Some(4711), Some(4712)).unwrap();
        let folder = place.path().join("audit");
        ensure_folder_within(&folder).unwrap();
        let file = open_to_append(&folder.join("lock")).unwrap();
        for data in [fs::metadata(&folder).unwrap(), file.metadata().unwrap()] {
            assert_eq!((data.uid(), data.gid(), data.mode() & 0o077), (4711, 4712, 0));
        }
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        ensure_folder(place.path()).unwrap();
        assert_eq!(mode_of(place.path()), 0o700);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("identity.json");
        fs::write(&file, b"x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let message = read(&file).unwrap_err().to_string();
        assert!(message.contains("mode 0644") && message.contains("chmod 0600"), "{message}");
    }

    #[test]
    fn a_missing_file_is_no_error() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(read(&place.path().join("identity.json")).unwrap(), None);
    }
}
