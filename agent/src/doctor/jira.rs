//! One permitted Jira: its name, port, certificate and REST interface by one request that needs no login, and then one login, if
//! there is a password to try.

use super::catalogue::{Check, Code};
use super::peek::{self, Met};
use super::report::Finding;
use crate::breaker::{Account, Breaker, SecretMark};
use crate::link::dial::{self, Endpoint, Lookup, Names, Role};
use crate::policy::PermittedSite;
use jira::{About, Credential, Error, JiraClient, Limits, Login, Site, UnreachableCause};
use url::Url;

/// Paths under which Jira is usually found, tried when nothing is at the permitted one.
const USUAL_PATHS: [&str; 2] = ["", "/jira"];

/// Who may have signed Jira's certificate.
const EXPECTED: &str = "an authority of this system or of --jira-ca";

/// A Jira to look at.
pub(super) struct Target<'a> {
    pub(super) site: &'a PermittedSite,
    pub(super) limits: Limits,
    /// What to log in with, or why there is nothing.
    pub(super) login: LoginWith,
    /// Counts refused logins, where the agent has a state folder to count in.
    pub(super) breaker: Option<Breaker>,
}

/// What to log in with.
pub(super) enum LoginWith {
    /// An account.
    Account {
        credential: Credential,
        /// Empty for a personal access token.
        username: String,
        mark: SecretMark,
    },
    /// The password of an account cannot be read.
    Unusable(String),
    /// There is no password here.
    Nothing,
}

/// Looks at it.
pub(super) async fn examine(target: Target<'_>) -> Vec<Finding> {
    let subject = target.site.address.to_string();
    let site = match target.site.engine_site() {
        Ok(site) => patient_as(site, &target.limits),
        Err(refusal) => return vec![Finding::of(Code::JiraNotJira, subject, refusal.to_string())],
    };
    let about = jira::about(site.clone(), target.limits.clone()).await;
    let mut findings = match about {
        Ok(about) => all_is_well(&site, &subject, &about),
        Err(error) => {
            let failed = blame(&error, &site, &target.limits, &subject).await;
            let check = failed.check;
            let mut findings = before(check, &site, &subject);
            findings.push(failed);
            let why = format!("{} failed", check.id());
            findings.extend(after(check).map(|check| Finding::skipped(check, &subject, &why)));
            return findings;
        }
    };
    findings.push(login(site, target, &subject).await);
    findings
}

/// The patience of a run is too long for somebody who waits.
fn patient_as(mut site: Site, limits: &Limits) -> Site {
    site.way.read_timeout = site.way.read_timeout.map(|timeout| timeout.min(limits.read_timeout));
    site
}

fn all_is_well(site: &Site, subject: &str, about: &About) -> Vec<Finding> {
    let mut findings = before(Check::JiraApi, site, subject);
    let found = format!("Jira {} answers", about.version);
    findings.push(Finding::pass(Check::JiraApi, subject, found));
    findings
}

/// What must have worked for a check to be reached.
fn before(check: Check, site: &Site, subject: &str) -> Vec<Finding> {
    let behind_a_proxy = site.way.proxy.is_some();
    let in_clear = subject.starts_with("http://");
    let reached = [
        (Check::JiraName, "it was resolved"),
        (Check::JiraConnect, "it accepts connections"),
        (Check::JiraTls, "the certificate is trusted"),
    ];
    let reached = reached.into_iter().filter(|(earlier, _)| *earlier < check);
    reached
        .map(|(check, found)| match check {
            Check::JiraTls if in_clear => {
                let found = "without https the password travels in clear between here and Jira";
                Finding::of(Code::JiraInClear, subject, found)
            }
            Check::JiraName if behind_a_proxy => Finding::skipped(check, subject, "the proxy looks it up"),
            _ => Finding::pass(check, subject, found),
        })
        .collect()
}

