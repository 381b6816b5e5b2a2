//! `uplinkctl uplink ...`

use super::{delete, items};
use crate::cli::{AgentCommand, AgentName, UplinkCommand, UplinkToken};
use crate::client::Client;
use crate::documents::{self, Agent, AgentHealth, EnrolmentToken, Uplink};
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
        UplinkCommand::Agent(AgentCommand::Trust(named)) => trust(client, named, output).await,
        UplinkCommand::Agent(AgentCommand::Remove(AgentName { uplink, agent }))
        | UplinkCommand::Revoke { uplink, agent } => revoke(client, uplink, agent, output).await,
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

async fn trust(client: &Client, named: &AgentName, output: Output) -> Result<(), Error> {
    let AgentName { uplink, agent } = named;
    let agents = find(client, uplink).await?.agents;
    let id = pick(&agents, agent, uplink)?.agent_id.clone();
    client.post(&["uplinks", uplink, "agents", &id, "trust"], &json!({})).await?;
    output.answer(&json!({ "trusted": id }), || {
        format!("Agent {id} of uplink `{uplink}` is let in again: the first machine that connects with its identity counts.")
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
            let online = uplink.agents.iter().filter(|agent| agent.online).count().to_string();
            let stopped = uplink.agents.iter().filter(|agent| agent.stopped.is_some()).count().to_string();
            let (agents, health) = (uplink.agents.len().to_string(), health_of(uplink).to_owned());
            vec![uplink.name.clone(), agents, online, stopped, health]
        })
        .collect();
    let heads = [
        Head::Text("NAME"),
        Head::Number("AGENTS"),
        Head::Number("ONLINE"),
        Head::Number("STOPPED"),
        Head::Text("HEALTH"),
    ];
    table(&heads, &rows, "There is no uplink yet; make one: uplinkctl uplink create NAME")
}

/// The worst of what the agents that are here say.
fn health_of(uplink: &Uplink) -> &'static str {
    let words: Vec<_> =
        uplink.agents.iter().filter_map(|agent| agent.health.as_ref()).map(health_word).collect();
    ["unhealthy", "paused", "unknown", "healthy"].into_iter().find(|word| words.contains(word)).unwrap_or("-")
}

fn health_word(health: &AgentHealth) -> &'static str {
    match (health.paused.is_some(), health.healthy) {
        (_, Some(false)) => "unhealthy",
        (true, _) => "paused",
        (false, None) => "unknown",
        (false, Some(true)) => "healthy",
    }
}

fn paused(agent: &Agent) -> Option<&str> {
    agent.health.as_ref()?.paused.as_deref()
}

/// What the agents that are here told last: pauses, each Jira, the last error.
fn details(uplink: &Uplink) -> String {
    let mut text = String::new();
    for agent in &uplink.agents {
        let Some(health) = &agent.health else { continue };
        text.push_str(&format!("\n{} ({}): {} runs", agent.agent_id, clean(&agent.name), health.runs));
        if let Some(reason) = &health.paused {
            text.push_str(&format!("; takes no work: {}", clean(reason)));
        }
        text.push('\n');
        for jira in &health.jiras {
            text.push_str(&format!("  {} is {}", clean(&jira.site), clean(&jira.state)));
            let version = jira.version.as_ref().map(|version| format!(", version {}", clean(version)));
            text.push_str(&version.unwrap_or_default());
            text.push_str(&format!(
                "; answered {}, asked {}\n",
                moment_or_dash(jira.answered_at),
                moment_or_dash(jira.asked_at)
            ));
            if let Some(failure) = &jira.failure {
                text.push_str(&format!("    {} [{}]\n", clean(&failure.message), clean(&failure.code)));
                text.push_str(&format!("    next: {}\n", clean(&failure.hint)));
            }
        }
        if let Some(error) = &health.last_error {
            text.push_str(&format!(
                "  last error, {} ({}): {} [{}]\n",
                moment_or_dash(error.at),
                clean(&error.about),
                clean(&error.message),
                clean(&error.code)
            ));
        }
    }
    text
}

