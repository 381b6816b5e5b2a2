//! A log file that gives way to the next one by size and age: `agent.log` is the newest, `agent.log.1` the one before, and so on. What is
//! too many or too old is removed.

use crate::config;
use crate::private_file;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file gives way after this time also when it is small, so that the limit of age can take old lines away.
const ROLL_AFTER: Duration = Duration::from_secs(24 * 3600);

/// When a file is full, and when it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RollingLimits {
    pub(super) file_bytes: u64,
    pub(super) keep_files: u32,
    pub(super) max_age: Duration,
}

impl From<&config::Log> for RollingLimits {
    fn from(settings: &config::Log) -> Self {
        Self {
            file_bytes: u64::from(settings.max_mib) << 20,
            keep_files: settings.keep_files,
            max_age: Duration::from_secs(u64::from(settings.max_days) * 24 * 3600),
        }
    }
}

/// The newest file.
pub(super) struct RollingFile {
    path: PathBuf,
    limits: RollingLimits,
    file: File,
    bytes: u64,
    begun: SystemTime,
}

impl RollingFile {
    pub(super) fn open(path: &Path, limits: RollingLimits) -> io::Result<Self> {
        let file = private_file::open_to_append(path)?;
        let data = file.metadata()?;
        let begun = data.created().or_else(|_| data.modified()).unwrap_or_else(|_| SystemTime::now());
        Ok(Self { path: path.to_owned(), limits, file, bytes: data.len(), begun })
    }

    fn is_full(&self, more: usize) -> bool {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let is_old = self.begun.elapsed().unwrap_or_default() > ROLL_AFTER;
        self.bytes > 0 && (is_old || self.bytes.saturating_add(more) > self.limits.file_bytes)
    }

    fn roll(&mut self) -> io::Result<()> {
        let oldest = self.limits.keep_files.saturating_sub(1);
        remove(&numbered(&self.path, oldest.max(1)))?;
        for number in (1..oldest).rev() {
            move_if_there(&numbered(&self.path, number), &numbered(&self.path, number + 1))?;
        }
        if oldest > 0 {
            move_if_there(&self.path, &numbered(&self.path, 1))?;
        } else {
            remove(&self.path)?;
        }
        for number in 1..=oldest {
            let path = numbered(&self.path, number);
            let last = path.metadata().and_then(|data| data.modified());
            if last.is_ok_and(|last| last.elapsed().unwrap_or_default() > self.limits.max_age) {
                remove(&path)?;
            }
        }
        *self = Self::open(&self.path, self.limits)?;
        self.begun = SystemTime::now();
        Ok(())
    }
}

impl Write for RollingFile {
    /// A line comes in one piece. When no new file can be begun, the old one goes on: a log that is too long is better than none.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.is_full(line.len()) && self.roll().is_err() {
            self.bytes = 1;
        }
        let written = self.file.write(line)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// `agent.log.3`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RollingLimits =
        RollingLimits { file_bytes: 100, keep_files: 3, max_age: Duration::from_secs(3600) };

    fn lines_in(path: &Path) -> Vec<String> {
        fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    fn fill(path: &Path, limits: RollingLimits, lines: usize) {
        let mut file = RollingFile::open(path, limits).unwrap();
        (0..lines)
            .for_each(|n| file.write_all(format!("line {n:04} {}\n", "x".repeat(29)).as_bytes()).unwrap());
    }

    #[test]
    fn files_are_bounded_in_size_and_number_and_the_newest_lines_stay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("agent.log");
        fill(&path, LIMITS, 11);
        let all: Vec<Vec<String>> = [path.clone(), numbered(&path, 1), numbered(&path, 2)]
            .iter()
            .map(|path| lines_in(path))
            .collect();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
        assert!(all.iter().all(|lines| lines.len() <= 2), "{all:?}");
        assert!(all[0][0].starts_with("line 0010") && all[1][1].starts_with("line 0009"), "{all:?}");
    }

    #[test]
    fn old_files_go() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("agent.log");
        fill(&path, RollingLimits { max_age: Duration::ZERO, ..LIMITS }, 11);
        assert!(fs::read_dir(place.path()).unwrap().count() <= 2);
    }

    #[test]
    fn a_restart_goes_on_in_the_same_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("agent.log");
        fill(&path, LIMITS, 1);
        fill(&path, LIMITS, 1);
        assert_eq!(lines_in(&path).len(), 2);
    }

    #[test]
    fn one_file_is_possible_too() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("agent.log");
        fill(&path, RollingLimits { keep_files: 1, ..LIMITS }, 11);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
