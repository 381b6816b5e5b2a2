//! What is known of each Jira: when it answered, when it was asked, what went wrong, and when to ask again. Pure.

use protocol::control::{Failure, JiraHealth, JiraState};
use std::collections::BTreeMap;
use std::time::Duration;

/// A Jira that did not answer is asked again sooner, but not more often than this.
const RETRY_EVERY_MS: i64 = 60_000;
/// Answers of a busy Jira are told this often; a change of state at once.
const TELL_EVERY_MS: i64 = 60_000;

/// Half of what an answer counts for where no probes are made.
const EVERY_WITHOUT_PROBES: Duration = Duration::from_secs(300);
/// A day; then it is looked at again whether anything is due.
const NEVER: Duration = Duration::from_secs(86_400);

/// The Jiras of the premises.
#[derive(Debug)]
pub(super) struct Sites {
    probes: bool,
    every_ms: i64,
    known: BTreeMap<String, Known>,
}

#[derive(Debug, Default)]
struct Known {
    answered_ms: Option<i64>,
    asked_ms: Option<i64>,
    version: Option<String>,
    failure: Option<Failure>,
}

impl Sites {
    /// `every` zero: nothing is ever due.
    pub(super) fn new(names: impl Iterator<Item = String>, every: Duration) -> Self {
        let probes = !every.is_zero();
        let every = if probes { every } else { EVERY_WITHOUT_PROBES };
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        Self { probes, every_ms, known: names.map(|name| (name, Known::default())).collect() }
    }

    /// A request of a run, a test or a probe was answered well.
    pub(super) fn answered(&mut self, site: &str, now_ms: i64) {
        if let Some(known) = self.known.get_mut(site) {
            known.answered_ms = Some(now_ms);
            known.asked_ms = Some(now_ms);
            known.failure = None;
        }
    }

    /// A probe ended.
    pub(super) fn probed(&mut self, site: &str, outcome: Result<String, Failure>, now_ms: i64) {
        let Some(known) = self.known.get_mut(site) else { return };
        known.asked_ms = Some(now_ms);
        match outcome {
            Ok(version) => {
                known.answered_ms = Some(now_ms);
                known.version = Some(version);
                known.failure = None;
            }
            Err(failure) => known.failure = Some(failure),
        }
    }

    /// The premises let nothing be asked now.
    pub(super) fn put_off(&mut self, site: &str, now_ms: i64) {
        if let Some(known) = self.known.get_mut(site) {
            known.asked_ms = Some(now_ms);
        }
    }

