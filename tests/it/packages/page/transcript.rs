//! Transcripts in a page: blocks whose commands stand behind `# `, each followed by what it prints.

use super::super::workspace;
use std::path::PathBuf;
use std::sync::Mutex;

const PROMPT: &str = "# ";
const FENCE: &str = "```";
/// Debian's rpm says so before anything else.
const OF_DEBIANS_RPM: &str = "rpm: ";

/// What the line of a link says as soon as a heartbeat was answered.
const SINCE_A_BEAT: &str = ", a beat and its answer take";

/// A command and what it prints.
#[derive(Clone, Debug)]
pub(in super::super) struct Step {
    pub(in super::super) command: String,
    pub(in super::super) printed: Vec<String>,
}

pub(in super::super) fn updating() -> bool {
    std::env::var_os("UPLINK_UPDATE_DOCS").is_some()
}

fn file() -> PathBuf {
    workspace().join("docs/install-agent.md")
}

/// The commands of a section of the page.
pub(in super::super) fn steps(section: &str) -> Vec<Step> {
    let found = steps_of(&std::fs::read_to_string(file()).unwrap(), section);
    assert!(!found.is_empty(), "the page has no commands under `{section}`");
    found
}

fn steps_of(page: &str, section: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, place) in places(page, section) {
        match place {
            Place::Command => {
                let command = line.strip_prefix(PROMPT).unwrap_or(line).to_owned();
                steps.push(Step { command, printed: Vec::new() });
            }
            Place::Printed => steps.last_mut().expect("after a command").printed.push(line.to_owned()),
            Place::Elsewhere => {}
        }
    }
    steps
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    Printed,
    Elsewhere,
}

/// Each line of the page, and what it is in the transcripts of the section.
fn places<'p>(page: &'p str, section: &str) -> Vec<(&'p str, Place)> {
    let (mut inside, mut fenced, mut transcript) = (false, false, false);
    page.lines()
        .map(|line| {
            let mut place = Place::Elsewhere;
            if line.starts_with(FENCE) {
                (fenced, transcript) = (!fenced, false);
            } else if !fenced {
                inside = line.strip_prefix("## ").map_or(inside, |title| title == section);
            } else if inside && line.starts_with(PROMPT) {
                (transcript, place) = (true, Place::Command);
            } else if inside && transcript {
                place = Place::Printed;
            }
            (line, place)
        })
        .collect()
}

/// What a terminal would show: a line that is written over shows its last text.
pub(in super::super) fn shown(output: &str) -> Vec<String> {
    let lines = output.trim_end().lines().map(|line| line.rsplit('\r').next().unwrap_or(line));
    lines.filter(|line| !line.starts_with(OF_DEBIANS_RPM)).map(|line| line.trim_end().to_owned()).collect()
}

/// Whether two outputs are equal but for what differs each time: words with a digit in them, and how long the link is up.
pub(in super::super) fn outlines_agree(said: &[String], printed: &[String]) -> bool {
    said.len() == printed.len()
        && said.iter().zip(printed).all(|(said, printed)| outline(said) == outline(printed))
}

fn outline(line: &str) -> String {
    let line = line.replace("Dialling ", "Linked to ");
    let line = line.split(SINCE_A_BEAT).next().unwrap_or_default();
    let words = line.split_whitespace();
    let words: Vec<&str> = words
        .map(|word| if word.contains(|character: char| character.is_ascii_digit()) { "#" } else { word })
        .collect();
    words.join(" ")
}

/// With `UPLINK_UPDATE_DOCS=1`, puts what was printed into the page.
pub(in super::super) fn record(section: &str, typed: Vec<Step>) {
    static WRITING: Mutex<()> = Mutex::new(());
    if !updating() {
        return;
    }
    let _alone = WRITING.lock().unwrap();
    let page = std::fs::read_to_string(file()).unwrap();
    std::fs::write(file(), with(&page, section, typed)).unwrap();
}

fn with(page: &str, section: &str, typed: Vec<Step>) -> String {
    let mut typed = typed.into_iter();
    let lines = places(page, section).into_iter().flat_map(|(line, place)| match place {
        Place::Elsewhere => vec![line.to_owned()],
        Place::Printed => Vec::new(),
        Place::Command => {
            let printed = typed.next().map(|step| step.printed).unwrap_or_default();
            [vec![line.to_owned()], printed].concat()
        }
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn a_transcript_is_read_from_its_section_alone_and_written_back() {
    let page = "## A\n\n```\n# one\nout 1\n```\n\n## B\n\ntext\n\n```\n# two < file\n# three\nold 7\nlines\n```\n\n```\n[not a transcript]\n```\n";
    let steps = steps_of(page, "B");
    let commands: Vec<&str> = steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["two < file", "three"]);
    assert_eq!(steps[1].printed, ["old 7", "lines"]);
    assert!(outlines_agree(&steps[1].printed, &shown("5%\rold 8\nlines\n\n")));
    let beaten = shown("up (since 8), a beat and its answer take 2 ms");
    assert!(outlines_agree(&shown("up (since 7)"), &beaten));
    assert!(!outlines_agree(&steps[1].printed, &shown("new 8\nlines")));
    assert!(!outlines_agree(&steps[1].printed, &shown("old 8\nlines\nmore")));
    let printed = [vec!["new".to_owned()], Vec::new()];
    let typed = steps.into_iter().zip(printed).map(|(step, printed)| Step { printed, ..step }).collect();
    assert_eq!(
        with(page, "B", typed),
        page.replace("# two < file\n", "# two < file\nnew\n").replace("old 7\nlines\n", "")
    );
}
