//! The only place where a password of Jira is in clear text: opened for one run from what was sealed to this agent, or read from a
//! file of the premises. It goes into the engine's credential, which shows nothing.

use crate::breaker::SecretMark;
use crate::identity::Seeds;
use crate::policy::{LocalSecret, PermittedSite};
use jira::Credential;
use protocol::control::{ConnectionSecret, Failure};
use protocol::keys::{Fingerprint, KEY_BYTES, SealingPublicKey};
use protocol::seal::{SealContext, SealError, SealedSecret, SealingKey, seal};
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind};
use secrecy::SecretString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// A password file longer than this is some other file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Opens secrets for this agent: with the keys that it has, and with those before, until everything is sealed again.
pub(crate) struct Opener {
    keys: Mutex<Vec<(Fingerprint, SealingKey)>>,
}

/// Why there is no password for a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the connection's secret is not sealed for this agent ({own})")]
    NotForUs { own: Fingerprint },
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error("the system gave no random bytes")]
    Random,
    #[error("the password file {} cannot be used: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("the password of the premises cannot be used: {0}")]
    Local(String),
}

/// An opened secret.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) credential: Credential,
    /// The account that it logs in.
    pub(crate) username: String,
    /// By what it is told from another one.
    pub(crate) mark: SecretMark,
}

impl SecretError {
    /// The failure as the relay's user reads it. The name of a file stays on the premises.
    pub(crate) fn failure(&self) -> Failure {
        let (code, message, hint) = match self {
            SecretError::NotForUs { .. } => (
                "secret_missing",
                self.to_string(),
                "store the connection's password again, so that it is sealed for every agent of the uplink; or keep it on the premises in a [[jira]] entry of agent.toml",
            ),
            SecretError::Sealed(error) => (
                error.code(),
                error.to_string(),
                "store the connection's password again with the address and username that it belongs to",
            ),
            SecretError::Random => ("internal", self.to_string(), "restart the agent; report it if it stays"),
            SecretError::File { .. } | SecretError::Local(_) => (
                "local_password_unusable",
                "the password that the premises keep for this account cannot be read".to_owned(),
                "ask the administrator of the premises: `uplink-agent config check` and the agent's log name the file",
            ),
        };
        Failure { code: code.to_owned(), message, hint: hint.to_owned() }
    }
}

impl Opener {
    pub(crate) fn new(seeds: &Seeds) -> Result<Self, crate::error::Error> {
        Ok(Self { keys: Mutex::new(vec![(seeds.fingerprint()?, seeds.sealing_key())]) })
    }

    /// Opens with new keys as well, and before all others.
    pub(crate) fn add(&self, seeds: &Seeds) -> Result<(), crate::error::Error> {
        let fingerprint = seeds.fingerprint()?;
        self.keys().insert(0, (fingerprint, seeds.sealing_key()));
        Ok(())
    }

    /// Opens with older keys as well.
    pub(crate) fn add_older(&self, seeds: &Seeds) -> Result<(), crate::error::Error> {
        let fingerprint = seeds.fingerprint()?;
        self.keys().push((fingerprint, seeds.sealing_key()));
        Ok(())
    }

    fn keys(&self) -> MutexGuard<'_, Vec<(Fingerprint, SealingKey)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals a secret again, for an agent whose keys the premises confirmed. The clear text lives in here only.
    ///
    /// # Errors
    /// When it is not sealed for this agent, site and account, or the other key cannot be sealed to.
    pub(crate) fn reseal(
        &self,
        secret: &ConnectionSecret,
        (recipient, key): (&Fingerprint, &SealingPublicKey),
    ) -> Result<ConnectionSecret, SecretError> {
        let (site, username) = (&secret.site, secret.username.as_str());
        let text = self.opened(std::slice::from_ref(&secret.sealed), site, username)?;
        let mut randomness = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(randomness.as_mut_slice()).map_err(|_| SecretError::Random)?;
        let context = SealContext { agent: recipient, site, username };
        let sealed = seal(&text, key, context, &randomness)?;
        Ok(ConnectionSecret { sealed, ..secret.clone() })
    }

    fn opened(
        &self,
        sealed: &[SealedSecret],
        site: &SiteAddress,
        username: &str,
    ) -> Result<Zeroizing<String>, SecretError> {
        let keys = self.keys();
        let found =
            keys.iter().find_map(|(own, key)| Some((own, key, sealed.iter().find(|it| it.agent == *own)?)));
        match (found, keys.first()) {
            (Some((own, key, secret)), _) => {
                Ok(key.open(secret, SealContext { agent: own, site, username })?)
            }
            (None, Some((own, _))) => Err(SecretError::NotForUs { own: own.clone() }),
            (None, None) => Err(SecretError::Random),
        }
    }

