//! `preview`: the first rows that an extraction would send, after dropping and hashing. Nothing is sent.

use crate::breaker::{Account, Breaker, SecretMark};
use crate::cli::{Common, Premises, Preview};
use crate::config::Config;
use crate::error::{EXIT_DONE, Error};
use crate::paths::Paths;
use crate::policy::{self, Policy, Rules};
use crate::run::failure_of;
use crate::secrets;
use jira::{Credential, Event, JiraClient, LandedAnswer};
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind, ExtractionSpec, Load};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::BufRead;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Rows by table.
type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

pub(super) async fn run(
    given: &Preview,
    common: &Common,
    config: &Config,
    paths: &Paths,
) -> Result<u8, Error> {
    let premises = Premises { allow_jira: Vec::new(), jira_ca: None };
    let policy = Policy::new(
        policy::gather(config, paths, &premises)?,
        config.limits.clone(),
        config.requests.clone(),
    )
    .under(Rules::load(config, paths)?);
    let connection = ConnectionSpec {
        name: "preview".to_owned(),
        site: SiteAddress::parse(&given.site).map_err(|error| Error::Usage(format!("--site: {error}")))?,
        username: given.username.clone(),
        credential: CredentialKind::Password,
        sealed: Vec::new(),
        max_parallel: 1,
    };
    let refused = |refusal: policy::Refusal| {
        let failure = refusal.failure();
        Error::Usage(format!("{} [{}]; {}", failure.message, failure.code, failure.hint))
    };
    let site = policy.admit(&connection).map_err(refused)?;
    let wire = ExtractionSpec {
        tables: given.tables.clone(),
        projects: given.projects.clone(),
        ..ExtractionSpec::all(Load::Full)
    };
    let (spec, decisions) = policy.spec(&wire).map_err(refused)?;
    let (password, mark) = password(given, site)?;
    let account = Account { site: site.address.clone(), username: given.username.clone() };
    let mut login = Breaker::new(paths)
        .enter(account, mark)
        .map_err(|blocked| Error::Usage(format!("{blocked}; {}", blocked.failure().hint)))?;
    let credential = if given.username.is_empty() {
        Credential::Token(password)
    } else {
        Credential::Password { username: given.username.clone(), password }
    };
    let wanted: Vec<String> = spec.tables.iter().map(|table| table.name().to_owned()).collect();
    let failed = |error: &jira::Error| {
        let failure = failure_of(error);
        Error::System { action: "read Jira", reason: format!("{} [{}]", failure.message, failure.code) }
    };
    let client =
        JiraClient::try_new(site.engine_site().map_err(refused)?, credential, policy.limits(&connection))
            .map_err(|error| failed(&error))?;
    let read = first_rows(client, spec, &wanted, given.rows).await;
    login.ended(read.as_ref().err().map(|error| error.code()));
    let rows = read.map_err(|error| failed(&error))?;
    show(common, &rows, &decisions);
    Ok(EXIT_DONE)
}

fn password(given: &Preview, site: &policy::PermittedSite) -> Result<(SecretString, SecretMark), Error> {
    if given.password_stdin {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Error::System { action: "read standard input", reason: error.to_string() })?;
        let mark =
            SecretMark { text: format!("standard input of process {}", std::process::id()), is_local: true };
        return Ok((SecretString::from(line.trim_end_matches(['\r', '\n'])), mark));
    }
    let account = site.accounts.iter().find(|account| account.username == given.username);
    let account = account.ok_or_else(|| {
        Error::Usage(
            "the premises keep no password of this account; pipe it in with --password-stdin".to_owned(),
        )
    })?;
    let secret = secrets::read_local(&account.secret).map_err(|error| Error::Usage(error.to_string()))?;
    Ok((secret, SecretMark { text: secrets::mark_of(&account.secret), is_local: true }))
}

/// Reads until every table has shown as many rows as wanted, or everything is read.
async fn first_rows(
    client: JiraClient,
    spec: jira::Spec,
    wanted: &[String],
    most: usize,
) -> Result<Rows, jira::Error> {
    let mut rows: Rows = wanted.iter().map(|table| (table.clone(), Vec::new())).collect();
    let spec = jira::Spec { first_rows: most, ..spec };
    let mut extraction = jira::extract(client, spec, Vec::new(), CancellationToken::new());
    while let Some(event) = extraction.next().await {
        match event? {
            Event::Part(part) => {
                let Some(seen) = rows.get_mut(&part.table) else { continue };
                let missing = most.saturating_sub(seen.len());
                seen.extend(part.first_rows.into_iter().take(missing));
            }
            // A preview is beside no table: the columns are named as by a first load.
            Event::Landed(ask) => ask.answer(LandedAnswer::Columns(Vec::new())),
            Event::UnitDone { .. } | Event::Progress(_) | Event::Warning(_) | Event::Finished(_) => {}
        }
        if rows.values().all(|seen| seen.len() >= most) {
            break;
        }
    }
    Ok(rows)
}

fn show(common: &Common, rows: &Rows, decisions: &[policy::Decision]) {
    if common.json {
        println!("{}", json!({ "tables": rows, "policy": decisions }));
        return;
    }
    for decision in decisions {
        println!("policy: {} [{}; {}]", decision.message, decision.code, decision.place);
    }
    for (table, rows) in rows {
        println!("{table}: {} rows shown", rows.len());
        for row in rows {
            println!("  {}", Value::Object(row.clone()));
        }
    }
    println!("Nothing was sent.");
}
