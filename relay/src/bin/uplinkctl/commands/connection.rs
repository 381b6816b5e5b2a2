//! `uplinkctl connection ...`

use super::{delete, items};
use crate::cli::{ConnectionCommand, ConnectionCreate, ConnectionUpdate, SecretSource};
use crate::client::Client;
use crate::documents::{self, Agent, Connection, DirectKey};
use crate::error::Error;
use crate::figures::count;
use crate::output::{Head, Output, facts, table};
use crate::secret::{self, Kind};
use protocol::control::TestReport;
use protocol::seal::SealedSecret;
use protocol::site::SiteAddress;
use serde_json::{Value, json};
use std::path::Path;

/// Who opens the secrets of direct connections.
const RELAY_ITSELF: &str = "relay";

/// Runs the command.
pub(super) async fn run(client: &Client, command: &ConnectionCommand, output: Output) -> Result<(), Error> {
    match command {
        ConnectionCommand::Create(connection) => create(client, connection, output).await,
        ConnectionCommand::List { pool } => {
            let document = pool_documents(client, pool.as_deref()).await?;
            let connections = read_all(&document, client)?;
            output.answer(&Value::Array(document), || listing(&connections))
        }
        ConnectionCommand::Show(connection) => {
            let document = client.get(&["connections", &connection.name], &[]).await?;
            let connection: Connection = documents::read(&document, &client.relay())?;
            output.answer(&document, || shown(&connection))
        }
        ConnectionCommand::Update(connection) => update(client, connection, output).await,
        ConnectionCommand::Delete(connection) => {
            delete(client, output, &["connections", &connection.name], "Data connection").await
        }
        ConnectionCommand::Test(connection) => test(client, &connection.name, output).await,
    }
}

/// The data connections of a pool, or all.
pub(super) async fn of_pool(client: &Client, pool: Option<&str>) -> Result<Vec<Connection>, Error> {
    read_all(&pool_documents(client, pool).await?, client)
}

async fn pool_documents(client: &Client, pool: Option<&str>) -> Result<Vec<Value>, Error> {
    let all = client.get(&["connections"], &[]).await?;
    let wanted = |document: &&Value| {
        pool.is_none_or(|pool| document.get("pool").and_then(Value::as_str) == Some(pool))
    };
    Ok(items(&all).iter().filter(wanted).cloned().collect())
}

fn read_all(documents: &[Value], client: &Client) -> Result<Vec<Connection>, Error> {
    documents.iter().map(|document| documents::read(document, &client.relay())).collect()
}

async fn create(client: &Client, connection: &ConnectionCreate, output: Output) -> Result<(), Error> {
    let site = site(&connection.url)?;
    let kind = secret::kind(&connection.secret).unwrap_or(Kind::Password);
    let username = connection.username.clone().unwrap_or_default();
    if username.is_empty() && kind == Kind::Password {
        return Err(Error::Usage("give the account with --username".to_owned()));
    }
    let mut body = json!({
        "name": connection.name,
        "pool": connection.pool,
        "url": site.as_str(),
        "username": username,
        "credential": kind.as_str(),
        "max_parallel": connection.max_parallel,
    });
    let mut agents = Vec::new();
    match &connection.route.uplink {
        Some(uplink) => {
            if !connection.secret.secret_on_premises {
                agents = self::agents(client, uplink).await?;
            }
            let sealed = sealed(&connection.secret, &agents, &site, &username)?;
            add(&mut body, json!({ "mode": "uplinked", "uplink": uplink, "sealed": sealed }));
        }
        None => {
            agents = vec![relay_itself(client).await?];
            let sealed = sealed(&connection.secret, &agents, &site, &username)?;
            add(&mut body, json!({ "mode": "direct", "sealed": sealed }));
        }
    }
    if let Some(path) = &connection.jira_ca {
        add(&mut body, json!({ "ca_pem": authority(path)? }));
    }
    let document = client.post(&["connections"], &body).await?;
    output.answer(&document, || said(&format!("Data connection `{}` is created.", connection.name), &agents))
}

async fn update(client: &Client, change: &ConnectionUpdate, output: Output) -> Result<(), Error> {
    let document = client.get(&["connections", &change.name], &[]).await?;
    let old: Connection = documents::read(&document, &client.relay())?;
    let site = site(change.url.as_deref().unwrap_or(&old.url))?;
    let username = change.username.clone().or(old.username).unwrap_or_default();
    let uplink = change.uplink.clone().or(old.uplink);
    let kind = secret::kind(&change.secret);
    let rebound = change.url.is_some() || change.username.is_some() || change.uplink.is_some();
    if rebound && kind.is_none() {
        let why = "the secret is sealed together with address and account, so a new address, account or uplink needs it again: \
                   add --password-stdin (or --password-file, --api-token-stdin, --api-token-file)";
        return Err(Error::Usage(why.to_owned()));
    }
    let mut body = json!({
        "pool": old.pool,
        "mode": old.mode,
        "uplink": uplink,
        "url": site.as_str(),
        "username": username,
        "credential": kind.map_or(old.credential.as_str(), |kind| kind.as_str()),
        "max_parallel": change.max_parallel.unwrap_or(old.max_parallel),
    });
    if change.uplink.is_some() {
        add(&mut body, json!({ "mode": "uplinked" }));
    }
    let mut agents = Vec::new();
    if kind.is_some() {
        match &uplink {
            Some(_) if change.secret.secret_on_premises => {}
            Some(uplink) => agents = self::agents(client, uplink).await?,
            None => agents = vec![relay_itself(client).await?],
        }
        add(&mut body, json!({ "sealed": sealed(&change.secret, &agents, &site, &username)? }));
    }
    if let Some(path) = &change.jira_ca {
        add(&mut body, json!({ "ca_pem": authority(path)? }));
    }
    let document = client.put(&["connections", &change.name], &body).await?;
    output.answer(&document, || said(&format!("Data connection `{}` is changed.", change.name), &agents))
}

