//! What a person sees of a run in progress, made from its document and from how fast the figures grew. Pure: the time is an
//! argument.

use crate::documents::Run;
use crate::figures::{bytes, clock, count, percent};
use std::collections::VecDeque;
use std::time::Duration;

/// Rates are taken over so much time, so that they neither flicker nor lag.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// A rate over less than this says nothing.
const RATE_WINDOW_MIN: Duration = Duration::from_millis(500);

/// Remembers how the figures grew.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    rows: u64,
    issues: u64,
}

/// How fast the figures grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Rows a second.
    pub(super) rows: Option<f64>,
    /// Issues a second.
    pub(super) issues: Option<f64>,
}

impl Meter {
    /// Takes the figures at a time since an arbitrary start; gives the rates of the last seconds.
    pub(super) fn handle_figures(&mut self, at: Duration, run: &Run) -> Rates {
        let Some(progress) = &run.progress else { return Rates::default() };
        let sample = Sample { at, rows: progress.rows.values().sum(), issues: progress.issues_read };
        // After a resume the figures start lower: rates across that moment would be wrong.
        if self.samples.back().is_some_and(|last| sample.rows < last.rows || sample.issues < last.issues) {
            self.samples.clear();
        }
        self.samples.push_back(sample);
        while self.samples.get(1).is_some_and(|second| at.saturating_sub(second.at) >= RATE_WINDOW) {
            self.samples.pop_front();
        }
        self.rates(sample)
    }

    fn rates(&self, now: Sample) -> Rates {
        let Some(first) = self.samples.front() else { return Rates::default() };
        let span = now.at.saturating_sub(first.at);
        if span < RATE_WINDOW_MIN {
            return Rates::default();
        }
        let rate = |grown: u64| Some(grown as f64 / span.as_secs_f64());
        Rates { rows: rate(now.rows - first.rows), issues: rate(now.issues - first.issues) }
    }
}

/// One state of the display.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    /// Which run, doing what.
    pub(super) head: String,
    /// Issues read and issues in all.
    pub(super) position: Option<(u64, u64)>,
    /// `12,345 of 20,000 issues`.
    pub(super) issues: String,
    /// Rows, bytes, requests, retries, time left.
    pub(super) figures: String,
    /// Rows by table.
    pub(super) tables: Vec<String>,
}

/// Makes the view of a run.
pub(super) fn view(run: &Run, rates: Rates) -> View {
    let progress = run.progress.clone().unwrap_or_default();
    let rows: u64 = progress.rows.values().sum();
    let mut figures = vec![match rates.rows {
        Some(rate) => format!("{} rows ({}/s)", count(rows), count(whole(rate))),
        None => format!("{} rows", count(rows)),
    }];
    figures.push(format!("{} from Jira", bytes(progress.bytes_read)));
    let share = percent(progress.bytes_sent, progress.bytes_read)
        .map(|share| format!(" ({share})"))
        .unwrap_or_default();
    figures.push(format!("{} over the link{share}", bytes(progress.bytes_sent)));
    figures.push(format!("{} requests", count(progress.requests)));
    figures.push(format!("{} retries", count(progress.retries)));
    // A delta load counts late, and issues come while a load runs: a total below what was read is none.
    let total = progress.issues_total.filter(|total| *total >= progress.issues_read && *total > 0);
    let left = progress.eta_seconds.or_else(|| time_left(total?, progress.issues_read, rates.issues?));
    let is_reading = !run.has_ended() && total.is_some_and(|total| total > progress.issues_read);
    figures.extend(left.filter(|_| is_reading).map(|seconds| format!("{} left", clock(whole(seconds)))));
    let width = progress.rows.keys().map(String::len).max().unwrap_or(0);
    View {
        head: head(run),
        position: total.map(|total| (progress.issues_read, total)),
        issues: issues(progress.issues_read, total),
        figures: figures.join(", "),
        tables: progress
            .rows
            .iter()
            .map(|(table, rows)| format!("{table:<width$}  {:>12}", count(*rows)))
            .collect(),
    }
}

/// The view on one line, for logs.
pub(super) fn line(view: &View) -> String {
    let share =
        view.position.and_then(|(read, total)| percent(read, total)).map(|share| format!(" ({share})"));
    format!("{}: {}{}, {}", view.head, view.issues, share.unwrap_or_default(), view.figures)
}

/// What makes a line worth printing at once: state, phase, reason to wait and lease, as the head shows them.
pub(super) fn milestone(run: &Run) -> String {
    head(run)
}