fn after(check: Check) -> impl Iterator<Item = Check> {
    [Check::JiraName, Check::JiraConnect, Check::JiraTls, Check::JiraApi, Check::JiraLogin]
        .into_iter()
        .filter(move |later| *later > check)
}

/// A failure without a login.
async fn blame(error: &Error, site: &Site, limits: &Limits, subject: &str) -> Finding {
    let code = code_on_the_way(error, site);
    let plain = Finding::of(code, subject, said(error));
    match (code, error) {
        (Code::JiraProxy, _) => match &site.way.proxy {
            Some(proxy) => Finding::of(code, subject, format!("{} The proxy is {}.", said(error), proxy.url)),
            None => plain,
        },
        (Code::JiraUntrusted, _) => match certificate_of(site, limits).await {
            Some(met) => {
                let found =
                    format!("{} It is issued by {} for {}.", said(error), met.issuer, met.names_shown());
                Finding::of(code, subject, found).with_issuers(met.issuer, EXPECTED)
            }
            None => plain,
        },
        (Code::JiraContextPath, error) => {
            let pointed = match error {
                Error::WrongContextPath { suggested, .. } => suggested.as_deref(),
                _ => None,
            };
            match found_at(pointed, site, limits).await {
                Some((address, About { version, .. })) => {
                    let found = format!(
                        "no Jira is there, but Jira {version} answers at {address}: permit that address"
                    );
                    Finding::of(code, subject, found)
                }
                None => plain,
            }
        }
        _ => plain,
    }
}

/// The certificate that was refused.
async fn certificate_of(site: &Site, limits: &Limits) -> Option<Met> {
    if site.way.proxy.is_some() {
        return None;
    }
    let (host, port) = (site.base_url.host_str()?, site.base_url.port_or_known_default()?);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let at = Endpoint { role: Role::Relay, host, port };
    let addresses = Names::default().resolve(&at, Lookup::Ask, limits.connect_timeout).await.ok()?;
    let tcp = dial::connect(&at, &addresses, limits.connect_timeout).await.ok()?;
    Some(peek::look(Box::new(tcp), &at.host, limits.connect_timeout).await?.met)
}

/// Where there is a proxy, it is the proxy's name and port that were tried, and the proxy that wants a login of its own.
fn code_on_the_way(error: &Error, site: &Site) -> Code {
    let is_of_the_proxy = match error {
        Error::Unreachable { cause, .. } => {
            matches!(cause, UnreachableCause::Dns | UnreachableCause::Refused)
        }
        Error::Unexpected { status, .. } => *status == 407,
        _ => false,
    };
    if is_of_the_proxy && site.way.proxy.is_some() { Code::JiraProxy } else { code_of(error) }
}

fn code_of(error: &Error) -> Code {
    match error {
        Error::Unreachable { cause: UnreachableCause::Dns, .. } => Code::JiraNameUnknown,
        Error::Unreachable { cause: UnreachableCause::Refused, .. } => Code::JiraRefused,
        Error::Unreachable { cause: UnreachableCause::Timeout, .. } => Code::JiraTimeout,
        Error::Unreachable { cause: UnreachableCause::Broken, .. } => Code::JiraUnreachable,
        Error::AddressNotPermitted { .. } => Code::JiraAddress,
        Error::TlsUntrusted { .. } => Code::JiraUntrusted,
        Error::ClientCertificate { .. } => Code::JiraClientCertificate,
        Error::Proxy { .. } => Code::JiraProxy,
        Error::WrongContextPath { .. } | Error::NotFound { .. } => Code::JiraContextPath,
        Error::LoginSso { .. } => Code::JiraLoginPage,
        Error::Throttled { .. } | Error::ServerFailed { .. } | Error::BodyTruncated { .. } => {
            Code::JiraFailing
        }
        Error::Forbidden { .. } | Error::Unexpected { status: 401 | 407, .. } => Code::JiraForbids,
        _ => Code::JiraNotJira,
    }
}

