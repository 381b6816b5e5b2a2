//! Reads an audit log from its oldest line and says whether it is intact, or where it is first broken. Needs nothing but the files.

use super::chain::{self, Hash, Head};
use super::journal::{self, JournalError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Findings {
    /// Files that were read.
    pub(crate) files: u64,
    /// Lines that follow each other.
    pub(crate) lines: u64,
    /// Number of the first line that is here.
    pub(crate) first: Option<u64>,
    /// The end of the chain.
    pub(crate) head: Option<Head>,
    /// When the first and the last line were written.
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    /// Lines that a crash cut short; each is marked in the log.
    pub(crate) torn: u64,
    /// How often each event stands there.
    pub(crate) events: BTreeMap<String, u64>,
    /// The first broken place.
    pub(crate) broken: Option<Broken>,
}

/// A place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Broken {
    pub(crate) file: PathBuf,
    /// Line of the file, from 1; 0 for the file as a whole.
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// What the verifier looks at in every line.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    at: String,
    event: String,
    #[serde(default)]
    prev: Option<Hash>,
    #[serde(default)]
    through: Option<u64>,
    #[serde(default)]
    bytes: Option<u64>,
    #[serde(default)]
    sha256: Option<Hash>,
}

/// Reads the lines of a chain one after the other.
struct Reader<'a> {
    findings: Findings,
    head: Option<Head>,
    /// A line without sense, which only the mark of a torn line explains.
    torn: Option<(Vec<u8>, Broken)>,
    /// Up to which line files were removed by the limits.
    removed: u64,
    visit: &'a mut dyn FnMut(&Head, &str),
}

/// Verifies all files of a folder: they must follow each other, nothing may be missing at the beginning that the limits did not remove,
/// and the end must not lie before the one that was remembered. `visit` gets each good line's number, hash and body.
pub(crate) fn folder(folder: &Path, visit: &mut dyn FnMut(&Head, &str)) -> Result<Findings, JournalError> {
    let all = journal::files(folder)?;
    // Before the files: an agent that is running goes on writing.
    let remembered = journal::remembered(folder)?;
    let mut replaced = false;
    let mut visit = |head: &Head, body: &str| {
        replaced |= remembered.as_ref().is_some_and(|kept| kept.seq == head.seq && kept.hash != head.hash);
        visit(head, body);
    };
    let mut reader = Reader::new(&mut visit);
    for (first, path) in &all {
        reader.read(path, Some(*first))?;
        if reader.findings.broken.is_some() {
            return Ok(reader.end());
        }
    }
    let removed = reader.removed;
    let mut findings = reader.end();
    if replaced {
        let reason = "the end is not the one that was remembered: lines were written anew".to_owned();
        findings.broken.get_or_insert(Broken { file: folder.to_owned(), line: 0, reason });
    }
    if findings.broken.is_none() {
        findings.broken = whole(&findings, &all, removed, remembered.as_ref(), folder);
    }
    Ok(findings)
}

/// Verifies one file by itself.
pub(crate) fn file(path: &Path, visit: &mut dyn FnMut(&Head, &str)) -> Result<Findings, JournalError> {
    let mut reader = Reader::new(visit);
    reader.read(path, None)?;
    Ok(reader.end())
}

/// What only the log as a whole can tell.
fn whole(
    findings: &Findings,
    all: &[(u64, PathBuf)],
    removed: u64,
    remembered: Option<&Head>,
    folder: &Path,
) -> Option<Broken> {
    let at = |place: Option<&(u64, PathBuf)>, reason: String| {
        let file = place.map_or_else(|| folder.to_owned(), |(_, path)| path.clone());
        Some(Broken { file, line: 0, reason })
    };
    let last = findings.head.as_ref().map_or(0, |head| head.seq);
    if let Some(remembered) = remembered.filter(|remembered| remembered.seq > last) {
        let reason = format!(
            "the log ends with line {last}, but line {} was written: its end was cut off",
            remembered.seq
        );
        return at(all.last(), reason);
    }
    let first = findings.first?;
    if first > 1 && removed + 1 < first {
        let reason = format!(
            "lines {} to {} are missing, and no limit removed them: the beginning was taken away",
            removed + 1,
            first - 1
        );
        return at(all.first(), reason);
    }
    None
}

impl<'a> Reader<'a> {
    fn new(visit: &'a mut dyn FnMut(&Head, &str)) -> Self {
        Self { findings: Findings::default(), head: None, torn: None, removed: 0, visit }
    }

    fn end(mut self) -> Findings {
        if let Some((_, broken)) = self.torn.take() {
            self.findings.broken.get_or_insert(broken);
        }
        self.findings.head = self.head;
        self.findings
    }