fn head(run: &Run) -> String {
    let phase = run.phase.as_deref().filter(|phase| !phase.is_empty() && run.state == "running");
    let phase = phase.map(|phase| format!(" ({})", phase.replace('_', " "))).unwrap_or_default();
    let resumed = match run.lease {
        Some(lease) if lease > 1 && !run.has_ended() => format!(", resumed {}", times(lease - 1)),
        _ => String::new(),
    };
    let reason = run.reason.as_deref().filter(|reason| !reason.is_empty() && !run.has_ended());
    let waits = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    crate::output::clean(&format!("{} {}{phase}{waits}{resumed}", run.id, run.state))
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn issues(read: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("{} of {} issues", count(read), count(total)),
        None => format!("{} issues", count(read)),
    }
}

fn time_left(total: u64, read: u64, per_second: f64) -> Option<f64> {
    (per_second > 0.0).then(|| total.saturating_sub(read) as f64 / per_second)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded to a range that u64 holds before the cast, NaN becomes 0"
)]
#[expect(clippy::cast_sign_loss, reason = "bounded below by 0 before the cast")]
fn whole(number: f64) -> u64 {
    number.round().clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Progress;

    fn running(issues: u64, rows: u64) -> Run {
        let progress = Progress {
            issues_total: Some(20_000),
            issues_read: issues,
            rows: [("issue_comments".to_owned(), rows - issues), ("issues".to_owned(), issues)].into(),
            requests: 240,
            retries: 2,
            bytes_read: 45_600_000,
            bytes_sent: 3_100_000,
            ..Progress::default()
        };
        let phase = Some("catch_up".to_owned());
        Run {
            id: "run_3".into(),
            state: "running".into(),
            phase,
            lease: Some(1),
            progress: Some(progress),
            ..Run::default()
        }
    }

    #[test]
    fn a_line_holds_every_figure() {
        let mut meter = Meter::default();
        meter.handle_figures(Duration::ZERO, &running(4_000, 20_000));
        let run = running(8_000, 40_000);
        let rates = meter.handle_figures(Duration::from_secs(4), &run);
        assert_eq!(
            line(&view(&run, rates)),
            "run_3 running (catch up): 8,000 of 20,000 issues (40.0 %), 40,000 rows (5,000/s), 45.6 MB from Jira, \
             3.10 MB over the link (6.8 %), 240 requests, 2 retries, 0:12 left"
        );
    }

    #[test]
    fn a_run_without_figures_yet_shows_zeros_and_no_rate() {
        let run = Run { id: "run_3".into(), state: "queued".into(), ..Run::default() };
        let view = view(&run, Meter::default().handle_figures(Duration::ZERO, &run));
        assert_eq!(
            line(&view),
            "run_3 queued: 0 issues, 0 rows, 0 B from Jira, 0 B over the link, 0 requests, 0 retries"
        );
        assert_eq!((view.position, view.tables.len()), (None, 0));
    }

    #[test]
    fn figures_that_fall_back_after_a_resume_give_no_negative_rate() {
        let mut meter = Meter::default();
        meter.handle_figures(Duration::ZERO, &running(8_000, 40_000));
        let rates = meter.handle_figures(Duration::from_secs(1), &running(6_000, 30_000));
        assert_eq!(rates, Rates::default());
        let rates = meter.handle_figures(Duration::from_secs(2), &running(7_000, 32_000));
        assert_eq!((rates.rows, rates.issues), (Some(2_000.0), Some(1_000.0)));
    }

    #[test]
    fn a_rate_forgets_what_was_long_ago() {
        let mut meter = Meter::default();
        for second in 0..10 {
            meter.handle_figures(Duration::from_secs(second), &running(1_000, 10_000));
        }
        let rates = meter.handle_figures(Duration::from_secs(10), &running(2_000, 15_000));
        assert_eq!(rates.rows, Some(1_000.0));
    }

    #[test]
    fn a_total_that_is_less_than_what_was_read_is_not_shown() {
        let mut run = running(30_000, 40_000);
        assert_eq!(view(&run, Rates::default()).issues, "30,000 issues");
        run.progress =
            run.progress.map(|progress| Progress { issues_total: Some(0), issues_read: 0, ..progress });
        assert_eq!(view(&run, Rates::default()).position, None);
    }

    #[test]
    fn a_resumed_run_says_so() {
        let run = Run { lease: Some(3), ..running(1, 2) };
        assert_eq!(view(&run, Rates::default()).head, "run_3 running (catch up), resumed 2 times");
    }

    #[test]
    fn each_table_has_a_line_with_its_rows() {
        let view = view(&running(8_000, 40_000), Rates::default());
        assert_eq!(view.tables, ["issue_comments        32,000", "issues                 8,000"]);
    }
}
