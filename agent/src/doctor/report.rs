//! What the checks found, in their order, and the two forms in which it is shown.

use super::catalogue::{Check, Code, Outcome};
use crate::clock;
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE, Error};
use serde::Serialize;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    #[serde(serialize_with = "as_id")]
    pub(crate) check: Check,
    /// The thing that was looked at: a file, an address.
    pub(crate) subject: String,
    pub(crate) outcome: Outcome,
    /// `ok`, `skipped`, or the code of what was found.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
    /// A sentence to hand on to the people of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network_team: Option<String>,
    /// The certificate's authorities, when it was refused or is not the one expected.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) issuers: Option<Issuers>,
}

/// Whose certificate was met, and whose was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Issuers {
    pub(crate) issuer_met: String,
    pub(crate) issuer_expected: String,
}

fn as_id<S: serde::Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.id())
}

impl Finding {
    pub(crate) fn pass(check: Check, subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::plain(check, subject.into(), Outcome::Pass, "ok", found.into())
    }

    pub(crate) fn skipped(check: Check, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self::plain(check, subject.into(), Outcome::Skipped, "skipped", why.into())
    }

    pub(crate) fn of(code: Code, subject: impl Into<String>, found: impl Into<String>) -> Self {
        let mut finding =
            Self::plain(code.check(), subject.into(), code.outcome(), code.name(), found.into());
        finding.remedy = Some(code.remedy());
        finding
    }

    fn plain(check: Check, subject: String, outcome: Outcome, code: &'static str, found: String) -> Self {
        Self { check, subject, outcome, code, found, remedy: None, network_team: None, issuers: None }
    }

    pub(crate) fn for_network_team(mut self, sentence: impl Into<String>) -> Self {
        self.network_team = Some(sentence.into());
        self
    }

    pub(crate) fn with_issuers(mut self, met: impl Into<String>, expected: impl Into<String>) -> Self {
        self.issuers = Some(Issuers { issuer_met: met.into(), issuer_expected: expected.into() });
        self
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcome == Outcome::Fail
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    ok: bool,
    version: &'static str,
    checked_at: String,
    pub(crate) checks: Vec<Finding>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            ok: true,
            version: env!("CARGO_PKG_VERSION"),
            checked_at: clock::text(clock::now_ms()),
            checks: Vec::new(),
        }
    }

    /// Keeps the order of the checks; findings of one check stay in the order in which they come.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.ok &= !finding.failed();
        let is_jira = |check: Check| check >= Check::JiraName;
        // The checks of one Jira stay together, whatever comes for the next.
        let place = if is_jira(finding.check) {
            self.checks.len()
        } else {
            self.checks.partition_point(|held| held.check <= finding.check)
        };
        self.checks.insert(place, finding);
    }

    /// The state folder was well until something was written into it; what failed there before says it already.
    pub(crate) fn add_state_failure(&mut self, finding: Finding) {
        if !self.checks.iter().any(|held| held.check == Check::State && held.failed()) {
            self.checks.retain(|held| held.check != Check::State);
            self.add(finding);
        }
    }

    /// The configuration made sense until something that it names was used.
    pub(crate) fn add_config_failure(&mut self, finding: Finding) {
        self.checks.retain(|held| held.check != Check::Config);
        self.add(finding);
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    pub(crate) fn first_failure(&self) -> Option<&Finding> {
        self.checks.iter().find(|finding| finding.failed())
    }

    /// 0, 1, or 2 when the configuration must be changed first.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.first_failure() {
            None => EXIT_DONE,
            Some(failed) if failed.check == Check::Config => EXIT_USAGE,
            Some(_) => EXIT_FAILED,
        }
    }

    /// For programs: one document.
    ///
    /// # Errors
    /// Never for what is in it; the encoder could fail.
    pub(crate) fn json(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| Error::System { action: "write the report", reason: error.to_string() })
    }

    /// For people: one line a check, with what to do beneath.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("uplink-agent {} looked at {}\n\n", self.version, self.checked_at);
        for finding in &self.checks {
            write_finding(&mut text, finding);
        }
        let count = |outcome: Outcome| self.checks.iter().filter(|held| held.outcome == outcome).count();
        let (passed, noted) = (count(Outcome::Pass), count(Outcome::Note));
        let (failed, skipped) = (count(Outcome::Fail), count(Outcome::Skipped));
        text.push_str(&format!("\n{} passed, {failed} failed, {skipped} skipped\n", passed + noted));
        text
    }
}

fn write_finding(text: &mut String, finding: &Finding) {
    let mark = match finding.outcome {
        Outcome::Pass => "pass",
        Outcome::Note => "note",
        Outcome::Fail => "FAIL",
        Outcome::Skipped => "skip",
    };
    let Finding { check, subject, found, code, .. } = finding;
    text.push_str(&format!("{mark}  {:<15} ", check.id()));
    if !subject.is_empty() {
        text.push_str(&format!("{subject}: "));
    }
    text.push_str(found);
    if matches!(finding.outcome, Outcome::Fail | Outcome::Note) {
        text.push_str(&format!(" [{code}]"));
    }
    text.push('\n');
    if let Some(remedy) = finding.remedy {
        text.push_str(&format!("      {:<15} -> {remedy}\n", ""));
    }
    if let Some(sentence) = &finding.network_team {
        text.push_str(&format!("      {:<15} For the network team: {sentence}\n", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_the_order_of_the_checks_and_jiras_stay_together() {
        let mut report = Report::new();
        report.add(Finding::pass(Check::JiraName, "a", ""));
        report.add(Finding::pass(Check::JiraApi, "a", ""));
        report.add(Finding::pass(Check::JiraName, "b", ""));
        report.add(Finding::pass(Check::RelayUpgrade, "", ""));
        report.add(Finding::of(Code::ClockOff, "", "it is late"));
        let order: Vec<_> =
            report.checks.iter().map(|held| (held.check.id(), held.subject.as_str())).collect();
        assert_eq!(
            order,
            [("clock", ""), ("relay_upgrade", ""), ("jira_name", "a"), ("jira_api", "a"), ("jira_name", "b")]
        );
        assert_eq!(report.exit_code(), EXIT_FAILED);
    }

    #[test]
    fn notes_and_skipped_checks_are_no_failures() {
        let mut report = Report::new();
        report.add(Finding::of(Code::JiraInClear, "http://jira", "it is in clear"));
        report.add(Finding::skipped(Check::JiraLogin, "http://jira", "no password"));
        assert_eq!(report.exit_code(), EXIT_DONE);
    }

    #[test]
    fn a_failure_shows_code_remedy_and_the_sentence_for_the_network_team() {
        let mut report = Report::new();
        let finding = Finding::of(Code::RelayTlsIntercepted, "https://relay", "TLS is inspected");
        report.add(finding.for_network_team("Please exempt it.").with_issuers("CN=Evil", "CN=Good"));
        let text = report.text();
        for part in
            ["FAIL  relay_tls", "[relay_tls_intercepted]", "-> Ask the network team", "Please exempt it."]
        {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][0]["issuer_met"], "CN=Evil");
        assert_eq!((&json["ok"], &json["checks"][0]["check"]), (&false.into(), &"relay_tls".into()));
    }
}