    /// Which to probe now, and how long until the next one is due.
    pub(super) fn due(&self, now_ms: i64) -> (Vec<String>, Duration) {
        if !self.probes {
            return (Vec::new(), NEVER);
        }
        let wait_of = |known: &Known| {
            let every =
                if known.failure.is_some() { self.every_ms.min(RETRY_EVERY_MS) } else { self.every_ms };
            known
                .asked_ms
                .map_or(0, |asked| asked.saturating_add(every).saturating_sub(now_ms).clamp(0, every))
        };
        let due = self
            .known
            .iter()
            .filter(|(_, known)| wait_of(known) == 0)
            .map(|(site, _)| site.clone())
            .collect();
        let wait = self.known.values().map(wait_of).min().unwrap_or(self.every_ms);
        (due, Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
    }

    pub(super) fn state_of(&self, site: &str) -> Option<JiraState> {
        self.known.get(site).map(|known| known.state(self.every_ms, crate::clock::now_ms()))
    }

    pub(super) fn failure_of(&self, site: &str) -> Option<Failure> {
        self.known.get(site).and_then(|known| known.failure.clone())
    }

    /// All of it, for people.
    pub(super) fn report(&self, now_ms: i64) -> Vec<JiraHealth> {
        self.known
            .iter()
            .map(|(site, known)| JiraHealth {
                site: site.clone(),
                state: known.state(self.every_ms, now_ms),
                answered_ms: known.answered_ms,
                asked_ms: known.asked_ms,
                version: known.version.clone(),
                failure: known.failure.clone(),
            })
            .collect()
    }
}

impl Known {
    /// Healthy means: it answered lately, and nothing went wrong since. Lately leaves room for one probe that was put off.
    fn state(&self, every_ms: i64, now_ms: i64) -> JiraState {
        let lately = every_ms.saturating_mul(2);
        match (self.answered_ms, &self.failure) {
            (_, Some(_)) => JiraState::Unhealthy,
            (Some(answered), None) if now_ms.saturating_sub(answered) <= lately => JiraState::Healthy,
            (_, None) => JiraState::Unknown,
        }
    }
}

/// Whether a report says something that the last one did not, other than that time went by.
pub(super) fn is_news(told: &[JiraHealth], report: &[JiraHealth]) -> bool {
    told.len() != report.len()
        || told.iter().zip(report).any(|(told, now)| {
            let moved = |before: Option<i64>, after: Option<i64>| {
                after.unwrap_or_default().saturating_sub(before.unwrap_or_default()) >= TELL_EVERY_MS
            };
            told.state != now.state
                || told.failure != now.failure
                || told.version != now.version
                || moved(told.answered_ms, now.answered_ms)
                || moved(told.asked_ms, now.asked_ms)
        })
}

/// A probe that nobody answered in time.
pub(super) fn too_slow(site: &str, waited: Duration) -> Failure {
    Failure {
        code: "unreachable".to_owned(),
        message: format!("Jira at {site} did not answer within {} s", waited.as_secs()),
        hint: "check firewalls between this machine and Jira, and that Jira is not overloaded".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://jira";
    const MINUTE: i64 = 60_000;

    fn sites() -> Sites {
        Sites::new(std::iter::once(SITE.to_owned()), Duration::from_secs(300))
    }

    fn state(sites: &Sites, now_ms: i64) -> JiraState {
        sites.report(now_ms)[0].state
    }

    #[test]
    fn without_probes_nothing_is_ever_due() {
        let sites = Sites::new(std::iter::once(SITE.to_owned()), Duration::ZERO);
        assert!(sites.due(0).0.is_empty() && sites.due(i64::MAX / 2).0.is_empty());
    }

    #[test]
    fn nothing_is_healthy_before_it_answered() {
        let sites = sites();
        assert_eq!(state(&sites, 0), JiraState::Unknown);
        assert_eq!(sites.due(0).0, [SITE]);
    }

    #[test]
    fn an_answer_makes_it_healthy_for_a_while_and_silence_ends_that() {
        let mut sites = sites();
        sites.answered(SITE, 0);
        assert_eq!(state(&sites, 10 * MINUTE), JiraState::Healthy);
        assert_eq!(state(&sites, 10 * MINUTE + 1), JiraState::Unknown, "healthy for ever after one answer");
    }

    #[test]
    fn a_failed_probe_makes_it_unhealthy_until_it_answers_again() {
        let mut sites = sites();
        sites.answered(SITE, 0);
        sites.probed(SITE, Err(too_slow(SITE, Duration::from_secs(30))), MINUTE);
        assert_eq!(state(&sites, MINUTE), JiraState::Unhealthy);
        assert_eq!(sites.due(MINUTE).1, Duration::from_secs(60), "a sick Jira is asked again too late");
        sites.answered(SITE, 2 * MINUTE);
        assert_eq!(state(&sites, 2 * MINUTE), JiraState::Healthy);
    }

    #[test]
    fn requests_of_a_run_put_the_next_probe_off() {
        let mut sites = sites();
        sites.probed(SITE, Ok("9.12.3".to_owned()), 0);
        sites.answered(SITE, 4 * MINUTE);
        assert_eq!(sites.due(5 * MINUTE), (vec![], Duration::from_secs(240)));
        assert_eq!(sites.due(9 * MINUTE).0, [SITE]);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_probes() {
        let mut sites = sites();
        sites.answered(SITE, 1000 * MINUTE);
        assert!(sites.due(0).1 <= Duration::from_secs(300));
    }

    #[test]
    fn a_site_that_is_not_permitted_is_not_told() {
        let mut sites = sites();
        sites.answered("https://other", 0);
        assert_eq!(sites.report(0).len(), 1);
    }

    #[test]
    fn a_busy_jira_is_told_now_and_then_and_a_change_at_once() {
        let mut sites = sites();
        let told = sites.report(0);
        sites.answered(SITE, 1);
        let first = sites.report(1);
        assert!(is_news(&told, &first));
        sites.answered(SITE, 1000);
        assert!(!is_news(&first, &sites.report(1000)));
        sites.answered(SITE, 2 * MINUTE);
        assert!(is_news(&first, &sites.report(2 * MINUTE)));
    }
}
