//! `uplinkctl extract ...`

use crate::cli::{Choice, Extract};
use crate::client::Client;
use crate::documents::{self, Run};
use crate::error::Error;
use crate::follow;
use crate::output::Output;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Runs the command.
pub(super) async fn run(client: &Client, extract: &Extract, output: Output) -> Result<(), Error> {
    let document = client.post(&["extractions"], &request(extract)?).await?;
    let run: Run = documents::read(&document, &client.relay())?;
    if extract.follow {
        if let Some(full_run) = &run.full_run {
            follow::run(client, full_run, output).await?;
        }
        return follow::run(client, &run.id, output).await;
    }
    output.answer(&document, || {
        let id = &run.id;
        let watch = format!("{id} is {state}. Watch it: uplinkctl run follow {id}", state = run.state);
        match &run.full_run {
            Some(full_run) => format!("{full_run} loads tables in full first. {watch}"),
            None => watch,
        }
    })
}

fn request(extract: &Extract) -> Result<Value, Error> {
    let mut body = choice(&extract.choice)?;
    body.insert("connection".to_owned(), json!(extract.connection));
    let mode = match (extract.load.delta, extract.load.sweep) {
        (false, false) => "full",
        (true, false) => "delta",
        (false, true) => "sweep",
        (true, true) => "delta_and_sweep",
    };
    body.insert("mode".to_owned(), json!(mode));
    if extract.load.every_id {
        body.insert("every_id".to_owned(), json!(true));
    }
    list(&mut body, "full_tables", &extract.full_tables);
    if extract.full_new {
        body.insert("full_new".to_owned(), json!(true));
    }
    Ok(Value::Object(body))
}

/// What the user chose, as the relay reads it.
pub(super) fn choice(choice: &Choice) -> Result<Map<String, Value>, Error> {
    let mut body = Map::new();
    list(&mut body, "tables", &choice.tables);
    list(&mut body, "projects", &choice.projects);
    list(&mut body, "columns", &choice.columns);
    list(&mut body, "pseudonymise", &choice.pseudonymise);
    for (name, at) in [
        ("created_from", choice.created_from),
        ("created_to", choice.created_to),
        ("updated_from", choice.updated_from),
        ("updated_to", choice.updated_to),
    ] {
        if let Some(at) = at {
            body.insert(name.to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
    }
    let salt = choice.pseudonym_salt_file.as_deref().map(salt).transpose()?;
    for (name, text) in [("jql", choice.jql.as_deref()), ("pseudonym_salt", salt.as_deref())] {
        if let Some(text) = text {
            body.insert(name.to_owned(), json!(text));
        }
    }
    Ok(body)
}

fn list(body: &mut Map<String, Value>, name: &str, items: &[String]) {
    let items: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
    if !items.is_empty() {
        body.insert(name.to_owned(), json!(items));
    }
}

/// The first line of a file.
fn salt(path: &Path) -> Result<String, Error> {
    let failed = |reason: String| Error::File { what: "the file of the salt", path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { Err(failed("its first line is empty".to_owned())) } else { Ok(line.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn asked(line: &str) -> Value {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Extract(extract) => request(&extract).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_choice_is_passed_on_as_it_was_typed() {
        let line = "uplinkctl extract jira --delta --full-tables users --columns summary,issue_links.type_name \
                    --updated-from 2026-01-31 --updated-to 2026-02-01T00:00:01Z --pseudonymise people";
        assert_eq!(
            asked(line),
            json!({
                "connection": "jira", "mode": "delta", "full_tables": ["users"],
                "columns": ["summary", "issue_links.type_name"], "pseudonymise": ["people"],
                "updated_from": "2026-01-31T00:00:00.000Z", "updated_to": "2026-02-01T00:00:01.000Z"
            })
        );
        assert!(Cli::try_parse_from("uplinkctl extract jira --full --full-new".split(' ')).is_err());
    }

    #[test]
    fn a_request_holds_only_what_the_user_said() {
        assert_eq!(asked("uplinkctl extract jira --full"), json!({"connection": "jira", "mode": "full"}));
        assert_eq!(asked("uplinkctl extract jira --sweep"), json!({"connection": "jira", "mode": "sweep"}));
        assert_eq!(
            asked("uplinkctl extract jira --delta --sweep --every-id"),
            json!({"connection": "jira", "mode": "delta_and_sweep", "every_id": true})
        );
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
