//! The histories of issues from Jira Cloud's own resource for them: an answer may hold some of many issues, and an issue may be spread
//! over several answers.

use crate::undecodable::DecodeError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

const WHAT: &str = "the histories of issues";

/// Histories by issue, each as Jira sent it.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    by_issue: HashMap<i64, Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    issue_change_logs: Vec<OfIssue>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfIssue {
    issue_id: Id,
    #[serde(default)]
    change_histories: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

impl Histories {
    /// Adds an answer; gives the token of the next one, if there is one.
    ///
    /// # Errors
    /// When the answer is cut, no JSON, or of another shape.
    pub(crate) fn add(&mut self, json: &str) -> Result<Option<String>, DecodeError> {
        let answer: Answer = serde_json::from_str(json).map_err(|error| DecodeError::json(WHAT, &error))?;
        for of_issue in answer.issue_change_logs {
            let id = match of_issue.issue_id {
                Id::Number(id) => Some(id),
                Id::Text(text) => text.parse().ok(),
            };
            let shape = || DecodeError::Shape { what: WHAT, detail: "an issue has no number".to_owned() };
            self.by_issue.entry(id.ok_or_else(shape)?).or_default().extend(of_issue.change_histories);
        }
        Ok(answer.next_page_token)
    }

    /// Takes those of these issues out again.
    pub(crate) fn forget(&mut self, issues: &[i64]) {
        self.by_issue.retain(|id, _| !issues.contains(id));
    }

    /// All histories of an issue in the frame in which Server sends them.
    pub(crate) fn framed(&self, issue: i64) -> String {
        let histories = self.by_issue.get(&issue).map_or(&[][..], Vec::as_slice);
        let texts: Vec<&str> = histories.iter().map(|history| history.get()).collect();
        let count = texts.len();
        format!(r#"{{"startAt":0,"maxResults":{count},"total":{count},"histories":[{}]}}"#, texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_that_is_spread_over_answers_is_put_together_in_order() {
        let mut histories = Histories::default();
        let first = r#"{"issueChangeLogs":[{"issueId":"7","changeHistories":[{"id":"1"}]},{"issueId":"8","changeHistories":[]}],"nextPageToken":"t"}"#;
        assert_eq!(histories.add(first).unwrap().as_deref(), Some("t"));
        assert_eq!(
            histories.add(r#"{"issueChangeLogs":[{"changeHistories":[{"id":"2"}],"issueId":7}]}"#).unwrap(),
            None
        );
        assert!(histories.framed(7).ends_with(r#""total":2,"histories":[{"id":"1"},{"id":"2"}]}"#));
        assert!(histories.framed(9).contains(r#""total":0"#));
        assert!(histories.add(r#"{"issueChangeLogs":[{"issueId":"x"}]}"#).is_err());
    }
}
