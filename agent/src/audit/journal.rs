//! The files of the audit log: lines are appended to the newest one, which gives way to the next by size and age; the chain goes on over
//! files. Several processes may append (the agent, and commands given beside it): each takes the lock and looks for the end first.
//!
//! A process that dies in the middle of a line leaves a rest without line feed. The next one keeps it, ends it, and marks it with a
//! `torn_line`. The end of the chain is remembered in `head.json`, written after the lines were synced: so the log never ends before
//! it, unless somebody cut it.

use super::chain::{self, Hash, Head};
use super::entry::Entry;
use crate::private_file::{self, Durability};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The file that remembers the end of the chain.
const HEAD: &str = "head.json";
const LOCK: &str = "lock";
const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
/// A file gives way to the next one when it is this old, so that the limit of age can take old lines away.
const ROLL_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// The last line is looked for in this many bytes; no entry is nearly as long.
const TAIL_BYTES: u64 = 256 << 10;

/// When a file is full, and when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalLimits {
    /// Bytes of a file.
    pub(crate) file_bytes: u64,
    /// Files that are kept.
    pub(crate) keep_files: usize,
    /// Files whose last line is older than this are removed.
    pub(crate) max_age: Duration,
}

/// Why nothing could be appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk or the system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// An entry has no JSON.
    #[error("cannot write an entry as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A private file of the agent.
    #[error(transparent)]
    File(#[from] crate::error::Error),
}

/// The end of the log, for appending.
pub(crate) struct Journal {
    folder: PathBuf,
    limits: JournalLimits,
    lock: File,
    current: Option<Current>,
    head: Head,
}

/// The newest file.
struct Current {
    file: File,
    path: PathBuf,
    bytes: u64,
    begun: SystemTime,
}

/// What the end of a file is like.
enum Tail {
    /// No whole line in it, but perhaps a piece of one.
    Empty(Vec<u8>),
    /// A last line, and bytes of a torn one after it.
    Line { head: Head, torn: Vec<u8> },
    /// A last line that is none.
    Unusable(&'static str),
}

impl Journal {
    /// Opens the log of a folder, which is made when it is missing.
    pub(crate) fn open(folder: &Path, limits: JournalLimits) -> Result<Self, JournalError> {
        private_file::ensure_folder_within(folder)?;
        let path = folder.join(LOCK);
        let lock = private_file::open_to_append(&path).map_err(failed("open", &path))?;
        let mut journal =
            Self { folder: folder.to_owned(), limits, lock, current: None, head: Head::genesis() };
        journal.locked(Journal::refresh)?;
        Ok(journal)
    }

    /// The end of the chain as this process knows it.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Appends entries with their times. When it fails, none of them is in the log, and it may be tried again.
    pub(crate) fn append(&mut self, entries: &[(i64, Entry)]) -> Result<(), JournalError> {
        let appended = self.locked(|journal| {
            journal.refresh()?;
            journal.write(entries)
        });
        if appended.is_err() {
            // What is on disk counts, not what was to be written.
            self.current = None;
        }
        appended
    }

    /// Makes everything durable and then remembers the end of the chain.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        let Some(current) = &self.current else { return Ok(()) };
        current.file.sync_data().map_err(failed("sync", &current.path))?;
        let text = serde_json::to_vec(&self.head)?;
        private_file::write(&self.folder.join(HEAD), &text, Durability::Volatile)?;
        Ok(())
    }

