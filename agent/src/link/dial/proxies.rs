//! Which proxy leads to the relay: the configuration's, or that of the environment, and where none is used.

use super::error::{Endpoint, Role};
use super::proxy::{Login, Proxy, Speaks};
use crate::config::{self, ProxyMode};
use crate::error::Error;
use crate::secrets::read_password;
use crate::trust::{Authority, read_certificates};
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use std::collections::HashMap;
use url::Url;

/// The proxy, if there is one, and the list of hosts that are reached without.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    proxy: Option<Proxy>,
    without: Vec<String>,
}

impl Proxies {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// When a setting or an environment variable names a proxy that cannot be used.
    pub(crate) fn load(given: &config::Proxy) -> Result<Self, Error> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_settings(given, &environment)
    }

    fn from_settings(given: &config::Proxy, environment: &HashMap<String, String>) -> Result<Self, Error> {
        let variable = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                environment.get(name).filter(|value| !value.is_empty()).map(|value| (name, value.as_str()))
            })
        };
        match given.mode {
            ProxyMode::None => Ok(Self::default()),
            ProxyMode::Explicit if given.url.is_empty() => {
                Err(unusable("proxy.url", "proxy.mode is explicit, so an address is needed here"))
            }
            ProxyMode::Explicit | ProxyMode::Auto if !given.url.is_empty() => {
                let proxy = configured(given)?;
                Ok(Self { proxy: Some(proxy), without: given.no_proxy.clone() })
            }
            ProxyMode::Explicit | ProxyMode::Auto => {
                let named =
                    variable(["HTTPS_PROXY", "https_proxy"]).or_else(|| variable(["ALL_PROXY", "all_proxy"]));
                let Some((name, text)) = named else { return Ok(Self::default()) };
                let proxy = of_environment(name, text, given)?;
                let listed = variable(["NO_PROXY", "no_proxy"]).map_or("", |(_, list)| list);
                let without = listed.split(',').map(str::to_owned).chain(given.no_proxy.iter().cloned());
                Ok(Self { proxy: Some(proxy), without: without.collect() })
            }
        }
    }

    /// The proxy on the way to a host, if there is one.
    pub(crate) fn towards(&self, target: &Endpoint) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !self.is_without(target))
    }

    fn is_without(&self, target: &Endpoint) -> bool {
        let list: Vec<&str> =
            self.without.iter().filter_map(|entry| for_port(entry.trim(), target.port)).collect();
        let matcher = Matcher::builder().all("http://proxy.invalid".to_owned()).no(list.join(",")).build();
        let uri = format!("https://{target}/").parse::<http::Uri>();
        uri.is_ok_and(|uri| matcher.intercept(&uri).is_none())
    }
}

/// An entry of the list without its port, if it is meant for `port`.
fn for_port(entry: &str, port: u16) -> Option<&str> {
    let (host, wanted) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, rest)) => (v6, rest.strip_prefix(':')),
        None if entry.matches(':').count() == 1 => {
            entry.split_once(':').map_or((entry, None), |(host, port)| (host, Some(port)))
        }
        None => (entry, None),
    };
    // `*.example.com`, as many write it, means the same as `.example.com`.
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    wanted.is_none_or(|wanted| wanted.parse() == Ok(port)).then_some(host)
}

fn configured(given: &config::Proxy) -> Result<Proxy, Error> {
    let url = parse("proxy.url", &given.url)?;
    if !url.username().is_empty() || url.password().is_some() {
        let reason = "it must not hold a username or password; use proxy.username and proxy.password_file";
        return Err(unusable("proxy.url", reason));
    }
    let login = match (given.username.as_str(), given.password_file.get()) {
        ("", None) => None,
        ("", Some(_)) => {
            return Err(unusable(
                "proxy.username",
                "there is a proxy.password_file, so a name is needed here",
            ));
        }
        (username, None) => Some(Login { username: username.to_owned(), password: SecretString::from("") }),
        (username, Some(file)) => {
            let password =
                read_password(file).map_err(|error| unusable("proxy.password_file", &error.to_string()))?;
            Some(Login { username: username.to_owned(), password })
        }
    };
    if login.as_ref().is_some_and(|login| login.username.contains(':')) {
        return Err(unusable("proxy.username", "a name with a colon cannot be sent to a proxy"));
    }
    build(&url, login, given, "proxy.url")
}

/// By convention the variables hold name and password in the address itself.
fn of_environment(name: &'static str, text: &str, given: &config::Proxy) -> Result<Proxy, Error> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = parse(name, &with_scheme)?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (!url.username().is_empty()).then(|| Login {
        username: decoded(url.username()),
        password: SecretString::from(decoded(url.password().unwrap_or_default())),
    });
    build(&url, login, given, name)
}

/// The address is never repeated: it may hold a password.
fn parse(key: &'static str, text: &str) -> Result<Url, Error> {
    let url =
        Url::parse(text.trim()).map_err(|error| unusable(key, &format!("it is no address ({error})")))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(unusable(key, "it names no host; write it like http://proxy.example.com:3128"));
    }
    Ok(url)
}

fn build(
    url: &Url,
    login: Option<Login>,
    given: &config::Proxy,
    named_by: &'static str,
) -> Result<Proxy, Error> {
    let (speaks, usual_port) = match url.scheme() {
        "http" => (Speaks::Http, 80),
        "https" => (Speaks::Https(authority(given)?.trust()?), 443),
        "socks5" | "socks5h" => (Speaks::Socks5, 1080),
        other => {
            let reason = format!(
                "`{}` is no kind of proxy; it must be http, https or socks5",
                crate::policy::shortened(other)
            );
            return Err(unusable(named_by, &reason));
        }
    };
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let at = Endpoint { role: Role::Proxy, host, port: url.port().unwrap_or(usual_port) };
    Ok(Proxy { at, speaks, login, named_by })
}

fn authority(given: &config::Proxy) -> Result<Authority, Error> {
    match given.ca_file.get() {
        Some(path) => Ok(Authority::Own { path: path.to_owned(), pem: read_certificates(path)? }),
        None => Ok(Authority::System),
    }
}

fn unusable(key: &str, reason: &str) -> Error {
    let place = if key.contains('.') { "the configuration" } else { "the environment" };
    Error::BadValue { key: key.to_owned(), place: place.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
