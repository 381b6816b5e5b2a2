//! What an answer means: status, headers, type and body become the text of a page, a reason to try again, or the end.
//!
//! Pure: the client gives it what came. A 200 proves nothing on Jira (anonymous answers, single sign-on pages), so every answer to
//! an authenticated read is checked for whom it was made.

use crate::client::allow::Read;
use crate::client::allow::cloud::CloudRead;
use crate::error::Error;
use httpdate::parse_http_date;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use url::Url;

/// Longest wait that a `Retry-After` can impose; a run that waits longer is better tried later.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// How much of an unexpected answer is quoted.
const QUOTE_CHARS: usize = 200;
/// What a Jira answers to any password once its administrator, or the default of Jira 11, switched them off.
const PASSWORDS_OFF: &str = "basic authentication has been disabled";

/// What to do with an answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A page of JSON.
    Page(String),
    /// Try again, after `wait` if Jira named one; `error` if there are no tries left.
    Again { error: Error, wait: Option<Duration> },
    /// The end.
    Fail(Error),
}

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What the answer is measured against.
pub(crate) struct Expectation<'a> {
    pub(crate) read: &'a Read,
    pub(crate) site: &'a Url,
    pub(crate) attempt: u32,
    /// Account that logged in, as Jira spelled it then.
    pub(crate) account: Option<&'a str>,
    /// What a refused login may mean on this version.
    pub(crate) login_hint: &'a str,
}

impl Expectation<'_> {
    fn site_text(&self) -> String {
        site_text(self.site)
    }
}