    fn locked<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let path = self.folder.join(LOCK);
        self.lock.lock().map_err(failed("lock", &path))?;
        let done = act(self);
        self.lock.unlock().map_err(failed("unlock", &path))?;
        done
    }

    /// Finds the end of the log again if somebody else appended, and mends it if a writer died in the middle.
    fn refresh(&mut self) -> Result<(), JournalError> {
        let newest = files(&self.folder)?.pop();
        let Some((_, path)) = newest else {
            // Without a file the chain goes on from what is remembered: files that are missing are then noticed.
            self.current = None;
            self.head = self.last_remembered()?;
            return Ok(());
        };
        if let Some(current) = &self.current
            && current.path == path
            && current.file.metadata().map_err(failed("look at", &path))?.len() == current.bytes
        {
            return Ok(());
        }
        self.take_up(path)
    }

    fn take_up(&mut self, path: PathBuf) -> Result<(), JournalError> {
        let mut file = private_file::open_to_append(&path).map_err(failed("open", &path))?;
        let (tail, bytes) = read_tail(&mut file).map_err(failed("read", &path))?;
        let begun = begun(&file);
        self.current = Some(Current { file, path: path.clone(), bytes, begun });
        match tail {
            Tail::Line { head, .. } if ends_before(&head, &self.last_remembered()?) => {
                self.go_on_elsewhere(&path, "its end was cut off or changed: more lines were written")?;
            }
            Tail::Line { head, torn } => {
                self.head = head;
                if let Some(whole) = next_line(&self.head, &torn) {
                    // Only its line feed was missing.
                    self.head = whole;
                    self.append_text(b"\n")?;
                } else if !torn.is_empty() {
                    self.write_now("\n", &[torn_line(&torn)])?;
                }
            }
            Tail::Empty(torn) => self.begin_again(&torn)?,
            Tail::Unusable(reason) => self.go_on_elsewhere(&path, reason)?,
        }
        Ok(())
    }

    /// A writer died before the first line of a file was whole.
    fn begin_again(&mut self, torn: &[u8]) -> Result<(), JournalError> {
        if let Some(current) = &mut self.current {
            current.file.set_len(0).map_err(failed("shorten", &current.path))?;
            current.bytes = 0;
        }
        self.head = match files(&self.folder)?.iter().rev().nth(1) {
            Some((_, path)) => match read_tail(&mut File::open(path).map_err(failed("open", path))?) {
                Ok((Tail::Line { head, .. }, _)) => head,
                Ok(_) => self.last_remembered()?,
                Err(source) => return Err(failed("read", path)(source)),
            },
            None => self.last_remembered()?,
        };
        let begins = Entry::FileBegins { prev: self.head.hash.clone() };
        let torn = (!torn.is_empty()).then(|| torn_line(torn));
        self.write_now("", &[Some(begins), torn].into_iter().flatten().collect::<Vec<_>>())
    }

    fn last_remembered(&self) -> Result<Head, JournalError> {
        Ok(remembered(&self.folder)?.unwrap_or_else(Head::genesis))
    }

    /// The end of the newest file is no end of a chain. It stays as it is, and a new file says so.
    fn go_on_elsewhere(&mut self, path: &Path, reason: &str) -> Result<(), JournalError> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let held = number_of(&file).unwrap_or_default();
        let last = self.last_remembered()?;
        self.head = Head { seq: last.seq.max(held), hash: last.hash };
        self.current = None;
        self.roll(&[Entry::ChainBroken { file, reason: reason.to_owned() }])
    }

    fn write(&mut self, entries: &[(i64, Entry)]) -> Result<(), JournalError> {
        if self.is_full() {
            self.roll(&[])?;
        }
        let mut text = String::new();
        for (at_ms, entry) in entries {
            self.add(entry, *at_ms, &mut text)?;
        }
        self.append_text(text.as_bytes())
    }

    fn write_now(&mut self, before: &str, entries: &[Entry]) -> Result<(), JournalError> {
        let (now, mut text) = (crate::clock::now_ms(), before.to_owned());
        for entry in entries {
            self.add(entry, now, &mut text)?;
        }
        self.append_text(text.as_bytes())
    }

    fn add(&mut self, entry: &Entry, at_ms: i64, text: &mut String) -> Result<(), JournalError> {
        let seq = self.head.seq + 1;
        let (line, hash) = chain::close(&self.head.hash, &entry.body(seq, at_ms)?);
        self.head = Head { seq, hash };
        text.push_str(&line);
        text.push('\n');
        Ok(())
    }

    fn is_full(&self) -> bool {
        let Some(current) = &self.current else { return true };
        let age = current.begun.elapsed().unwrap_or_default();
        current.bytes >= self.limits.file_bytes || age > ROLL_AFTER
    }

    /// Begins the next file and removes those beyond the limits.
    fn roll(&mut self, further: &[Entry]) -> Result<(), JournalError> {
        if let Some(current) = &self.current {
            current.file.sync_data().map_err(failed("sync", &current.path))?;
        }
        let path = self.folder.join(format!("{PREFIX}{:012}{SUFFIX}", self.head.seq + 1));
        let file = private_file::open_to_append(&path).map_err(failed("create", &path))?;
        let bytes = file.metadata().map_err(failed("look at", &path))?.len();
        self.current = Some(Current { file, path, bytes, begun: SystemTime::now() });
        let begins = Entry::FileBegins { prev: self.head.hash.clone() };
        self.write_now("", &[&[begins], further].concat())?;
        self.remove_old()
    }

    fn remove_old(&mut self) -> Result<(), JournalError> {
        let all = files(&self.folder)?;
        // The newest file is the one that begins now.
        let older = all.get(..all.len().saturating_sub(1)).unwrap_or_default();
        let spare = all.len().saturating_sub(self.limits.keep_files.max(1));
        let is_old = |path: &Path| {
            let last = path.metadata().and_then(|data| data.modified());
            last.is_ok_and(|last| last.elapsed().unwrap_or_default() > self.limits.max_age)
        };
        let gone =
            older.iter().enumerate().take_while(|(place, (_, path))| *place < spare || is_old(path)).count();
        let Some((next, _)) = all.get(gone).filter(|_| gone > 0) else { return Ok(()) };
        // Said first: a crash in between leaves files that are removed the next time, never a gap without a word.
        let files = u64::try_from(gone).unwrap_or(u64::MAX);
        self.write_now("", &[Entry::FilesRemoved { through: next - 1, files }])?;
        for (_, path) in older.iter().take(gone) {
            std::fs::remove_file(path).map_err(failed("remove", path))?;
        }
        Ok(())
    }

    /// Writes whole lines, or takes back what a full disk let through of them.
    fn append_text(&mut self, text: &[u8]) -> Result<(), JournalError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if let Err(source) = current.file.write_all(text) {
            // If that fails too, the rest is found and marked as torn by the next writer.
            drop(current.file.set_len(current.bytes));
            return Err(JournalError::Io { action: "append to", path: current.path.clone(), source });
        }
        current.bytes = current.bytes.saturating_add(u64::try_from(text.len()).unwrap_or_default());
        Ok(())
    }
}

