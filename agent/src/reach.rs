//! How a relay is reached, by configuration and enrolment.

use crate::config::Config;
use crate::error::Error;
use crate::identity::Identity;
use crate::link::Reach;
use crate::link::dial::Proxies;
use crate::paths::Paths;
use crate::relay_address::RelayAddress;
use crate::trust::{Authority, read_certificates};
use std::path::Path;

/// How the relay is reached: its addresses, the proxies on the way, and whom to trust.
pub(crate) fn of_enrolled(identity: &Identity, config: &Config, paths: &Paths) -> Result<Reach, Error> {
    let enrolled_at = std::iter::once(&identity.enrolment.relay);
    let relays = enrolled_at.chain(&config.relay.addresses).map(|text| RelayAddress::parse(text));
    let trust = authority(identity, config, paths)?.trust()?;
    Ok(Reach {
        relays: relays.collect::<Result<_, _>>()?,
        trust: trust.and_inspector(config.relay.inspection_ca_file.get())?,
        proxies: Proxies::load(&config.proxy)?,
        timeouts: config.link.clone(),
    })
}

/// Whom the link trusts: the configuration, then what `enroll` was given, then the system.
pub(crate) fn authority(identity: &Identity, config: &Config, paths: &Paths) -> Result<Authority, Error> {
    let own = |path: std::path::PathBuf| read_certificates(&path).map(|pem| Authority::Own { path, pem });
    match config.relay.ca_file.get() {
        Some(path) => own(path.to_owned()),
        None if identity.enrolment.own_authority => own(paths.relay_ca()),
        None => Ok(Authority::System),
    }
}

/// How a relay is reached that the agent is not enrolled at.
pub(crate) fn of(relay: RelayAddress, ca: Option<&Path>, config: &Config) -> Result<Reach, Error> {
    let trust = authority_of(ca, config)?.trust()?;
    Ok(Reach {
        relays: vec![relay],
        trust: trust.and_inspector(config.relay.inspection_ca_file.get())?,
        proxies: Proxies::load(&config.proxy)?,
        timeouts: config.link.clone(),
    })
}

/// Whom to believe to be a relay that is not enrolled at yet.
pub(crate) fn authority_of(given: Option<&Path>, config: &Config) -> Result<Authority, Error> {
    match given.or(config.relay.ca_file.get()) {
        Some(path) => Ok(Authority::Own { path: path.to_owned(), pem: read_certificates(path)? }),
        None => Ok(Authority::System),
    }
}
