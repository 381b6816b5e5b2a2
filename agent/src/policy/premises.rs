//! The list of permitted addresses, gathered from the configuration, the enrolment and the command line; all are on the premises.

use super::way;
use crate::cli::Premises;
use crate::config::{Config, LocalJira};
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use crate::trust::read_certificates;
use jira::Way;
use protocol::site::SiteAddress;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A Jira that may be read.
#[derive(Clone, Debug)]
pub(crate) struct PermittedSite {
    /// Its address.
    pub(crate) address: SiteAddress,
    /// Certificates trusted for it beside the system's, PEM.
    pub(crate) ca_pem: Option<Vec<u8>>,
    /// What lies on the way to it.
    pub(crate) way: Way,
    /// Accounts whose password is on the premises.
    pub(crate) accounts: Vec<LocalAccount>,
}

/// An account whose password is on the premises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalAccount {
    /// Its name; empty for a personal access token.
    pub(crate) username: String,
    /// Where.
    pub(crate) secret: LocalSecret,
}

/// Where the premises keep a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocalSecret {
    /// The first line of a file.
    File(PathBuf),
    /// A credential that systemd hands to the service, by name.
    Credential(String),
    /// An environment variable, by name.
    Environment(String),
}

/// What `enroll` was told, kept in the state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    allow_jira: Vec<SiteAddress>,
    /// Whether `jira-ca.pem` is trusted for them.
    jira_ca: bool,
}

/// Everything that is permitted.
///
/// # Errors
/// When an address or a certificate file cannot be used.
pub(crate) fn gather(config: &Config, paths: &Paths, given: &Premises) -> Result<Vec<PermittedSite>, Error> {
    let remembered = recall(paths)?;
    let ca_pem = match given.jira_ca.as_deref().or(config.jira_ca_file.get()) {
        Some(path) => Some(read_certificates(path)?),
        None if remembered.jira_ca => Some(read_certificates(&paths.jira_ca())?),
        None => None,
    };
    let way = way::to_all(config)?;
    let mut sites = Vec::new();
    for address in parse_given(given)?.into_iter().chain(remembered.allow_jira) {
        permit(&mut sites, address, ca_pem.as_ref(), &way);
    }
    for text in &config.allow_jira {
        permit(&mut sites, parse(text, "allow_jira", paths)?, ca_pem.as_ref(), &way);
    }
    for entry in &config.jira {
        let address = parse(&entry.url, "jira[].url", paths)?;
        let own_ca = entry.ca_file.get().map(read_certificates).transpose()?;
        let site = permit(&mut sites, address, ca_pem.as_ref(), &way);
        // An account more of the same Jira need not repeat the way to it.
        site.way = way::to_one(entry, &site.way)?;
        if own_ca.is_some() {
            site.ca_pem = own_ca;
        }
        if let Some(secret) = local_secret(entry, paths)? {
            site.accounts.push(LocalAccount { username: entry.username.clone(), secret });
        }
    }
    Ok(sites)
}

/// Where the password of an entry is, if it is on the premises.
fn local_secret(entry: &LocalJira, paths: &Paths) -> Result<Option<LocalSecret>, Error> {
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let mut places = [
        entry.password_file.get().map(|path| LocalSecret::File(path.to_owned())),
        named(&entry.password_credential).map(LocalSecret::Credential),
        named(&entry.password_env).map(LocalSecret::Environment),
    ]
    .into_iter()
    .flatten();
    let secret = places.next();
    if places.next().is_some() {
        return Err(Error::BadValue {
            key: "jira[]".to_owned(),
            place: paths.config.path().display().to_string(),
            reason: format!(
                "{} names more than one of password_file, password_credential and password_env",
                entry.url
            ),
        });
    }
    Ok(secret)
}

/// Keeps what `enroll` was told, beside what an earlier one was told.
pub(crate) fn remember(paths: &Paths, given: &Premises) -> Result<(), Error> {
    let mut kept = recall(paths)?;
    for address in parse_given(given)? {
        if !kept.allow_jira.contains(&address) {
            kept.allow_jira.push(address);
        }
    }
    if let Some(path) = &given.jira_ca {
        private_file::write(&paths.jira_ca(), &read_certificates(path)?, Durability::Synced)?;
        kept.jira_ca = true;
    }
    let text = serde_json::to_vec_pretty(&kept).map_err(|error| Error::System {
        action: "write the permitted addresses",
        reason: error.to_string(),
    })?;
    private_file::write(&paths.permitted(), &text, Durability::Synced)
}

/// Checks the addresses of the command line.
pub(crate) fn parse_given(given: &Premises) -> Result<Vec<SiteAddress>, Error> {
    given
        .allow_jira
        .iter()
        .map(|text| SiteAddress::parse(text).map_err(|error| Error::Usage(format!("--allow-jira: {error}"))))
        .collect()
}

fn recall(paths: &Paths) -> Result<Remembered, Error> {
    let path = paths.permitted();
    let Some(bytes) = private_file::read(&path)? else { return Ok(Remembered::default()) };
    serde_json::from_slice(&bytes).map_err(|error| Error::BadValue {
        key: "allow_jira".to_owned(),
        place: path.display().to_string(),
        reason: format!("the file is damaged ({error}); remove it and name the addresses again"),
    })
}

fn parse(text: &str, key: &str, paths: &Paths) -> Result<SiteAddress, Error> {
    let place = paths.config.path().display().to_string();
    SiteAddress::parse(text).map_err(|error| Error::BadValue {
        key: key.to_owned(),
        place,
        reason: error.to_string(),
    })
}

fn permit<'a>(
    sites: &'a mut Vec<PermittedSite>,
    address: SiteAddress,
    ca_pem: Option<&Vec<u8>>,
    way: &Way,
) -> &'a mut PermittedSite {
    let place = sites.iter().position(|site| site.address == address).unwrap_or_else(|| {
        sites.push(PermittedSite {
            address,
            ca_pem: ca_pem.cloned(),
            way: way.clone(),
            accounts: Vec::new(),
        });
        sites.len() - 1
    });
    &mut sites[place]
}