fn sealed(
    source: &SecretSource,
    agents: &[Agent],
    site: &SiteAddress,
    username: &str,
) -> Result<Vec<SealedSecret>, Error> {
    if source.secret_on_premises {
        return Ok(Vec::new());
    }
    let secret = secret::read(source, &format!("`{username}` at {site}"))?;
    secret::sealed(&secret, agents, site, username)
}

fn site(url: &str) -> Result<SiteAddress, Error> {
    SiteAddress::parse(url).map_err(|e| Error::Usage(e.to_string()))
}

fn add(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

async fn agents(client: &Client, uplink: &str) -> Result<Vec<Agent>, Error> {
    let agents = super::uplink::find(client, uplink).await?.agents;
    if agents.is_empty() { Err(Error::NoAgent { uplink: uplink.to_owned() }) } else { Ok(agents) }
}

/// The relay as the one that opens the secret of a direct connection.
async fn relay_itself(client: &Client) -> Result<Agent, Error> {
    let document = client.get(&["direct"], &[]).await?;
    let DirectKey { fingerprint, sealing_key } = documents::read(&document, &client.relay())?;
    let relay = RELAY_ITSELF.to_owned();
    Ok(Agent { agent_id: relay.clone(), name: relay, fingerprint, sealing_key, ..Agent::default() })
}

fn authority(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::File {
        what: "the authority of Jira's certificate",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn said(done: &str, agents: &[Agent]) -> String {
    if agents.is_empty() {
        return done.to_owned();
    }
    if let [relay] = agents
        && relay.agent_id == RELAY_ITSELF
    {
        return format!("{done}\nIts secret is sealed to the relay's own key ({}).", relay.fingerprint);
    }
    format!(
        "{done}\nIts secret is sealed to the keys of these agents, and only they can open it; `uplink-agent status` shows the same \
         fingerprint on the premises:\n{}",
        secret::sealed_to(agents)
    )
}

async fn test(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let document = client.post(&["connections", name, "test"], &json!({})).await?;
    let report: TestReport = documents::read(&document, &client.relay())?;
    match report {
        TestReport::Ok { account, version, deployment, time_zone, projects, issues } => {
            output.answer(&document, || {
                let mut text = format!("Data connection `{name}` works.\n");
                text.push_str(&facts(&[
                    ("account", account),
                    ("Jira", format!("{deployment} {version}")),
                    ("time zone", time_zone),
                    ("projects", count(projects)),
                    ("issues", count(issues)),
                ]));
                text
            })
        }
        TestReport::Failed { failure } => {
            if output.is_json() {
                output.answer(&document, String::new)?;
            }
            Err(Error::TestFailed { message: failure.message, hint: failure.hint })
        }
    }
}

fn listing(connections: &[Connection]) -> String {
    let rows: Vec<_> = connections
        .iter()
        .map(|c| {
            let via = c.uplink.clone().unwrap_or_else(|| "direct".to_owned());
            let account =
                c.username.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "(token)".to_owned());
            vec![c.name.clone(), c.pool.clone(), via, c.url.clone(), account, c.max_parallel.to_string()]
        })
        .collect();
    let mut heads = ["NAME", "POOL", "UPLINK", "URL", "USERNAME", ""].map(Head::Text);
    heads[5] = Head::Number("PARALLEL");
    table(&heads, &rows, "There is no data connection yet; make one: uplinkctl connection create NAME ...")
}

fn shown(connection: &Connection) -> String {
    facts(&[
        ("name", connection.name.clone()),
        ("pool", connection.pool.clone()),
        ("mode", connection.mode.clone()),
        ("uplink", connection.uplink.clone().unwrap_or_else(|| "-".to_owned())),
        ("URL", connection.url.clone()),
        ("username", connection.username.clone().unwrap_or_default()),
        ("credential", connection.credential.replace('_', " ")),
        (
            "secret",
            if connection.sealed_to.is_empty() {
                "none".to_owned()
            } else {
                format!("sealed to {}", connection.sealed_to.join(", "))
            },
        ),
        ("requests at once", connection.max_parallel.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_sees_to_whose_keys_the_secret_is_sealed() {
        let agent = Agent {
            agent_id: "agent_1".into(),
            name: "gateway".into(),
            fingerprint: "SHA256:abc".into(),
            ..Agent::default()
        };
        let text = said("Data connection `jira` is created.", &[agent]);
        assert!(text.contains("gateway  agent_1  SHA256:abc"), "{text}");
    }

    #[test]
    fn a_connection_through_an_uplink_shows_its_name_and_a_token_its_kind() {
        let connection =
            Connection { name: "jira".into(), uplink: Some("hq".into()), ..Connection::default() };
        let text = listing(&[connection]);
        assert!(text.contains("hq") && text.contains("(token)"), "{text}");
    }
}
