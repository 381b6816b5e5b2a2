//! `uplinkctl extract ...`

use crate::cli::Extract;
use crate::client::Client;
use crate::documents::{self, Run};
use crate::error::Error;
use crate::follow;
use crate::output::Output;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

/// Runs the command.
pub(super) async fn run(client: &Client, extract: &Extract, output: Output) -> Result<(), Error> {
    let document = client.post(&["extractions"], &request(extract)).await?;
    let run: Run = documents::read(&document, &client.relay())?;
    if extract.follow {
        return follow::run(client, &run.id, output).await;
    }
    output.answer(&document, || {
        format!("{id} is {state}. Watch it: uplinkctl run follow {id}", id = run.id, state = run.state)
    })
}

fn request(extract: &Extract) -> Value {
    let mut body = Map::new();
    body.insert("connection".to_owned(), json!(extract.connection));
    body.insert("mode".to_owned(), json!(if extract.load.delta { "delta" } else { "full" }));
    let mut list = |name: &str, items: &[String]| {
        let items: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
        if !items.is_empty() {
            body.insert(name.to_owned(), json!(items));
        }
    };
    list("tables", &extract.tables);
    list("projects", &extract.projects);
    for (name, at) in [("created_from", extract.created_from), ("created_to", extract.created_to)] {
        if let Some(at) = at {
            body.insert(name.to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
    }
    if let Some(jql) = &extract.jql {
        body.insert("jql".to_owned(), json!(jql));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn asked(line: &str) -> Value {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Extract(extract) => request(&extract),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_holds_only_what_the_user_said() {
        assert_eq!(asked("uplinkctl extract jira --full"), json!({"connection": "jira", "mode": "full"}));
        assert_eq!(
            asked(
                "uplinkctl extract jira --delta --tables issues, --projects A,B --created-from 2026-01-31 --jql status=Done"
            ),
            json!({
                "connection": "jira", "mode": "delta", "tables": ["issues"], "projects": ["A", "B"],
                "created_from": "2026-01-31T00:00:00.000Z", "jql": "status=Done"
            })
        );
    }
}
