//! `uplinkctl uplink ...`

use super::{delete, items};
use crate::cli::{UplinkCommand, UplinkToken};
use crate::client::Client;
use crate::documents::{self, Agent, EnrolmentToken, Uplink};
use crate::enrolment;
use crate::error::Error;
use crate::figures::moment_or_dash;
use crate::output::{Head, Output, clean, facts, table};
use serde_json::json;

/// Runs the command.
pub(super) async fn run(client: &Client, command: &UplinkCommand, output: Output) -> Result<(), Error> {
    match command {
        UplinkCommand::Create(uplink) => {
            client.post(&["uplinks"], &json!({ "name": uplink.name })).await?;
            token(client, uplink, output).await
        }
        UplinkCommand::List => {
            let document = client.get(&["uplinks"], &[]).await?;
            let uplinks: Vec<Uplink> = items(&document)
                .iter()
                .map(|uplink| documents::read(uplink, &client.relay()))
                .collect::<Result<_, _>>()?;
            output.answer(&document, || listing(&uplinks))
        }
        UplinkCommand::Show(uplink) => {
            let document = client.get(&["uplinks", &uplink.name], &[]).await?;
            let uplink: Uplink = documents::read(&document, &client.relay())?;
            output.answer(&document, || shown(&uplink))
        }
        UplinkCommand::Token(uplink) => token(client, uplink, output).await,
        UplinkCommand::Delete(uplink) => delete(client, output, &["uplinks", &uplink.name], "Uplink").await,
        UplinkCommand::Revoke { uplink, agent } => revoke(client, uplink, agent, output).await,
    }
}

/// Reads an uplink.
pub(super) async fn find(client: &Client, name: &str) -> Result<Uplink, Error> {
    documents::read(&client.get(&["uplinks", name], &[]).await?, &client.relay())
}

async fn token(client: &Client, uplink: &UplinkToken, output: Output) -> Result<(), Error> {
    let document = client.post(&["uplinks", &uplink.name, "tokens"], &json!({})).await?;
    let token: EnrolmentToken = documents::read(&document, &client.relay())?;
    if uplink.token_only {
        let document = json!({ "token": token.token });
        return output.answer(&document, || token.token.clone());
    }
    let ca = client.ca().map(enrolment::authority).transpose()?;
    let command = enrolment::command(&client.relay(), &token.token, ca.is_some());
    let until = moment_or_dash(token.expires_at);
    let document = json!({
        "uplink": uplink.name,
        "token": token.token,
        "expires_at": token.expires_at.map(|at| at.to_rfc3339()),
        "command": command,
        "relay_ca": ca.as_ref().map(|(path, fingerprint)| json!({ "path": path, "sha256": fingerprint })),
    });
    output.answer(&document, || enrolment::instructions(&uplink.name, &command, &until, ca.as_ref()))
}

async fn revoke(client: &Client, uplink: &str, agent: &str, output: Output) -> Result<(), Error> {
    let agents = find(client, uplink).await?.agents;
    let id = pick(&agents, agent, uplink)?.agent_id.clone();
    let document = client.delete(&["uplinks", uplink, "agents", &id]).await?;
    let document = if document.is_null() { json!({ "revoked": id }) } else { document };
    output.answer(&document, || {
        format!("Agent {id} of uplink `{uplink}` is revoked: its link is cut and its key refused.")
    })
}

fn pick<'a>(agents: &'a [Agent], wanted: &str, uplink: &str) -> Result<&'a Agent, Error> {
    if let Some(agent) = agents.iter().find(|agent| agent.agent_id == wanted) {
        return Ok(agent);
    }
    let mut named = agents.iter().filter(|agent| agent.name == wanted);
    let hint = format!("`uplinkctl uplink show {uplink}` lists the agents with their ids");
    match (named.next(), named.next()) {
        (Some(agent), None) => Ok(agent),
        (None, _) => Err(Error::Pick { message: format!("uplink `{uplink}` has no agent `{wanted}`"), hint }),
        (Some(_), Some(_)) => Err(Error::Pick {
            message: format!("uplink `{uplink}` has several agents named `{wanted}`; give the id"),
            hint,
        }),
    }
}

fn listing(uplinks: &[Uplink]) -> String {
    let rows: Vec<_> = uplinks
        .iter()
        .map(|uplink| {
            let online = uplink.agents.iter().filter(|agent| agent.online).count();
            vec![uplink.name.clone(), uplink.agents.len().to_string(), online.to_string()]
        })
        .collect();
    let heads = [Head::Text("NAME"), Head::Number("AGENTS"), Head::Number("ONLINE")];
    table(&heads, &rows, "There is no uplink yet; make one: uplinkctl uplink create NAME")
}

fn shown(uplink: &Uplink) -> String {
    let rows: Vec<_> = uplink
        .agents
        .iter()
        .map(|agent| {
            let state = match (agent.online, paused(agent)) {
                (true, Some(_)) => "paused",
                (true, None) => "online",
                (false, _) => "offline",
            };
            let seen = moment_or_dash(agent.last_seen);
            vec![
                agent.agent_id.clone(),
                agent.name.clone(),
                state.to_owned(),
                seen,
                agent.version.clone(),
                agent.fingerprint.clone(),
            ]
        })
        .collect();
    let heads = ["AGENT", "NAME", "STATE", "LAST SEEN", "VERSION", "KEY"].map(Head::Text);
    let none = format!(
        "no agent yet; `uplinkctl uplink token {}` prints the line to paste on the premises",
        uplink.name
    );
    let mut text = format!("{}\n{}", facts(&[("uplink", uplink.name.clone())]), table(&heads, &rows, &none));
    for (agent, reason) in uplink.agents.iter().filter_map(|agent| Some((agent, paused(agent)?))) {
        text.push_str(&format!("\nagent {} takes no work: {}", clean(&agent.name), clean(reason)));
    }
    text
}

fn paused(agent: &Agent) -> Option<&str> {
    agent.health.as_ref()?.paused.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, name: &str) -> Agent {
        Agent { agent_id: id.into(), name: name.into(), ..Agent::default() }
    }

    #[test]
    fn an_agent_is_found_by_id_or_by_a_name_that_is_unique() {
        let agents = [agent("a1", "host"), agent("a2", "host"), agent("a3", "other")];
        assert_eq!(pick(&agents, "a2", "hq").unwrap().agent_id, "a2");
        assert_eq!(pick(&agents, "other", "hq").unwrap().agent_id, "a3");
        assert!(pick(&agents, "host", "hq").unwrap_err().to_string().contains("several"));
        assert!(pick(&agents, "nobody", "hq").unwrap_err().to_string().contains("no agent"));
    }

    #[test]
    fn a_paused_agent_is_shown_with_its_reason() {
        let health = Some(documents::AgentHealth { paused: Some("paused since 06:00: patches".into()) });
        let agents = vec![Agent { online: true, health, ..agent("a1", "host") }];
        let text = shown(&Uplink { name: "hq".into(), agents });
        assert!(
            text.contains("paused")
                && text.ends_with("agent host takes no work: paused since 06:00: patches"),
            "{text}"
        );
    }

    #[test]
    fn an_uplink_without_agents_says_how_to_enrol_one() {
        assert!(shown(&Uplink { name: "hq".into(), agents: vec![] }).contains("uplinkctl uplink token hq"));
    }
}
