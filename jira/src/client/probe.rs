//! The smallest question that proves that a Jira answers: its server information, which needs no login and sends no credential.

use crate::client::JiraClient;
use crate::client::record::Observer;
use crate::client::site::{Credential, Limits, Site};
use crate::error::Error;
use secrecy::SecretString;

/// What a Jira said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its version.
    pub version: String,
}

/// Asks a Jira for its server information; no account is touched.
///
/// # Errors
/// As any read; anything that is no Jira is an error too.
pub async fn probe(site: Site, limits: Limits, observer: Observer) -> Result<Probe, Error> {
    // The one read that is not authenticated; see `Read::is_authenticated`.
    let nobody = Credential::Token(SecretString::default());
    let client = JiraClient::try_new(site, nobody, limits)?.observed_by(observer);
    Ok(Probe { version: client.server_info().await?.version })
}
