//! The login: server information (which needs none) beside one authenticated `/myself`, before anything else is asked.
//!
//! The credential is sent without being asked for, since Jira never challenges. `/myself` is tried once: a refusal closes the client
//! for good, since each failed try counts towards Jira's CAPTCHA lock.

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
    /// Server or Data Center.
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
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    time_zone: Option<String>,
}

/// Runs the login.
pub(crate) async fn run(client: &JiraClient) -> Result<Login, Error> {
    let (info, myself) = tokio::join!(client.server_info(), client.attempt(&Read::Myself, Patience::Login));
    let info = match (info, &myself) {
        (Ok(info), _) => info,
        // The login's own trouble is said first: behind single sign-on both fail, and this one is the cause.
        (Err(_), Err(error)) if error.is_login() => return Err(error.clone()),
        (Err(error), _) => return Err(error),
    };
    let page = myself.map_err(|error| with_hint(error, &info))?;
    let raw = parse(client, &page)?;
    let account = raw.name.or(raw.key).unwrap_or_default();
    client.logged_in(page.account.unwrap_or_else(|| account.clone()));
    Ok(Login {
        display_name: raw.display_name.unwrap_or_else(|| account.clone()),
        account,
        time_zone: raw.time_zone,
        version: info.version,
        dialect: info.dialect,
        server_time: info.server_time,
    })
}

fn parse(client: &JiraClient, page: &Page) -> Result<RawMyself, Error> {
    let not_jira = |detail: String| Error::NotJira { site: client.site_text(), detail };
    let raw: RawMyself = serde_json::from_str(&page.text).map_err(|error| not_jira(format!("its account information is unreadable: {error}")))?;
    if raw.name.is_none() && raw.key.is_none() {
        return Err(not_jira("its account information names nobody".to_owned()));
    }
    Ok(raw)
}

fn with_hint(error: Error, info: &ServerInfo) -> Error {
    match error {
        Error::LoginRefused { site, reason, .. } => Error::LoginRefused { site, reason, hint: info.password_hint().to_owned() },
        // A healthy Jira refuses /myself with 403 where a proxy or a plugin forbids this way of logging in.
        Error::Forbidden { detail, .. } => Error::Forbidden { what: "logging in over REST".to_owned(), detail },
        other => other,
    }
}