    fn read(&mut self, path: &Path, first: Option<u64>) -> Result<(), JournalError> {
        let failed = |action| move |source| JournalError::Io { action, path: path.to_owned(), source };
        let mut lines = BufReader::new(File::open(path).map_err(failed("open"))?);
        self.findings.files += 1;
        let mut bytes = Vec::new();
        for number in 1_u64.. {
            bytes.clear();
            if lines.read_until(b'\n', &mut bytes).map_err(failed("read"))? == 0 {
                break;
            }
            let broken = |reason: String| Broken { file: path.to_owned(), line: number, reason };
            if bytes.pop_if(|byte| *byte == b'\n').is_none() {
                let reason = "the last line is cut short; a crash does that, and the next start of the agent marks it, but nothing has marked this one";
                self.findings.broken = Some(broken(reason.to_owned()));
                return Ok(());
            }
            let begins = if number == 1 { Some(first) } else { None };
            if let Err(reason) = self.line(&bytes, begins, &broken) {
                self.findings.broken = Some(broken(reason));
                return Ok(());
            }
        }
        Ok(())
    }

    /// `begins` on the first line of a file, with the number that the file's name promises.
    fn line(
        &mut self,
        bytes: &[u8],
        begins: Option<Option<u64>>,
        broken: &dyn Fn(String) -> Broken,
    ) -> Result<(), String> {
        let opened = std::str::from_utf8(bytes).ok().and_then(chain::open);
        let parsed = opened
            .and_then(|(body, hash)| serde_json::from_str::<Line>(&body).ok().map(|line| (body, hash, line)));
        let Some((body, hash, line)) = parsed else {
            if let Some((_, earlier)) = &self.torn {
                return Err(earlier.reason.clone());
            }
            // What a crash left; only the mark that must come next makes it that.
            let reason = "this is no line of an audit log: it was changed or cut".to_owned();
            self.torn = Some((bytes.to_vec(), broken(reason)));
            return Ok(());
        };
        if let Some(promised) = begins {
            self.begin(&line, promised)?;
        }
        let head = self.head.clone().ok_or("a log begins with `file_begins`")?;
        if line.seq != head.seq + 1 {
            return Err(format!(
                "line {} follows line {}: lines are missing, added or swapped",
                line.seq, head.seq
            ));
        }
        if !chain::follows(&head.hash, &body, &hash) {
            return Err(format!(
                "line {} is not what was written, or does not follow line {}",
                line.seq, head.seq
            ));
        }
        self.explain_torn(&line)?;
        self.count(line, Head { seq: head.seq + 1, hash }, &body);
        Ok(())
    }

    /// A file names the line that it follows, so that it can be read alone.
    fn begin(&mut self, line: &Line, promised: Option<u64>) -> Result<(), String> {
        if promised.is_some_and(|promised| promised != line.seq) {
            return Err(format!("the file's name does not fit its first line, {}", line.seq));
        }
        let prev = line.prev.clone().filter(|_| line.event == "file_begins");
        let prev = prev.ok_or("the file does not begin with `file_begins`")?;
        let claimed = Head { seq: line.seq.saturating_sub(1), hash: prev };
        match &self.head {
            None if claimed.seq == 0 && claimed.hash != Hash::genesis() => {
                Err("the first line of all follows something else than nothing".to_owned())
            }
            None => {
                self.head = Some(claimed);
                Ok(())
            }
            Some(head) if *head == claimed => Ok(()),
            Some(head) => Err(format!(
                "the file follows line {}, but the one before it ends with line {}: a file is missing, or lines at the end of one",
                claimed.seq, head.seq
            )),
        }
    }

    fn explain_torn(&mut self, line: &Line) -> Result<(), String> {
        let is_mark = line.event == "torn_line";
        match (self.torn.take(), is_mark) {
            (None, _) => Ok(()),
            (Some((rest, _)), true)
                if line.sha256.as_ref() == Some(&Hash::of(&rest))
                    && line.bytes == u64::try_from(rest.len()).ok() =>
            {
                Ok(())
            }
            (Some((_, earlier)), _) => Err(format!("before it: {}", earlier.reason)),
        }
    }

    fn count(&mut self, line: Line, head: Head, body: &str) {
        let findings = &mut self.findings;
        findings.lines += 1;
        findings.first.get_or_insert(line.seq);
        findings.from.get_or_insert_with(|| line.at.clone());
        findings.to = Some(line.at);
        findings.torn += u64::from(line.event == "torn_line");
        if line.event == "files_removed" {
            self.removed = self.removed.max(line.through.unwrap_or_default());
        }
        *findings.events.entry(line.event).or_default() += 1;
        (self.visit)(&head, body);
        self.head = Some(head);
    }
}
