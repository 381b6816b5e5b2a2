//! What a site says of itself without a login: proof that a Jira answers at an address.

use crate::client::JiraClient;
use crate::client::site::{Credential, Limits, Site};
use crate::dialect::Dialect;
use crate::error::Error;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// A Jira, as it describes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Its version.
    pub version: String,
    /// Server, Data Center or Cloud.
    pub dialect: Dialect,
    /// Its own clock.
    pub server_time: DateTime<Utc>,
}

/// Asks a site for its server information, which needs no login: no credential is sent.
///
/// # Errors
/// As any read; what is no Jira is named.
pub async fn about(site: Site, limits: Limits) -> Result<About, Error> {
    let nobody = Credential::Token(SecretString::default());
    let info = JiraClient::try_new(site, nobody, limits)?.server_info().await?;
    Ok(About { version: info.version, dialect: info.dialect, server_time: info.server_time })
}
