//! The Cloud flavour, over real sockets.

mod changelog;
mod contract;
mod lag;
mod limits;
mod lists;
mod login;
mod paging;
mod search;
mod shapes;

use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::{RunningSim, SimConfig, start};

/// A Cloud site of 300 issues and a client that is logged in.
fn small() -> (RunningSim, Client) {
    start(SimConfig::cloud(300, 7))
}

impl Client {
    /// GET below `/rest/api/3`.
    fn v3(&self, path: &str) -> Answer {
        self.get(&format!("/rest/api/3/{path}"))
    }

    /// POST below `/rest/api/3`.
    fn post3(&self, path: &str, body: &Value) -> Answer {
        self.post(&format!("/rest/api/3/{path}"), body)
    }

    fn found(&self, body: &Value) -> Answer {
        self.post3("search/jql", body)
    }

    /// Every issue of a walk, and the length of each page.
    fn walk(&self, body: &Value) -> (Vec<Value>, Vec<usize>) {
        let (mut body, mut issues, mut lengths) = (body.clone(), Vec::new(), Vec::new());
        loop {
            let answer = self.found(&body);
            assert_eq!(answer.status, 200, "{}", answer.text());
            let page = answer.json();
            let found = page["issues"].as_array().unwrap();
            lengths.push(found.len());
            issues.extend(found.iter().cloned());
            if page["nextPageToken"].is_null() {
                return (issues, lengths);
            }
            body["nextPageToken"] = page["nextPageToken"].clone();
        }
    }

    /// An issue with every field.
    fn issue(&self, key: &str) -> Value {
        self.v3(&format!("issue/{key}")).json()
    }
}

fn ids(issues: &[Value]) -> Vec<u64> {
    issues.iter().map(|issue| issue["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// A search of everything.
fn everything(fields: &[&str]) -> Value {
    json!({ "jql": "created > 0 ORDER BY created, key", "fields": fields, "maxResults": 5000 })
}
