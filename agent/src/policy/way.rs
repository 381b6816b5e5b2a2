//! The way to a Jira as the configuration gives it: a proxy, a certificate of the agent's own, patience. A Jira's own settings win over
//! those for all.

use crate::config::{Config, LocalJira, OptionalPath};
use crate::error::Error;
use crate::private_file::read_secret_text;
use jira::{Addresses, Proxy, Way};
use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// What is written in place of an address where there should be no proxy.
const NO_PROXY: &str = "none";

/// Settings of one kind, and the section that they stand in.
struct Given<'a> {
    section: &'static str,
    proxy: &'a str,
    username: &'a str,
    password_file: &'a OptionalPath,
}

/// The way to every Jira that has no settings of its own.
///
/// # Errors
/// When a proxy's address or a file cannot be used.
pub(super) fn to_all(config: &Config) -> Result<Way, Error> {
    let path = &config.jira_path;
    let given = Given {
        section: "jira_path",
        proxy: &path.proxy,
        username: &path.proxy_username,
        password_file: &path.proxy_password_file,
    };
    Ok(Way {
        proxy: proxy(&given)?,
        client_pem: client_pem(&path.client_certificate_file, "jira_path.client_certificate_file")?,
        addresses: addresses(&path.addresses, "jira_path.addresses")?,
        connect_timeout: None,
        read_timeout: None,
    })
}

/// The way to one Jira: `to_all` with what its entry says.
///
/// # Errors
/// As [`to_all`], and when a time is out of range.
pub(super) fn to_one(entry: &LocalJira, to_all: &Way) -> Result<Way, Error> {
    let given = Given {
        section: "jira[]",
        proxy: &entry.proxy,
        username: &entry.proxy_username,
        password_file: &entry.proxy_password_file,
    };
    let own_certificate = client_pem(&entry.client_certificate_file, "jira[].client_certificate_file")?;
    Ok(Way {
        proxy: if entry.proxy.is_empty() { to_all.proxy.clone() } else { proxy(&given)? },
        client_pem: own_certificate.or_else(|| to_all.client_pem.clone()),
        addresses: if entry.addresses.is_empty() {
            to_all.addresses.clone()
        } else {
            addresses(&entry.addresses, "jira[].addresses")?
        },
        connect_timeout: patience("jira[].connect_timeout_ms", entry.connect_timeout_ms, 100, 600_000)?
            .or(to_all.connect_timeout),
        read_timeout: patience("jira[].read_timeout_ms", entry.read_timeout_ms, 1000, 3_600_000)?
            .or(to_all.read_timeout),
    })
}