    /// The credential for a connection at a permitted site. An account of the premises comes before anything that the cloud sealed.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened for this very site and username.
    pub(crate) fn credential(
        &self,
        site: &PermittedSite,
        connection: &ConnectionSpec,
    ) -> Result<Opened, SecretError> {
        let local = site
            .accounts
            .iter()
            .find(|account| connection.username.is_empty() || account.username == connection.username);
        let (username, secret, mark) = match local {
            Some(account) => {
                let mark = SecretMark { text: mark_of(&account.secret), is_local: true };
                (account.username.clone(), read_local(&account.secret)?, mark)
            }
            None => {
                let text = digest_of(&self.sealed(connection)?.sealed);
                let mark = SecretMark { text, is_local: false };
                (connection.username.clone(), self.open(site, connection)?, mark)
            }
        };
        let credential = match connection.credential {
            CredentialKind::Password => Credential::Password { username: username.clone(), password: secret },
            CredentialKind::ApiToken => Credential::ApiToken { username: username.clone(), token: secret },
        };
        Ok(Opened { credential, username, mark })
    }

    fn sealed<'c>(&self, connection: &'c ConnectionSpec) -> Result<&'c SealedSecret, SecretError> {
        let keys = self.keys();
        let of = |own: &Fingerprint| connection.sealed.iter().find(|sealed| sealed.agent == *own);
        let found = keys.iter().find_map(|(own, _)| of(own));
        let own = || keys.first().map(|(own, _)| own.clone());
        found.ok_or_else(|| own().map_or(SecretError::Random, |own| SecretError::NotForUs { own }))
    }

    fn open(&self, site: &PermittedSite, connection: &ConnectionSpec) -> Result<SecretString, SecretError> {
        let text = self.opened(&connection.sealed, &site.address, &connection.username)?;
        Ok(SecretString::from(text.as_str()))
    }
}

/// Tells one sealed text from another; the text itself is of no use to anybody else.
fn digest_of(sealed: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, sealed.as_bytes());
    let hex = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("sealed {}", hex.collect::<String>())
}

/// Tells whether a password of the premises was replaced, without looking at it.
pub(crate) fn mark_of(secret: &LocalSecret) -> String {
    let path = match secret {
        LocalSecret::File(path) => path.clone(),
        LocalSecret::Credential(name) => credential_path(name).unwrap_or_default(),
        // Fixed until the agent is started again.
        LocalSecret::Environment(name) => {
            return format!("environment {name} of process {}", std::process::id());
        }
    };
    let changed = std::fs::metadata(&path).and_then(|met| met.modified()).ok();
    let since = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    format!("file of {}", since.unwrap_or_default().as_nanos())
}

fn credential_path(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)?;
    let is_name = !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
    is_name.then(|| folder.join(name))
}

/// A password of the premises.
///
/// # Errors
/// When it is not there, or every user of the machine can read it.
pub(crate) fn read_local(secret: &LocalSecret) -> Result<SecretString, SecretError> {
    match secret {
        LocalSecret::File(path) => read_password(path),
        LocalSecret::Credential(name) => {
            let path = credential_path(name).ok_or_else(|| {
                SecretError::Local(format!("systemd handed no credential `{name}` to this process; add LoadCredential={name}:FILE to the unit"))
            })?;
            read_password(&path)
        }
        LocalSecret::Environment(name) => match std::env::var(name) {
            Ok(text) if !text.is_empty() => Ok(SecretString::from(text)),
            Ok(_) | Err(_) => Err(SecretError::Local(format!("the environment variable {name} is not set"))),
        },
    }
}

/// The first line of a password file.
///
/// # Errors
/// When it cannot be read, is empty, or every user of the machine can read it.
pub(crate) fn read_password(path: &Path) -> Result<SecretString, SecretError> {
    let unusable = |reason: String| SecretError::File { path: path.to_owned(), reason };
    let met = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if met.len() > MAX_FILE_BYTES {
        return Err(unusable("it is too large for a password".to_owned()));
    }
    check_private(&met).map_err(unusable)?;
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error: io::Error| unusable(error.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("it is not UTF-8 text".to_owned()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretString::from(line)),
        None => Err(unusable("its first line is empty".to_owned())),
    }
}

#[cfg(unix)]
fn check_private(met: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    if met.permissions().mode() & 0o007 == 0 {
        Ok(())
    } else {
        Err("every user of this machine can reach it; run `chmod 0600` on it".to_owned())
    }
}