/// A Jira on the same host: where the answer pointed to, or where one usually is.
async fn found_at(pointed: Option<&str>, site: &Site, limits: &Limits) -> Option<(String, About)> {
    let origin = site.base_url.origin().ascii_serialization();
    let usual = USUAL_PATHS.map(|path| format!("{origin}{path}"));
    let asked = site.base_url.as_str().trim_end_matches('/');
    for address in pointed.map(str::to_owned).into_iter().chain(usual) {
        let Ok(base_url) = Url::parse(&address) else { continue };
        if address == asked || base_url.host_str() != site.base_url.host_str() {
            continue;
        }
        let elsewhere = Site { base_url, ..site.clone() };
        if let Ok(about) = jira::about(elsewhere, limits.clone()).await {
            return Some((address, about));
        }
    }
    None
}

/// One attempt, never a second.
async fn login(site: Site, target: Target<'_>, subject: &str) -> Finding {
    let Target { site: permitted, limits, login, breaker } = target;
    let (credential, username, mark) = match login {
        LoginWith::Account { credential, username, mark } => (credential, username, mark),
        LoginWith::Unusable(why) => return Finding::of(Code::JiraPasswordUnusable, subject, why),
        LoginWith::Nothing => {
            let why =
                "there is no password on the premises to try; give one with --username NAME --password-stdin";
            return Finding::skipped(Check::JiraLogin, subject, why);
        }
    };
    let account = Account { site: permitted.address.clone(), username: username.clone() };
    let mut attempt = match breaker.map(|breaker| breaker.enter(account, mark)).transpose() {
        Ok(attempt) => attempt,
        Err(blocked) => return Finding::of(Code::JiraLoginBlocked, subject, blocked.to_string()),
    };
    let tried = try_login(site, credential, limits).await;
    if let Some(attempt) = &mut attempt {
        attempt.ended(tried.as_ref().err().map(Error::code));
    }
    match tried {
        Ok(login) => {
            let found = format!("{} ({}) is logged in", login.account, login.display_name);
            Finding::pass(Check::JiraLogin, subject, crate::policy::shortened_line(&found))
        }
        Err(error) => {
            let who = if username.is_empty() { "the owner of the token" } else { username.as_str() };
            Finding::of(login_code(&error), subject, format!("as {who}: {}", said(&error)))
        }
    }
}

async fn try_login(site: Site, credential: Credential, limits: Limits) -> Result<Login, Error> {
    JiraClient::try_new(site, credential, limits)?.login().await
}

fn login_code(error: &Error) -> Code {
    match error {
        Error::LoginRefused { .. } => Code::JiraLoginRefused,
        Error::LoginCaptcha { .. } => Code::JiraLoginCaptcha,
        Error::LoginAnonymous { .. } | Error::LoginChanged { .. } => Code::JiraLoginAnonymous,
        Error::LoginSso { .. } => Code::JiraLoginSso,
        _ => Code::JiraLoginFailed,
    }
}

/// The engine's words; Jira's own may be among them.
fn said(error: &Error) -> String {
    crate::policy::shortened_line(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(url: &str) -> Site {
        Site { base_url: Url::parse(url).unwrap(), extra_root_pem: None, way: jira::Way::default() }
    }

    #[test]
    fn a_failure_credits_what_came_before_and_skips_what_comes_after() {
        let site = site("https://jira");
        let before: Vec<_> =
            before(Check::JiraTls, &site, "https://jira").into_iter().map(|held| held.check).collect();
        assert_eq!(before, [Check::JiraName, Check::JiraConnect]);
        assert_eq!(after(Check::JiraTls).collect::<Vec<_>>(), [Check::JiraApi, Check::JiraLogin]);
    }

    #[test]
    fn http_is_never_reported_as_a_trusted_certificate() {
        let tls = before(Check::JiraApi, &site("http://jira"), "http://jira").pop().unwrap();
        assert_eq!((tls.check, tls.code), (Check::JiraTls, "jira_in_clear"));
    }
}
