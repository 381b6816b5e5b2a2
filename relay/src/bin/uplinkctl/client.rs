//! The only way to the relay: HTTPS with the administrator's key, to no other host and through no proxy that was not asked for.

use crate::config::Settings;
use crate::error::Error;
use reqwest::{Certificate, Method, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// A relay that takes longer to answer a connect is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence in an answer; a connection test waits for a Jira on the far side.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest silence of a followed run before the stream is opened again; a relay says something every few seconds.
const FOLLOW_SILENCE: Duration = Duration::from_secs(30);
/// Most bytes of one answer: a preview of wide rows fits, a runaway peer does not.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Most bytes of one line of a stream.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Most bytes of the error text of something that is no relay.
const FOREIGN_TEXT_MAX: usize = 200;

/// A client of one relay.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    settings: Settings,
    key_file: PathBuf,
    key: SecretString,
}

impl Client {
    /// Reads key and authority; speaks to nobody yet.
    pub(crate) fn try_new(settings: Settings) -> Result<Self, Error> {
        let key_file =
            settings.key_file.clone().ok_or_else(|| Error::NoKey { relay: display(&settings.relay) })?;
        let key = read_text("the key file", &key_file)?;
        let key = SecretString::from(key.trim().to_owned());
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("uplinkctl/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = &settings.ca {
            builder = builder.tls_certs_only(authorities(ca)?);
        }
        let http = builder
            .build()
            .map_err(|e| Error::Answer { relay: display(&settings.relay), reason: deepest(&e) })?;
        Ok(Self { http, settings, key_file, key })
    }

    /// The relay's address without a trailing slash.
    pub(crate) fn relay(&self) -> String {
        display(&self.settings.relay)
    }

    /// The file with the relay's authority, if one was named.
    pub(crate) fn ca(&self) -> Option<&Path> {
        self.settings.ca.as_deref()
    }

    /// Reads a document.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.answer(Method::GET, url, None).await
    }

    /// Sends a document and reads the answer.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.answer(Method::POST, self.url(path), Some(body)).await
    }

    /// Replaces a document.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.answer(Method::PUT, self.url(path), Some(body)).await
    }

    /// Deletes a thing.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        self.answer(Method::DELETE, self.url(path), None).await
    }

    /// Opens a stream of documents, one a line.
    pub(crate) async fn lines(&self, path: &[&str]) -> Result<Lines, Error> {
        self.lines_of(path, &[]).await
    }

    /// As [`Client::lines`], with a query.
    pub(crate) async fn lines_of(&self, path: &[&str], query: &[(&str, String)]) -> Result<Lines, Error> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let response = self.send(Method::GET, url, None).await?;
        Ok(Lines { response, pending: Vec::new(), relay: self.relay() })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.settings.relay.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    async fn answer(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, Error> {
        let mut response = self.send(method, url, body).await?;
        let bytes = self.body(&mut response).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|e| self.no_relay(&format!("its answer is no JSON ({e})")))
    }

    async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Response, Error> {
        let mut request = self.http.request(method, url).bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|e| self.no_answer(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = self.body(&mut response).await.unwrap_or_default();
        Err(self.refusal(status, &bytes))
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.no_answer(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.no_relay("its answer is larger than 64 MiB"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> Error {
        let problem = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
        let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if status == StatusCode::UNAUTHORIZED && text("code").is_empty() | text("code").contains("key") {
            return Error::KeyRefused { relay: self.relay(), key_file: self.key_file.clone() };
        }
        let detail = if text("detail").is_empty() { text("title") } else { text("detail") };
        if detail.is_empty() {
            let start = crate::output::shorten(&String::from_utf8_lossy(body), FOREIGN_TEXT_MAX);
            return self.no_relay(&format!("HTTP {status} {start}"));
        }
        Error::Problem { status: status.as_u16(), code: text("code"), detail, hint: Some(text("hint")) }
    }

    fn no_relay(&self, reason: &str) -> Error {
        Error::Answer { relay: self.relay(), reason: reason.to_owned() }
    }

    fn no_answer(&self, error: &reqwest::Error) -> Error {
        classify(error, &self.relay(), self.settings.ca.is_some())
    }
}

/// A stream of JSON documents, one a line.
#[derive(Debug)]
pub(crate) struct Lines {
    response: Response,
    pending: Vec<u8>,
    relay: String,
}

impl Lines {
    /// The next document; `None` when the relay has closed the stream. Cancel-safe: what was read is kept.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|e| self.bad(&format!("a line is no JSON ({e})")));
            }
            if self.pending.len() > LINE_BYTES_MAX {
                return Err(self.bad("a line is longer than 4 MiB"));
            }
            match tokio::time::timeout(FOLLOW_SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.pending.extend_from_slice(&chunk),
                Ok(Ok(None)) | Err(_) => return Ok(None),
                Ok(Err(error)) => return Err(classify(&error, &self.relay, true)),
            }
        }
    }

    fn bad(&self, reason: &str) -> Error {
        Error::Answer { relay: self.relay.clone(), reason: reason.to_owned() }
    }
}