#[cfg(not(unix))]
fn check_private(_: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::identity;
    use secrecy::ExposeSecret;

    const CANARY: &str = "pässword-canary";

    fn site(address: &str) -> PermittedSite {
        PermittedSite {
            address: SiteAddress::parse(address).unwrap(),
            ca_pem: None,
            way: jira::Way::default(),
            accounts: Vec::new(),
        }
    }

    fn sealed_for(seeds: &Seeds, address: &str, username: &str) -> SealedSecret {
        let (own, site) = (seeds.fingerprint().unwrap(), SiteAddress::parse(address).unwrap());
        let context = SealContext { agent: &own, site: &site, username };
        seal(CANARY, &seeds.sealing_key().public(), context, &[9; 32]).unwrap()
    }

    fn connection(username: &str, sealed: Vec<SealedSecret>) -> ConnectionSpec {
        ConnectionSpec {
            name: "jira".to_owned(),
            site: SiteAddress::parse("https://jira").unwrap(),
            username: username.to_owned(),
            credential: CredentialKind::Password,
            sealed,
            max_parallel: 1,
        }
    }

    fn password_of(opened: &Opened) -> &str {
        match &opened.credential {
            Credential::Password { password, .. } => password.expose_secret(),
            Credential::Token(token) | Credential::ApiToken { token, .. } => token.expose_secret(),
        }
    }

    #[test]
    fn a_secret_sealed_for_this_agent_site_and_account_opens() {
        let seeds = identity().seeds;
        let sealed = vec![
            sealed_for(&identity().seeds, "https://jira", "reader"),
            sealed_for(&seeds, "https://jira", "reader"),
        ];
        let opener = Opener::new(&seeds).unwrap();
        let credential = opener.credential(&site("https://jira"), &connection("reader", sealed)).unwrap();
        assert_eq!(password_of(&credential), CANARY);
        assert!(!format!("{credential:?}").contains(CANARY));
    }

    #[test]
    fn a_secret_sealed_for_another_site_or_account_does_not_open() {
        let seeds = identity().seeds;
        let opener = Opener::new(&seeds).unwrap();
        for (address, username) in [
            ("https://other", "reader"),
            ("https://jira", "admin"),
            ("https://jira:8443", "reader"),
            ("https://jira/x", "reader"),
        ] {
            let wire = connection("reader", vec![sealed_for(&seeds, address, username)]);
            let error = opener.credential(&site("https://jira"), &wire).unwrap_err();
            assert_eq!(error.failure().code, "secret_refused", "{address} {username}");
            assert!(!format!("{error:?} {error}").contains(CANARY));
        }
    }

    #[test]
    fn a_secret_is_sealed_again_for_another_agent_and_only_for_its_site_and_account() {
        let (old, new) = (identity().seeds, identity().seeds);
        let secret = ConnectionSecret {
            connection: "jira".to_owned(),
            site: SiteAddress::parse("https://jira").unwrap(),
            username: "reader".to_owned(),
            sealed: sealed_for(&old, "https://jira", "reader"),
        };
        let opener = Opener::new(&old).unwrap();
        let (to, key) = (new.fingerprint().unwrap(), new.sealing_key().public());
        let again = opener.reseal(&secret, (&to, &key)).unwrap();
        let newcomer = Opener::new(&new).unwrap();
        let credential =
            newcomer.credential(&site("https://jira"), &connection("reader", vec![again.sealed])).unwrap();
        assert_eq!(password_of(&credential), CANARY);
        let elsewhere = ConnectionSecret { username: "admin".to_owned(), ..secret };
        assert!(opener.reseal(&elsewhere, (&to, &key)).is_err());
    }

    #[test]
    fn keys_before_a_change_still_open_what_was_sealed_to_them() {
        let (old, new) = (identity().seeds, identity().seeds);
        let opener = Opener::new(&new).unwrap();
        opener.add_older(&old).unwrap();
        let wire = connection("reader", vec![sealed_for(&old, "https://jira", "reader")]);
        assert_eq!(password_of(&opener.credential(&site("https://jira"), &wire).unwrap()), CANARY);
    }

    #[test]
    fn a_secret_sealed_for_other_agents_only_is_missing() {
        let opener = Opener::new(&identity().seeds).unwrap();
        let foreign = sealed_for(&identity().seeds, "https://jira", "reader");
        let error =
            opener.credential(&site("https://jira"), &connection("reader", vec![foreign])).unwrap_err();
        assert_eq!(error.failure().code, "secret_missing");
    }

    #[cfg(unix)]
    #[test]
    fn a_password_of_the_premises_comes_first_and_must_be_private() {
        use crate::policy::LocalAccount;
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("password");
        std::fs::write(&file, "local one\nsecond line\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut site = site("https://jira");
        site.accounts
            .push(LocalAccount { username: "reader".to_owned(), secret: LocalSecret::File(file.clone()) });
        let seeds = identity().seeds;
        let opener = Opener::new(&seeds).unwrap();
        let wire = connection("reader", vec![sealed_for(&seeds, "https://jira", "reader")]);
        mode(0o600);
        assert_eq!(password_of(&opener.credential(&site, &wire).unwrap()), "local one");
        mode(0o644);
        let error = opener.credential(&site, &wire).unwrap_err();
        assert!(error.to_string().contains("chmod 0600"));
        assert!(!error.failure().message.contains("password\""), "the file's name left the premises");
    }
}