/// The files of a log with the number of their first line, oldest first.
pub(crate) fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(JournalError::Io { action: "list", path: folder.to_owned(), source }),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("list", folder))?;
        if let Some(first) = number_of(&entry.file_name().to_string_lossy()) {
            found.push((first, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The end of the chain as it was last remembered.
pub(crate) fn remembered(folder: &Path) -> Result<Option<Head>, JournalError> {
    let Some(bytes) = private_file::read(&folder.join(HEAD))? else { return Ok(None) };
    // A damaged memory is no memory: the files themselves are looked at next.
    Ok(serde_json::from_slice(&bytes).ok())
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

/// When the file's first line was written, as far as the system tells.
fn begun(file: &File) -> SystemTime {
    let data = file.metadata();
    data.and_then(|data| data.created().or_else(|_| data.modified())).unwrap_or_else(|_| SystemTime::now())
}

fn read_tail(file: &mut File) -> io::Result<(Tail, u64)> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let is_cut = length > TAIL_BYTES;
    Ok((judge_tail(bytes, is_cut), length))
}

fn judge_tail(bytes: Vec<u8>, is_cut: bool) -> Tail {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return if is_cut { Tail::Unusable("its end is no line") } else { Tail::Empty(bytes) };
    };
    let (whole, torn) = bytes.split_at(end);
    let torn = torn.get(1..).unwrap_or_default().to_vec();
    let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let line = std::str::from_utf8(whole.get(start..).unwrap_or_default()).ok();
    let Some((body, hash)) = line.and_then(chain::open) else {
        return Tail::Unusable("its last line is no line of an audit log");
    };
    match serde_json::from_str::<Numbered>(&body) {
        Ok(Numbered { seq }) => Tail::Line { head: Head { seq, hash }, torn },
        Err(_) => Tail::Unusable("its last line has no number"),
    }
}

/// Whether lines that were remembered are not there.
fn ends_before(head: &Head, remembered: &Head) -> bool {
    head.seq < remembered.seq || (head.seq == remembered.seq && head.hash != remembered.hash)
}

/// The end of the chain if `rest` is its next line.
fn next_line(head: &Head, rest: &[u8]) -> Option<Head> {
    let (body, hash) = chain::open(std::str::from_utf8(rest).ok()?)?;
    let Numbered { seq } = serde_json::from_str(&body).ok()?;
    (seq == head.seq + 1 && chain::follows(&head.hash, &body, &hash)).then_some(Head { seq, hash })
}

fn torn_line(rest: &[u8]) -> Entry {
    Entry::TornLine { bytes: u64::try_from(rest.len()).unwrap_or(u64::MAX), sha256: Hash::of(rest) }
}

/// What every line has.
#[derive(serde::Deserialize)]
struct Numbered {
    seq: u64,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}
