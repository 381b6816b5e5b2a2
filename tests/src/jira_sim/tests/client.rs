//! A bare HTTP client that shows everything: one connection a request, headers and body as they came.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use serde_json::Value;

use crate::jira_sim::RunningSim;

/// Sends requests with one `Authorization` header.
#[derive(Debug, Clone)]
pub(super) struct Client {
    address: SocketAddr,
    context: String,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// False when the connection ended before the body did.
    pub(super) complete: bool,
}

impl Client {
    /// A client with the first account's password.
    pub(super) fn new(sim: &RunningSim) -> Self {
        let (username, password) = sim.login();
        Self::anonymous(sim).basic(&username, &password)
    }

    pub(super) fn anonymous(sim: &RunningSim) -> Self {
        let context = sim.url().replace(&format!("http://{}", sim.address()), "");
        Self { address: sim.address(), context, headers: Vec::new() }
    }

    pub(super) fn basic(self, username: &str, password: &str) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        self.header("authorization", &format!("Basic {pair}"))
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// GET below `/rest/api/2`.
    pub(super) fn api(&self, path: &str) -> Answer {
        self.get(&format!("/rest/api/2/{path}"))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("{}{path}", self.context), None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", &format!("{}{path}", self.context), Some(&body.to_string()))
    }

    /// A search with every field and the history.
    pub(super) fn search(&self, jql: &str, more: &str) -> Answer {
        let jql: String = url::form_urlencoded::byte_serialize(jql.as_bytes()).collect();
        self.api(&format!("search?jql={jql}{more}"))
    }

    /// Keys of the issues that a query finds, in its order.
    pub(super) fn keys(&self, jql: &str) -> Vec<String> {
        let answer = self.search(jql, "&fields=summary&maxResults=1000");
        assert_eq!(answer.status, 200, "{jql}: {}", answer.text());
        let issues = answer.json()["issues"].as_array().unwrap().clone();
        issues.iter().map(|issue| issue["key"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn total(&self, jql: &str) -> u64 {
        let answer = self.search(jql, "&maxResults=0");
        answer.json()["total"].as_u64().unwrap_or_else(|| panic!("{jql}: {}", answer.text()))
    }

    pub(super) fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in &self.headers {
            request += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = body {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body.unwrap_or("");
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // A reset in the middle of the body leaves what came before it.
        let ended = stream.read_to_end(&mut bytes).is_ok();
        Answer::parse(&bytes, ended)
    }
}

impl Answer {
    fn parse(bytes: &[u8], ended: bool) -> Self {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Self { status: 0, headers: Vec::new(), body: Vec::new(), complete: false };
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let find =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let (body, complete) = if find("transfer-encoding") == Some("chunked") {
            unchunk(rest)
        } else {
            let length = find("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            (rest.to_vec(), rest.len() == length)
        };
        Self { status: status.unwrap_or(0), headers, body, complete: complete && ended }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The session cookie, ready for a `Cookie` header.
    pub(super) fn cookie(&self) -> Option<String> {
        let set = self
            .headers
            .iter()
            .find(|(name, value)| name == "set-cookie" && value.starts_with("JSESSIONID="));
        set.and_then(|(_, value)| value.split(';').next()).map(str::to_owned)
    }

    /// The only message of an error object.
    pub(super) fn error(&self) -> String {
        let messages = self.json()["errorMessages"].as_array().cloned().unwrap_or_default();
        messages.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ")
    }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else { return (body, false) };
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else { return (body, false) };
        rest = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        let Some(piece) = rest.get(..size) else {
            body.extend_from_slice(rest);
            return (body, false);
        };
        body.extend_from_slice(piece);
        rest = rest.get(size + 2..).unwrap_or(&[]);
    }
}
