//! Where the progress shows: bars on a terminal, plain lines in a log, JSON for machines.

use super::view::{self, Meter, View};
use crate::documents::Run;
use crate::error::Error;
use crate::output::{Output, clean};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use std::io::Write;
use std::time::{Duration, Instant};

/// Shortest time between two plain lines of one state.
const LINE_PAUSE: Duration = Duration::from_secs(2);

/// The display of one run.
pub(super) struct Display {
    start: Instant,
    meter: Meter,
    surface: Surface,
    last_notice: String,
}

enum Surface {
    Json(Output),
    Bars(Box<Bars>),
    Plain(Plain),
}

impl Display {
    /// Bars when standard error is a terminal, lines otherwise.
    pub(super) fn new(output: Output) -> Self {
        let surface = if output.is_json() {
            Surface::Json(output)
        } else if console::Term::stderr().is_term() {
            Surface::Bars(Box::new(Bars::new()))
        } else {
            Surface::Plain(Plain::default())
        };
        Self { start: Instant::now(), meter: Meter::default(), surface, last_notice: String::new() }
    }

    /// Shows the newest document.
    pub(super) fn show(&mut self, document: &Value, run: &Run) -> Result<(), Error> {
        self.last_notice.clear();
        let now = self.start.elapsed();
        let rates = self.meter.handle_figures(now, run);
        match &mut self.surface {
            Surface::Json(output) => output.entry(document, String::new)?,
            Surface::Bars(bars) => bars.show(&view::view(run, rates)),
            Surface::Plain(plain) => {
                if plain.is_due(now, run) {
                    to_stderr(&view::line(&view::view(run, rates)));
                }
            }
        }
        Ok(())
    }

    /// Says something beside the progress; the same text is said once.
    pub(super) fn notice(&mut self, text: &str) {
        if self.last_notice == text {
            return;
        }
        text.clone_into(&mut self.last_notice);
        match &self.surface {
            Surface::Bars(bars) => bars.all.suspend(|| to_stderr(text)),
            Surface::Json(_) | Surface::Plain(_) => to_stderr(text),
        }
    }

    /// Takes the bars away.
    pub(super) fn close(&mut self) {
        if let Surface::Bars(bars) = &self.surface {
            // A terminal that cannot be cleared keeps its bars; nothing else depends on it.
            bars.all.clear().ok();
        }
    }
}

fn to_stderr(text: &str) {
    // Progress is a courtesy: when standard error is closed the run is followed all the same.
    writeln!(std::io::stderr(), "{}", clean(text)).ok();
}

/// When a plain line is due.
#[derive(Default)]
struct Plain {
    last: Option<(Duration, String)>,
}

impl Plain {
    fn is_due(&mut self, now: Duration, run: &Run) -> bool {
        let milestone = view::milestone(run);
        let due = match &self.last {
            Some((at, last)) => *last != milestone || now.saturating_sub(*at) >= LINE_PAUSE,
            None => true,
        };
        if due {
            self.last = Some((now, milestone));
        }
        due
    }
}

struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    figures: ProgressBar,
    tables: Vec<ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0).with_style(style("{prefix} [{bar:30}] {wide_msg}")));
        let figures = all.add(ProgressBar::new(0).with_style(style("  {wide_msg}")));
        Self { all, overall, figures, tables: Vec::new() }
    }

    fn show(&mut self, view: &View) {
        let (position, length) = view.position.unwrap_or((0, 1));
        self.overall.set_length(length.max(1));
        self.overall.set_position(position);
        self.overall.set_prefix(view.head.clone());
        self.overall.set_message(view.issues.clone());
        self.figures.set_message(view.figures.clone());
        while self.tables.len() < view.tables.len() {
            self.tables.push(self.all.add(ProgressBar::new(0).with_style(style("  {wide_msg}"))));
        }
        for (bar, text) in self.tables.iter().zip(&view.tables) {
            bar.set_message(clean(text));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are literals of this file, tried by a test; the fallback only spares a panic.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_of_the_bars_are_sound() {
        for template in ["{prefix} [{bar:30}] {wide_msg}", "  {wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn plain_lines_come_at_state_changes_and_else_every_two_seconds() {
        let run = |state: &str| Run { state: state.into(), ..Run::default() };
        let mut plain = Plain::default();
        let due = [
            ("queued", 0),
            ("queued", 1900),
            ("running", 1950),
            ("running", 3900),
            ("running", 3950),
            ("succeeded", 3951),
        ]
        .map(|(state, ms)| plain.is_due(Duration::from_millis(ms), &run(state)));
        assert_eq!(due, [true, false, true, false, true, true]);
    }
}
