//! Which kind of Jira answers, found once from its server information.

use crate::error::Error;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The kind of Jira.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Jira Server.
    Server,
    /// Jira Data Center: the same API, on several nodes.
    DataCenter,
    /// Jira Cloud: another API.
    Cloud,
}

/// First major version whose default switches password logins off.
const PASSWORDS_OFF_SINCE: u32 = 11;

/// What `serverInfo` says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServerInfo {
    pub(crate) version: String,
    pub(crate) dialect: Dialect,
    /// Jira's own clock.
    pub(crate) server_time: DateTime<Utc>,
    major: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawServerInfo {
    #[serde(default)]
    version: String,
    #[serde(default)]
    version_numbers: Vec<u32>,
    #[serde(default)]
    deployment_type: String,
    #[serde(default)]
    server_time: String,
}

impl ServerInfo {
    /// Reads the answer to `serverInfo`; `clustered` is whether a header named a cluster node.
    pub(crate) fn parse(json: &str, site: &str, clustered: bool) -> Result<Self, Error> {
        let not_jira = |detail: String| Error::NotJira { site: site.to_owned(), detail };
        let raw: RawServerInfo = serde_json::from_str(json)
            .map_err(|error| not_jira(format!("its server information is unreadable: {error}")))?;
        if raw.version.is_empty() {
            return Err(not_jira("its server information names no version".to_owned()));
        }
        let server_time = parse_server_time(&raw.server_time).ok_or_else(|| {
            not_jira(format!("its server information gives no time that can be read (`{}`)", raw.server_time))
        })?;
        let dialect = match clustered {
            _ if raw.deployment_type.eq_ignore_ascii_case("cloud") => Dialect::Cloud,
            true => Dialect::DataCenter,
            false => Dialect::Server,
        };
        Ok(Self { version: raw.version, dialect, server_time, major: raw.version_numbers.first().copied() })
    }

    /// What a refused password may mean on this version.
    pub(crate) fn password_hint(&self) -> &'static str {
        if self.dialect == Dialect::Cloud {
            return "Jira Cloud takes the account's e-mail address with an API token, never a password.";
        }
        if self.major.is_some_and(|major| major >= PASSWORDS_OFF_SINCE) {
            return "Jira 11 and later refuse passwords by default: use a personal access token, or let an administrator allow basic authentication.";
        }
        ""
    }
}

fn parse_server_time(text: &str) -> Option<DateTime<Utc>> {
    let formats = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%:z"];
    let parsed = formats.iter().find_map(|format| DateTime::parse_from_str(text, format).ok());
    parsed.map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#"{"baseUrl":"http://x","version":"8.5.3","versionNumbers":[8,5,3],"deploymentType":"Server","serverTime":"2020-03-11T19:18:34.876+0300"}"#;

    #[test]
    fn a_server_tells_version_and_clock() {
        let info = ServerInfo::parse(SERVER, "http://x", false).unwrap();
        assert_eq!((info.version.as_str(), info.dialect), ("8.5.3", Dialect::Server));
        assert_eq!(info.server_time.to_rfc3339(), "2020-03-11T16:18:34.876+00:00");
        assert!(info.password_hint().is_empty());
    }

    #[test]
    fn jira_11_explains_why_a_password_may_be_refused() {
        let json = SERVER.replace("8,5,3", "11,0,1");
        assert!(
            ServerInfo::parse(&json, "http://x", true)
                .unwrap()
                .password_hint()
                .contains("personal access token")
        );
    }

    #[test]
    fn cloud_and_strangers_are_named() {
        let cloud = SERVER.replace("\"Server\"", "\"Cloud\"");
        assert_eq!(ServerInfo::parse(&cloud, "http://x", true).unwrap().dialect, Dialect::Cloud);
        assert_eq!(ServerInfo::parse("{\"hello\":1}", "http://x", false).unwrap_err().code(), "not_jira");
    }
}
