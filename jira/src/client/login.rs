//! The login: one authenticated `/myself` before anything else is asked.
//!
//! The credential is sent without being asked for, since Jira never challenges. `/myself` is tried once: a refusal closes the client
//! for good, since each failed try counts towards Jira's CAPTCHA lock. It comes first of all so that the session it opens is the only one.

use crate::client::allow::Read;
use crate::client::retry::Patience;
use crate::client::{JiraClient, Page};
use crate::dialect::{Dialect, ServerInfo};
use crate::error::Error;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Who is logged in, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// Login name.
    pub account: String,
    /// Name as shown to people.
    pub display_name: String,
    /// The account's time zone, the one that dates in JQL are read in.
    pub time_zone: Option<String>,
    /// Jira's version.
    pub version: String,
    /// Server, Data Center or Cloud.
    pub dialect: Dialect,
    /// Jira's own clock at the login.
    pub server_time: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMyself {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    key: Option<String>,
    /// On Jira Cloud, which has neither of the two.
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    time_zone: Option<String>,
}

/// Who an account is.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    name: String,
    display_name: String,
    time_zone: Option<String>,
}

impl Account {
    /// The login, once the site is known too.
    pub(crate) fn at(self, info: ServerInfo) -> Login {
        Login {
            account: self.name,
            display_name: self.display_name,
            time_zone: self.time_zone,
            version: info.version,
            dialect: info.dialect,
            server_time: info.server_time,
        }
    }
}

/// Logs in.
pub(crate) async fn run(client: &JiraClient) -> Result<Account, Error> {
    let page = match client.attempt(&Read::Myself, Patience::Login).await {
        Ok(page) => page,
        Err(error) => return Err(explained(client, error).await),
    };
    let raw = parse(client, &page)?;
    let name = raw.name.or(raw.key).or(raw.account_id).unwrap_or_default();
    client.logged_in(page.account.unwrap_or_else(|| name.clone()));
    Ok(Account {
        display_name: raw.display_name.unwrap_or_else(|| name.clone()),
        name,
        time_zone: raw.time_zone,
    })
}

fn parse(client: &JiraClient, page: &Page) -> Result<RawMyself, Error> {
    let not_jira = |detail: String| Error::NotJira { site: client.site_text(), detail };
    let raw: RawMyself = serde_json::from_str(&page.text)
        .map_err(|error| not_jira(format!("its account information is unreadable: {error}")))?;
    if raw.name.is_none() && raw.key.is_none() && raw.account_id.is_none() {
        return Err(not_jira("its account information names nobody".to_owned()));
    }
    Ok(raw)
}

/// Says what else may be behind a refusal; the server information needs no login and counts as no try.
async fn explained(client: &JiraClient, error: Error) -> Error {
    match error {
        Error::LoginRefused { site, reason, .. } => {
            let hint =
                client.server_info().await.map(|info| info.password_hint().to_owned()).unwrap_or_default();
            Error::LoginRefused { site, reason, hint }
        }
        // A healthy Jira refuses /myself with 403 where a proxy or a plugin forbids this way of logging in.
        Error::Forbidden { detail, .. } => {
            Error::Forbidden { what: "logging in over REST".to_owned(), detail }
        }
        other => other,
    }
}