fn proxy(given: &Given<'_>) -> Result<Option<Proxy>, Error> {
    let key = |name: &str| format!("{}.{name}", given.section);
    if given.proxy.is_empty() || given.proxy == NO_PROXY {
        return Ok(None);
    }
    let mut url = Url::parse(given.proxy)
        .map_err(|error| unusable(key("proxy"), format!("it is no address ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let reason = "it must not hold a username or password; use proxy_username and proxy_password_file";
        return Err(unusable(key("proxy"), reason.to_owned()));
    }
    if url.scheme() == "socks5" {
        // The proxy resolves Jira's name, as it does the relay's.
        url = Url::parse(&given.proxy.replacen("socks5", "socks5h", 1))
            .map_err(|error| unusable(key("proxy"), error.to_string()))?;
    }
    if !matches!(url.scheme(), "http" | "https" | "socks5h") || url.host_str().is_none_or(str::is_empty) {
        let reason = "it must be like http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, or `none`";
        return Err(unusable(key("proxy"), reason.to_owned()));
    }
    let login = match (given.username, given.password_file.get()) {
        ("", _) => None,
        (username, None) => Some((username.to_owned(), SecretString::from(""))),
        (username, Some(file)) => {
            let text =
                read_secret_text(file).map_err(|reason| unusable(key("proxy_password_file"), reason))?;
            Some((username.to_owned(), SecretString::from(text.lines().next().unwrap_or_default())))
        }
    };
    Ok(Some(Proxy { url, login }))
}

fn client_pem(file: &OptionalPath, key: &str) -> Result<Option<SecretString>, Error> {
    let Some(path) = file.get() else { return Ok(None) };
    let unfit = |reason: String| unusable(key.to_owned(), reason);
    let pem = read_secret_text(path).map_err(unfit)?;
    let has = |what: &str| pem.contains(&format!("{what}-----"));
    if !has("BEGIN CERTIFICATE") || !has("PRIVATE KEY") {
        let reason = "it must hold the PEM blocks of a certificate and of its private key";
        return Err(unfit(format!("{}: {reason}", path.display())));
    }
    Ok(Some(SecretString::from(pem.as_str())))
}

fn addresses(networks: &[String], key: &str) -> Result<Addresses, Error> {
    Addresses::parse(networks).map_err(|error| unusable(key.to_owned(), error.to_string()))
}

fn patience(key: &str, given: Option<u64>, least: u64, most: u64) -> Result<Option<Duration>, Error> {
    match given {
        Some(ms) if !(least..=most).contains(&ms) => {
            Err(unusable(key.to_owned(), format!("{ms} is out of range; it must be from {least} to {most}")))
        }
        given => Ok(given.map(Duration::from_millis)),
    }
}

fn unusable(key: String, reason: String) -> Error {
    Error::BadValue { key, place: "the configuration".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::paths::ConfigFile;
    use crate::private_file::{self, Durability};
    use secrecy::ExposeSecret;
    use std::path::Path;

    /// The configuration that a file says.
    fn configured(folder: &Path, text: &str) -> Config {
        let file = folder.join("agent.toml");
        std::fs::write(&file, text).unwrap();
        config::load(&ConfigFile::Named(file)).unwrap()
    }

    #[test]
    fn a_jiras_own_settings_win_over_those_for_all() {
        let place = tempfile::tempdir().unwrap();
        private_file::write(&place.path().join("pw"), b"p:w/1\n", Durability::Volatile).unwrap();
        let config = configured(
            place.path(),
            r#"
            [jira_path]
            proxy = "http://all:3128"
            [[jira]]
            url = "https://a"
            [[jira]]
            url = "https://b"
            proxy = "none"
            read_timeout_ms = 5000
            [[jira]]
            url = "https://c"
            proxy = "socks5://own:1080"
            proxy_username = "agent"
            proxy_password_file = "pw"
            "#,
        );
        let all = to_all(&config).unwrap();
        let ways: Vec<Way> = config.jira.iter().map(|entry| to_one(entry, &all).unwrap()).collect();
        assert_eq!(ways[0].proxy.as_ref().unwrap().url.as_str(), "http://all:3128/");
        assert!(ways[1].proxy.is_none());
        assert_eq!(ways[1].read_timeout, Some(Duration::from_secs(5)));
        let own = ways[2].proxy.as_ref().unwrap();
        assert_eq!((own.url.scheme(), own.url.host_str()), ("socks5h", Some("own")));
        let (username, password) = own.login.as_ref().unwrap();
        assert_eq!((username.as_str(), password.expose_secret()), ("agent", "p:w/1"));
        assert!(!format!("{ways:?}").contains("p:w/1"), "the password shows in debug output");
    }

    #[test]
    fn nothing_is_on_the_way_by_default() {
        let place = tempfile::tempdir().unwrap();
        let way = to_all(&configured(place.path(), "")).unwrap();
        assert!(way.proxy.is_none() && way.client_pem.is_none());
    }

    #[test]
    fn what_cannot_be_used_is_named_by_its_key_without_a_password() {
        let place = tempfile::tempdir().unwrap();
        private_file::write(&place.path().join("pem"), b"hunter2", Durability::Volatile).unwrap();
        for (text, key) in [
            ("proxy = \"http://u:hunter2@p\"", "jira_path.proxy"),
            ("proxy = \"ftp://p\"", "jira_path.proxy"),
            ("client_certificate_file = \"pem\"", "jira_path.client_certificate_file"),
            ("addresses = [\"10.0.0.0/33\"]", "jira_path.addresses"),
            (
                "proxy = \"http://p\"\nproxy_username = \"u\"\nproxy_password_file = \"absent\"",
                "jira_path.proxy_password_file",
            ),
        ] {
            let config = configured(place.path(), &format!("[jira_path]\n{text}\n"));
            let message = to_all(&config).unwrap_err().to_string();
            assert!(message.contains(key) && !message.contains("hunter2"), "{message}");
        }
    }
}
