//! Passwords and tokens: taken from standard input, a file or a prompt that does not echo, never from the command line; and
//! sealed to the agents' keys before they leave this process.

use crate::cli::SecretSource;
use crate::documents::Agent;
use crate::error::Error;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use protocol::keys::{Fingerprint, KEY_BYTES, SealingPublicKey};
use protocol::limits::SECRET_BYTES_MAX;
use protocol::seal::{SealContext, SealedSecret, seal};
use protocol::site::SiteAddress;
use secrecy::{ExposeSecret, SecretString};
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// The line break at the end of a file of another system.
const LINE_BREAK_BYTES: u64 = 2;

/// What kind of secret a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A password, used with a username.
    Password,
    /// A personal access token or an API token.
    ApiToken,
}

impl Kind {
    /// The word that the API uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ApiToken => "api_token",
        }
    }
}

/// What kind of secret the flags announce; `None` when they name no source.
pub(crate) fn kind(source: &SecretSource) -> Option<Kind> {
    if source.api_token_stdin || source.api_token_file.is_some() {
        return Some(Kind::ApiToken);
    }
    let is_password = source.password_stdin || source.password_file.is_some() || source.secret_on_premises;
    is_password.then_some(Kind::Password)
}

/// Reads the secret; asks for a password on the terminal when the flags name no source.
pub(crate) fn read(source: &SecretSource, whose: &str) -> Result<SecretString, Error> {
    let text = if source.password_stdin || source.api_token_stdin {
        bounded(std::io::stdin().lock())
            .map_err(|reason| Error::Secret(format!("standard input: {reason}")))?
    } else if let Some(path) = source.password_file.as_deref().or(source.api_token_file.as_deref()) {
        from_file(path)?
    } else {
        ask(whose)?
    };
    Ok(SecretString::from(one_line(text)?))
}

fn from_file(path: &Path) -> Result<String, Error> {
    let bad = |reason: String| Error::File { what: "the secret's file", path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|e| bad(e.to_string()))?;
    bounded(file).map_err(bad)
}

fn bounded(source: impl Read) -> Result<String, String> {
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(LINE_BREAK_BYTES);
    let mut text = String::new();
    source.take(limit + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.trim_end().len() > SECRET_BYTES_MAX {
        return Err(format!("longer than {SECRET_BYTES_MAX} bytes is no password or token"));
    }
    Ok(text)
}

fn ask(whose: &str) -> Result<String, Error> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() || !console::user_attended() {
        let how = "no secret is given and there is no terminal to ask on; pipe it in with --password-stdin or --api-token-stdin";
        return Err(Error::Secret(how.to_owned()));
    }
    let failed = |e: std::io::Error| Error::Secret(format!("the terminal cannot be read: {e}"));
    terminal.write_str(&format!("Password of {whose}: ")).map_err(failed)?;
    terminal.read_secure_line().map_err(failed)
}

/// Without the line break that `echo` and editors add; nothing else is taken off.
fn one_line(mut text: String) -> Result<String, Error> {
    let end = text.strip_suffix('\n').map(|rest| rest.strip_suffix('\r').unwrap_or(rest).len());
    if let Some(end) = end {
        text.truncate(end);
    }
    if text.is_empty() {
        return Err(Error::Secret("the secret is empty".to_owned()));
    }
    if text.contains(['\n', '\r', '\0']) {
        return Err(Error::Secret("the secret has several lines; give the password alone".to_owned()));
    }
    Ok(text)
}

/// Seals the secret to each agent, bound to the site and the account.
pub(crate) fn sealed(
    secret: &SecretString,
    agents: &[Agent],
    site: &SiteAddress,
    username: &str,
) -> Result<Vec<SealedSecret>, Error> {
    agents.iter().map(|agent| sealed_for(secret, agent, site, username)).collect()
}

fn sealed_for(
    secret: &SecretString,
    agent: &Agent,
    site: &SiteAddress,
    username: &str,
) -> Result<SealedSecret, Error> {
    let bad = |reason: String| Error::Seal { agent: agent.agent_id.clone(), reason };
    let fingerprint = Fingerprint::parse(&agent.fingerprint).map_err(|e| bad(e.to_string()))?;
    let key = SealingPublicKey::parse(&agent.sealing_key).map_err(|e| bad(e.to_string()))?;
    let mut randomness = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new()
        .fill(randomness.as_mut_slice())
        .map_err(|_| Error::Secret("the operating system gives no random bytes".to_owned()))?;
    let context = SealContext { agent: &fingerprint, site, username };
    seal(secret.expose_secret(), &key, context, &randomness).map_err(|e| bad(e.to_string()))
}

/// How each agent's key is shown, so that the user can compare it with `uplink-agent status` on the premises.
pub(crate) fn sealed_to(agents: &[Agent]) -> String {
    agents
        .iter()
        .map(|agent| format!("  {}  {}  {}\n", agent.name, agent.agent_id, agent.fingerprint))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn from_flag_file(content: &[u8]) -> Result<SecretString, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, content).unwrap();
        read(&SecretSource { password_file: Some(path), ..SecretSource::default() }, "reader")
    }

    #[test]
    fn only_the_last_line_break_is_taken_off() {
        for (content, secret) in [("pw\n", "pw"), ("pw\r\n", "pw"), (" p w ", " p w "), ("pä\n", "pä")] {
            assert_eq!(from_flag_file(content.as_bytes()).unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn what_is_no_password_is_refused_without_showing_it() {
        for content in [&b""[..], b"\n", b"first\nsecond\n", b"\xff\xfe", &[b'x'; 20_000]] {
            let error = from_flag_file(content).unwrap_err().to_string();
            assert!(!error.contains("first") && !error.contains("xxx"), "{error}");
        }
    }

    #[test]
    fn a_sealed_secret_opens_at_the_agent_for_its_site_and_account_only() {
        use protocol::keys::SigningKey;
        let own = protocol::seal::SealingKey::from_seed(&[3; KEY_BYTES]);
        let signing = SigningKey::from_seed(&[4; KEY_BYTES]).unwrap().public();
        let fingerprint = Fingerprint::of(&signing, &own.public());
        let agent = Agent {
            fingerprint: fingerprint.to_string(),
            sealing_key: own.public().to_string(),
            ..Agent::default()
        };
        let site = SiteAddress::parse("https://jira.corp.example/jira").unwrap();
        let sealed = sealed(&SecretString::from("pä ss"), &[agent], &site, "reader").unwrap();
        let open = |site, username| own.open(&sealed[0], SealContext { agent: &fingerprint, site, username });
        assert_eq!(open(&site, "reader").unwrap().as_str(), "pä ss");
        assert!(open(&site, "admin").is_err());
        assert!(open(&SiteAddress::parse("https://evil.example").unwrap(), "reader").is_err());
    }

    #[test]
    fn the_flags_say_which_kind_it_is() {
        let token = SecretSource { api_token_stdin: true, ..SecretSource::default() };
        assert_eq!((kind(&token), kind(&SecretSource::default())), (Some(Kind::ApiToken), None));
    }
}