fn display(relay: &Url) -> String {
    relay.as_str().trim_end_matches('/').to_owned()
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Error> {
    let pem = read_text("the authority file", path)?;
    let bad = |reason: String| Error::File { what: "the authority file", path: path.to_owned(), reason };
    let found = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|e| bad(deepest(&e)))?;
    if found.is_empty() { Err(bad("it holds no PEM certificate".to_owned())) } else { Ok(found) }
}

fn read_text(what: &'static str, path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| Error::File {
        what,
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

fn classify(error: &reqwest::Error, relay: &str, ca_given: bool) -> Error {
    let relay = relay.to_owned();
    let Some(rustls::Error::InvalidCertificate(fault)) = tls_fault(error) else {
        let reason = if error.is_timeout() { "it did not answer in time".to_owned() } else { deepest(error) };
        return Error::Unreachable { relay, reason };
    };
    use rustls::CertificateError as Fault;
    match fault {
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            Error::OtherName { relay, reason: fault.to_string() }
        }
        Fault::UnknownIssuer => Error::Untrusted {
            relay,
            reason: "no authority that is trusted here has signed it".to_owned(),
            ca_given,
        },
        fault => Error::Untrusted { relay, reason: fault.to_string(), ca_given },
    }
}

/// What rustls says, if it is at the bottom of this: an `io::Error` hides its inside from `source`.
fn tls_fault(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = next {
        if let Some(found) = at.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => at.source(),
        };
    }
    None
}

/// The innermost cause: the outer ones only say that a request failed.
fn deepest(error: &reqwest::Error) -> String {
    let mut at: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = at.source() {
        at = next;
    }
    match at.downcast_ref::<std::io::Error>() {
        Some(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it closed the connection without a word".to_owned()
        }
        _ => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(folder: &Path, relay: &str) -> Client {
        // Several tests of one process may come here; only the first sets the provider.
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let key_file = folder.join("admin.key");
        std::fs::write(&key_file, "secret-of-the-admin\n").unwrap();
        Client::try_new(Settings { relay: Url::parse(relay).unwrap(), key_file: Some(key_file), ca: None })
            .unwrap()
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let client = client(folder.path(), "https://r:1/base/");
        assert_eq!(client.url(&["pools", "a/b?c"]).as_str(), "https://r:1/base/v1/pools/a%2Fb%3Fc");
        assert_eq!(client.relay(), "https://r:1/base");
    }

    #[test]
    fn the_key_shows_in_no_debug_text() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!format!("{:?}", client(folder.path(), "https://r")).contains("secret-of-the-admin"));
    }

    #[test]
    fn a_problem_document_becomes_its_detail_and_hint() {
        let folder = tempfile::tempdir().unwrap();
        let client = client(folder.path(), "https://r");
        let body = br#"{"status":409,"code":"exists","title":"Conflict","detail":"pool `a` exists","hint":"choose another"}"#;
        let error = client.refusal(StatusCode::CONFLICT, body);
        assert_eq!(
            (error.to_string().as_str(), error.hint().as_deref()),
            ("pool `a` exists", Some("choose another"))
        );
        assert!(matches!(client.refusal(StatusCode::UNAUTHORIZED, b"{}"), Error::KeyRefused { .. }));
        assert!(matches!(client.refusal(StatusCode::BAD_GATEWAY, b"<html>"), Error::Answer { .. }));
    }

    #[tokio::test]
    async fn a_closed_port_is_said_to_be_unreachable() {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = client(folder.path(), &format!("https://127.0.0.1:{port}"))
            .get(&["pools"], &[])
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }) && error.is_passing(), "{error}");
    }
}
