//! Shows the log of the running agent: its file with the next ones as they come, or what systemd's journal has.

use super::journal::IDENTIFIER;
use crate::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How soon a new line is seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where the log is.
pub(crate) enum Source {
    /// In this file.
    File(PathBuf),
    /// In the journal.
    Journal,
}

/// Prints the last lines, and with `onwards` those that come, until interrupted.
///
/// # Errors
/// When the log cannot be read, or `journalctl` does not start.
pub(crate) async fn follow(
    source: &Source,
    lines: usize,
    onwards: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match source {
        Source::File(path) => follow_file(path, lines, onwards, out).await,
        Source::Journal => ask_journal(lines, onwards),
    }
}

fn ask_journal(lines: usize, onwards: bool) -> Result<(), Error> {
    let unable = |reason: String| Error::System {
        action: "read the log",
        reason: format!(
            "{reason}; the configuration names no file (`[log] file`), so the log is in systemd's journal or on the agent's standard error"
        ),
    };
    let mut command = Command::new("journalctl");
    command.args(["--identifier", IDENTIFIER, "--no-pager", "--lines", &lines.to_string()]);
    if onwards {
        command.arg("--follow");
    }
    let status = command.status().map_err(|error| unable(format!("journalctl does not start ({error})")))?;
    if status.success() { Ok(()) } else { Err(unable(format!("journalctl ended with {status}"))) }
}

async fn follow_file(path: &Path, lines: usize, onwards: bool, out: &mut dyn Write) -> Result<(), Error> {
    let failed = |action| Error::file(action, path.to_owned());
    let mut file = BufReader::new(File::open(path).map_err(failed("open"))?);
    let mut last = std::collections::VecDeque::new();
    let mut rest = Vec::new();
    while file.read_until(b'\n', &mut rest).map_err(failed("read"))? > 0 && rest.ends_with(b"\n") {
        if last.len() == lines {
            last.pop_front();
        }
        last.push_back(std::mem::take(&mut rest));
    }
    for line in last.iter().take(lines) {
        out.write_all(line).map_err(failed("show"))?;
    }
    if !onwards {
        return Ok(());
    }
    loop {
        out.flush().map_err(failed("show"))?;
        tokio::time::sleep(LOOK_EVERY).await;
        copy_lines(&mut file, &mut rest, out).map_err(failed("read"))?;
        if is_another(path, file.get_ref()) {
            // The rest of the old file was just read; the next one is read from its beginning.
            file = BufReader::new(File::open(path).map_err(failed("open"))?);
            copy_lines(&mut file, &mut rest, out).map_err(failed("read"))?;
        } else if file.get_ref().metadata().map_err(failed("look at"))?.len()
            < file.stream_position().map_err(failed("read"))?
        {
            file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
        }
    }
}

/// Whole lines only; the beginning of one waits in `rest`.
fn copy_lines(file: &mut BufReader<File>, rest: &mut Vec<u8>, out: &mut dyn Write) -> io::Result<()> {
    while file.read_until(b'\n', rest)? > 0 && rest.ends_with(b"\n") {
        out.write_all(rest)?;
        rest.clear();
    }
    Ok(())
}

#[cfg(unix)]
fn is_another(path: &Path, held: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (path.metadata(), held.metadata()) {
        (Ok(named), Ok(held)) => (named.dev(), named.ino()) != (held.dev(), held.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_another(path: &Path, held: &File) -> bool {
    match (path.metadata(), held.metadata()) {
        (Ok(named), Ok(held)) => named.len() < held.len(),
        _ => false,
    }
}