fn shown(uplink: &Uplink) -> String {
    let rows: Vec<_> = uplink
        .agents
        .iter()
        .map(|agent| {
            let state = state(agent);
            let seen = moment_or_dash(agent.last_seen);
            vec![
                agent.agent_id.clone(),
                agent.name.clone(),
                state.to_owned(),
                seen,
                agent.health.as_ref().map_or("-", health_word).to_owned(),
                version(agent),
                agent.fingerprint.clone(),
            ]
        })
        .collect();
    let heads = ["AGENT", "NAME", "STATE", "LAST SEEN", "HEALTH", "VERSION", "KEY"].map(Head::Text);
    let none = format!(
        "no agent yet; `uplinkctl uplink token {}` prints the line to paste on the premises",
        uplink.name
    );
    let table = table(&heads, &rows, &none);
    let stopped: String = uplink.agents.iter().filter_map(|agent| why_stopped(&uplink.name, agent)).collect();
    format!("{}\n{table}{}{stopped}", facts(&[("uplink", uplink.name.clone())]), details(uplink))
}

fn version(agent: &Agent) -> String {
    match &agent.update {
        Some(update) => format!("{} (update to {update})", agent.version),
        None => agent.version.clone(),
    }
}

fn state(agent: &Agent) -> &'static str {
    match (&agent.stopped, agent.online, paused(agent)) {
        (Some(_), _, _) => "stopped",
        (None, true, Some(_)) => "paused",
        (None, true, None) => "online",
        (None, false, _) => "offline",
    }
}

/// Why an agent is stopped and what to do, under the table.
fn why_stopped(uplink: &str, agent: &Agent) -> Option<String> {
    let stopped = agent.stopped.as_ref()?;
    let machines: String = stopped
        .machines
        .iter()
        .map(|machine| {
            let at = moment_or_dash(machine.at);
            let start = clean(&machine.boot_id);
            format!("  {} (start {start}, version {}) at {at}\n", machine.address, clean(&machine.version))
        })
        .collect();
    Some(format!(
        "\nagent {} is stopped since {}: two machines hold its identity; {}.\n{machines}\
         Remove the copy of its state folder. Then enrol the machine that stays anew (`uplinkctl uplink token {uplink}`), or let it\n\
         in as it is: uplinkctl uplink agent trust {uplink} {}\n",
        clean(&agent.name),
        moment_or_dash(stopped.at),
        stopped.reason,
        agent.agent_id,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Machine, Stopped};

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
        let health = AgentHealth { paused: Some("paused since 06:00: patches".into()), ..Default::default() };
        let agents = vec![Agent { online: true, health: Some(health), ..agent("a1", "host") }];
        let text = shown(&Uplink { name: "hq".into(), agents });
        assert!(text.contains("host): 0 runs; takes no work: paused since 06:00: patches"), "{text}");
    }

    #[test]
    fn the_health_of_an_uplink_is_that_of_its_worst_agent_that_is_here() {
        let with = |health: serde_json::Value| Agent {
            health: serde_json::from_value(health).unwrap(),
            ..agent("a1", "host")
        };
        let uplink = |agents| Uplink { name: "hq".into(), agents };
        let well = || with(json!({ "healthy": true }));
        let ill = json!({ "healthy": false, "jiras": [{ "site": "https://j", "state": "unhealthy",
            "failure": { "code": "unreachable", "message": "no\u{1b}answer", "hint": "look" } }] });
        assert_eq!(health_of(&uplink(vec![well(), with(json!({}))])), "unknown");
        assert_eq!(health_of(&uplink(vec![well(), with(ill.clone())])), "unhealthy");
        assert_eq!(health_of(&uplink(vec![well(), agent("gone", "x")])), "healthy");
        assert_eq!(health_of(&uplink(vec![agent("gone", "x")])), "-");
        let text = shown(&uplink(vec![with(ill)]));
        assert!(text.contains("no answer [unreachable]") && text.contains("next: look"), "{text}");
    }

    #[test]
    fn a_stopped_agent_is_shown_with_both_machines_and_the_remedy() {
        let machine = |address: &str| Machine { address: address.into(), ..Machine::default() };
        let stopped =
            Stopped { machines: vec![machine("10.0.0.1"), machine("10.0.0.2")], ..Stopped::default() };
        let cloned = Agent { stopped: Some(stopped), ..agent("a1", "host") };
        let text = shown(&Uplink { name: "hq".into(), agents: vec![cloned] });
        for part in ["stopped", "10.0.0.1", "10.0.0.2", "uplinkctl uplink agent trust hq a1"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn an_uplink_without_agents_says_how_to_enrol_one() {
        assert!(shown(&Uplink { name: "hq".into(), agents: vec![] }).contains("uplinkctl uplink token hq"));
    }
}
