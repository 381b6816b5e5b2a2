//! The simulated Jira from outside: change issues as people would, and ask what it really holds.

use crate::error::DemoError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The control interface of a running simulator.
pub(crate) struct Simulator {
    http: reqwest::Client,
    control: String,
    log: PathBuf,
}

impl Simulator {
    /// Of the simulator that serves a Jira at `url`.
    pub(crate) fn of(url: &str, log: PathBuf) -> Result<Self, DemoError> {
        let fault =
            |reason: String| DemoError::Simulator { action: "start".to_owned(), reason, log: log.clone() };
        let origin =
            url::Url::parse(url).map_err(|error| fault(error.to_string()))?.origin().ascii_serialization();
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| fault(error.to_string()))?;
        Ok(Self { http, control: format!("{origin}/__sim"), log })
    }

    /// Creates, edits, comments and moves issues; says what it did. A delta load finds no deleted ones, so none is deleted.
    pub(crate) async fn change_issues(&self) -> Result<Vec<String>, DemoError> {
        let keys = self.keys().await?;
        let place = |part: usize| keys.get(keys.len() * part / 4).cloned().unwrap_or_default();
        let (edited, commented) = (place(1), place(2));
        self.change(json!({ "do": "create_many", "count": 3 })).await?;
        self.change(json!({ "do": "edit", "issue": edited, "summary": "Edited while you were watching", "fields": {} })).await?;
        self.change(json!({ "do": "add_comment", "issue": commented, "body": "A comment from the demo", "author": null })).await?;
        let mut said = vec![
            "3 issues created".to_owned(),
            format!("{edited} edited"),
            format!("a comment added to {commented}"),
        ];
        if let Some((moved, project)) = self.movable(&keys).await? {
            let answer = self.change(json!({ "do": "move", "issue": moved, "project": project })).await?;
            let key = answer.pointer("/issues/0/key").and_then(Value::as_str).unwrap_or(&project).to_owned();
            said.push(format!("{moved} moved to {key}"));
        }
        Ok(said)
    }

    /// Rows that each table must have now.
    pub(crate) async fn true_rows(&self) -> Result<BTreeMap<String, u64>, DemoError> {
        self.get("count its rows", "truth").await
    }

    async fn keys(&self) -> Result<Vec<String>, DemoError> {
        self.get("say its issues", "keys").await
    }

    /// An issue that may be moved alone (no sub-task), and a project that it may be moved to.
    async fn movable(&self, keys: &[String]) -> Result<Option<(String, String)>, DemoError> {
        for key in keys.get(keys.len() * 3 / 4..).unwrap_or_default() {
            let issue: Value = self.get("show an issue", &format!("issue/{key}")).await?;
            if issue.pointer("/fields/issuetype/subtask").and_then(Value::as_bool) == Some(false) {
                let project =
                    keys.iter().map(|key| project_of(key)).find(|project| *project != project_of(key));
                return Ok(project.map(|project| (key.clone(), project.to_owned())));
            }
        }
        Ok(None)
    }

    async fn change(&self, change: Value) -> Result<Value, DemoError> {
        let action = format!("{} an issue", change.get("do").and_then(Value::as_str).unwrap_or("change"));
        let fault = |error: reqwest::Error| self.fault(&action, error.to_string());
        let response =
            self.http.post(format!("{}/change", self.control)).json(&change).send().await.map_err(fault)?;
        let is_success = response.status().is_success();
        let answer: Value = response.json().await.map_err(fault)?;
        if is_success { Ok(answer) } else { Err(self.fault(&action, answer.to_string())) }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, action: &str, path: &str) -> Result<T, DemoError> {
        let fault = |error: reqwest::Error| self.fault(action, error.to_string());
        let response = self.http.get(format!("{}/{path}", self.control)).send().await.map_err(fault)?;
        response.error_for_status().map_err(fault)?.json().await.map_err(fault)
    }

    fn fault(&self, action: &str, reason: String) -> DemoError {
        DemoError::Simulator { action: action.to_owned(), reason, log: self.log.clone() }
    }
}

fn project_of(key: &str) -> &str {
    key.rsplit_once('-').map_or("", |(project, _)| project)
}