/// A base address for people: no trailing slash, no user info.
pub(crate) fn site_text(site: &Url) -> String {
    let path = site.path().trim_end_matches('/');
    format!("{}{path}", site.origin().ascii_serialization())
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn is_json(&self) -> bool {
        let media = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("application/json") || media.to_ascii_lowercase().ends_with("+json")
    }

    fn is_html(&self) -> bool {
        let media = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        media.to_ascii_lowercase().contains("html") || self.text().trim_start().starts_with('<')
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Jira's own messages if there are any, else the start of the text without markup.
    fn detail(&self) -> String {
        if let Ok(messages) = serde_json::from_slice::<Messages>(&self.body)
            && let Some(text) = messages.joined()
        {
            return quote(&text);
        }
        let text = strip_markup(&self.text());
        if text.is_empty() { "no text".to_owned() } else { quote(&text) }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Messages {
    error_messages: Vec<String>,
    errors: serde_json::Map<String, serde_json::Value>,
    message: Option<String>,
}

impl Messages {
    fn joined(self) -> Option<String> {
        let named = self
            .errors
            .into_iter()
            .filter_map(|(name, value)| value.as_str().map(|text| format!("{name}: {text}")));
        let all: Vec<String> = self.error_messages.into_iter().chain(named).chain(self.message).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

/// The whole judgement of one answer.
pub(crate) fn judge(answer: Answer, expect: &Expectation<'_>) -> Verdict {
    if let Some(error) = login_trouble(&answer, expect) {
        return Verdict::Fail(error);
    }
    let what = expect.read.what();
    match answer.status.as_u16() {
        200 => page(answer, expect),
        300..=399 => Verdict::Fail(redirected(&answer, expect)),
        400 => Verdict::Fail(bad_request(&answer, expect)),
        403 => Verdict::Fail(Error::Forbidden { what, detail: answer.detail() }),
        404 | 410 => Verdict::Fail(not_found(&answer, expect)),
        429 => Verdict::Again {
            error: Error::Throttled { what, attempts: expect.attempt },
            wait: retry_after(&answer.headers),
        },
        500 if answer.text().contains("Search limit exceeded") => {
            Verdict::Fail(Error::SearchWindow { what, detail: answer.detail() })
        }
        status @ (500 | 502 | 503 | 504) => {
            let error =
                Error::ServerFailed { what, status, attempts: expect.attempt, detail: answer.detail() };
            Verdict::Again { error, wait: retry_after(&answer.headers) }
        }
        status => Verdict::Fail(Error::Unexpected { what, status, detail: answer.detail() }),
    }
}

/// Every sign that the login was refused, whatever the status says.
fn login_trouble(answer: &Answer, expect: &Expectation<'_>) -> Option<Error> {
    let site = expect.site_text();
    if let Some(reason) = answer.header("x-authentication-denied-reason") {
        let login_url = reason
            .split_once("login-url=")
            .map_or_else(|| format!("{site}/login.jsp"), |(_, url)| url.trim().to_owned());
        return Some(Error::LoginCaptcha { site, login_url });
    }
    if !expect.read.is_authenticated() {
        return None;
    }
    let refused = |reason: String| {
        Some(Error::LoginRefused { site: site.clone(), reason, hint: expect.login_hint.to_owned() })
    };
    match answer.header("x-seraph-loginreason") {
        Some("AUTHENTICATION_DENIED") => {
            return Some(Error::LoginCaptcha { login_url: format!("{site}/login.jsp"), site });
        }
        Some(reason)
            if reason.contains("AUTHENTICATED_FAILED") || reason.contains("AUTHORISATION_FAILED") =>
        {
            return refused(reason.chars().take(64).collect());
        }
        Some(_) | None => {}
    }
    if answer.status == StatusCode::UNAUTHORIZED {
        return refused(format!("status 401, {}", answer.detail()));
    }
    if answer.status == StatusCode::FORBIDDEN && answer.text().to_lowercase().contains(PASSWORDS_OFF) {
        return Some(Error::PasswordsOff { site, detail: answer.detail() });
    }
    let account = answer.header("x-ausername")?;
    if account.eq_ignore_ascii_case("anonymous") {
        return Some(Error::LoginAnonymous { site, detail: "X-AUSERNAME is anonymous".to_owned() });
    }
    let want = expect.account.filter(|want| !want.eq_ignore_ascii_case(account))?;
    Some(Error::LoginChanged { site, want: want.to_owned(), got: quote(account) })
}

fn page(answer: Answer, expect: &Expectation<'_>) -> Verdict {
    let what = expect.read.what();
    if !answer.is_json() {
        return Verdict::Fail(not_json(&answer, expect));
    }
    let text = match String::from_utf8(answer.body) {
        Ok(text) => text,
        Err(error) => {
            return Verdict::Fail(Error::BodyNotJson { what, detail: format!("it is not UTF-8: {error}") });
        }
    };
    let (first, last) = (text.trim_start().bytes().next(), text.trim_end().bytes().next_back());
    match (first, last) {
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => Verdict::Page(text),
        (Some(b'{' | b'['), _) | (None, _) => {
            let detail = format!("the JSON ends after {} bytes", text.len());
            Verdict::Again {
                error: Error::BodyTruncated { what, attempts: expect.attempt, detail },
                wait: None,
            }
        }
        _ => Verdict::Fail(Error::BodyNotJson { what, detail: quote(&text) }),
    }
}

fn not_json(answer: &Answer, expect: &Expectation<'_>) -> Error {
    let site = expect.site_text();
    let detail = answer.detail();
    if answer.is_html() && looks_like_login(&answer.text()) {
        return Error::LoginSso { site, detail: format!("an HTML page came: {detail}") };
    }
    if matches!(expect.read, Read::ServerInfo | Read::Myself) {
        let kind = if answer.is_html() { "an HTML page" } else { "something else than JSON" };
        return Error::NotJira { site, detail: format!("{kind} came: {detail}") };
    }
    Error::BodyNotJson { what: expect.read.what(), detail }
}

fn looks_like_login(html: &str) -> bool {
    let html = html.to_lowercase();
    [
        "samlrequest",
        "type=\"password\"",
        "type='password'",
        "sign in",
        "sign on",
        "single sign",
        "log in",
        "login",
    ]
    .iter()
    .any(|mark| html.contains(mark))
}

/// A redirect is never followed; where it points tells what is wrong.
fn redirected(answer: &Answer, expect: &Expectation<'_>) -> Error {
    let site = expect.site_text();
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(target) = expect.site.join(location) else {
        return Error::NotJira { site, detail: "a redirect without a usable target came".to_owned() };
    };
    let elsewhere = target.host_str() != expect.site.host_str();
    let status = answer.status.as_u16();
    if elsewhere || looks_like_login(target.path()) || target.path().contains("saml") {
        let host = target.host_str().unwrap_or_default();
        return Error::LoginSso { site, detail: format!("status {status} sends to {host}{}", target.path()) };
    }
    let detail =
        format!("status {status} sends to {}{}", target.origin().ascii_serialization(), target.path());
    let suggested = suggested_base(&target, &expect.read.path()).filter(|suggested| *suggested != site);
    Error::WrongContextPath { site, detail, suggested }
}

/// The base address that a redirect on the same host points to.
fn suggested_base(target: &Url, asked: &str) -> Option<String> {
    let path = target.path();
    let context = match path.find("/rest/api/").or_else(|| path.find(asked)) {
        Some(at) => path.get(..at)?,
        None => path
            .trim_end_matches('/')
            .split_inclusive('/')
            .take(2)
            .last()
            .map_or("", |segment| segment.trim_end_matches('/')),
    };
    let context = context.trim_matches('/');
    let origin = target.origin().ascii_serialization();
    Some(if context.is_empty() { origin } else { format!("{origin}/{context}") })
}

fn bad_request(answer: &Answer, expect: &Expectation<'_>) -> Error {
    let detail = answer.detail();
    if detail.contains("anonymous users") || detail.contains("Not able to sort using field") {
        return Error::LoginAnonymous { site: expect.site_text(), detail };
    }
    if matches!(expect.read, Read::Search(_) | Read::Cloud(CloudRead::Search(_) | CloudRead::Count { .. })) {
        return Error::JqlRefused { detail };
    }
    Error::Unexpected { what: expect.read.what(), status: 400, detail }
}

fn not_found(answer: &Answer, expect: &Expectation<'_>) -> Error {
    let (site, detail) =
        (expect.site_text(), format!("status {}, {}", answer.status.as_u16(), answer.detail()));
    match expect.read {
        Read::ServerInfo | Read::Myself | Read::Field => {
            Error::WrongContextPath { site, detail, suggested: None }
        }
        Read::Project
        | Read::List(_)
        | Read::Search(_)
        | Read::IssueComments { .. }
        | Read::IssueWorklogs { .. }
        | Read::OfIssue(_)
        | Read::Cloud(_) => Error::NotFound { what: expect.read.what(), detail },
    }
}

/// The pause that an answer asks for: seconds, or a time of day, that one by the clock of whoever answers, if its `Date` tells it, so that
/// clocks which differ do no harm.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let text = header(RETRY_AFTER)?;
    let wait = match text.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => {
            let told = header(DATE).and_then(|date| parse_http_date(date).ok());
            let until = parse_http_date(text).ok()?;
            // A time that is past means at once.
            until.duration_since(told.unwrap_or_else(SystemTime::now)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(QUOTE_CHARS).collect();
    if cut.len() < line.len() { format!("{cut}...") } else { cut }
}

fn strip_markup(text: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in text.chars().take(QUOTE_CHARS * 20) {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                plain.push(' ');
            }
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
