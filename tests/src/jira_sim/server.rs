//! The HTTP/1.1 server: gate, delay, login, answer, fault, wire.

use std::convert::Infallible;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::Inner;
use super::auth::{Credentials, Login};
use super::cloud;
use super::config::Flavour;
use super::control;
use super::faults::FaultKind;
use super::limiter::Verdict;
use super::pages;
use super::reply::Reply;
use super::rest::{self, Request};

/// Largest request body that is read.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Serves connections until the runtime is shut down.
pub(crate) async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Small answers must not wait for the client's acknowledgement; a refusal costs only speed.
        drop(stream.set_nodelay(true));
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&inner), request));
            let served = hyper::server::conn::http1::Builder::new()
                .max_buf_size(1024 * 1024)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // A client that goes away, and the cuts that tests ask for, end a connection with an error.
            drop(served);
        });
    }
}

/// The error that makes hyper drop the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

async fn respond(inner: Arc<Inner>, request: http::Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let full = parts.uri.path().to_owned();
    let path_and_query = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let query =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
    let body = to_bytes(Body::new(body), MAX_BODY).await.unwrap_or_default();
    let mut request =
        Request { method: parts.method, path: full.clone(), query, headers: parts.headers, body, node: 0 };
    if full.starts_with("/__sim/") {
        return Ok(control::answer(&inner, &request).await);
    }
    let number = inner.begin();
    let _in_flight = InFlight(&inner);
    request.node = u32::try_from(number % u64::from(inner.config.nodes.max(1))).unwrap_or(0);
    let Some(path) = below_context(&inner.config.context_path, &full) else {
        inner
            .counters
            .update(|stats| *stats.requests.entry(format!("{} {full}", request.method)).or_default() += 1);
        let location = format!("{}{}/", inner.origin, inner.config.context_path);
        let moved = Reply::html(301, pages::moved(&location)).header("location", location);
        return Ok(finish(&inner, moved, false));
    };
    request.path = path;
    let template = match inner.config.flavour {
        Flavour::Cloud => cloud::template(&inner, &request.method, &request.path),
        Flavour::V8_20 | Flavour::V9_12 | Flavour::V10_3 | Flavour::V11_0 => {
            rest::template(&request.method, &request.path)
        }
    };
    inner.counters.update(|stats| *stats.requests.entry(template).or_default() += 1);
    if let Some(gate) = inner.gates.find(&path_and_query) {
        inner.counters.update(|stats| stats.held += 1);
        let _held = Held(&inner);
        gate.wait().await;
    }
    if !inner.latency().is_zero() {
        // The slowness that was asked for, not a wait for anything.
        tokio::time::sleep(inner.latency()).await;
    }
    if let Some(record) = inner.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_mut() {
        record.push(super::RecordedRequest {
            method: request.method.to_string(),
            path_and_query: path_and_query.clone(),
            body: request.body.clone(),
        });
    }
    inner.request_arrived(number);
    let fault = inner.faults.take(&path_and_query);
    if fault.is_some() {
        inner.counters.update(|stats| stats.faults += 1);
    }
    let gzip = inner.config.gzip
        && request.header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip"));
    match fault {
        Some(FaultKind::Disconnect) => Err(Cut),
        Some(fault) => Ok(faulty(&inner, &request, number, fault)),
        None => {
            let reply = answer(&inner, &request, number);
            Ok(finish(&inner, reply, gzip))
        }
    }
}

struct InFlight<'a>(&'a Inner);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.counters.update(|stats| stats.in_flight -= 1);
    }
}

struct Held<'a>(&'a Inner);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.counters.update(|stats| stats.held -= 1);
    }
}

/// The path without the context; `None` when the context is missing.
fn below_context(context: &str, path: &str) -> Option<String> {
    let rest = path.strip_prefix(context)?;
    (rest.starts_with('/') || context.is_empty()).then(|| rest.to_owned())
}

/// Login, limit and resource: what Jira answers.
fn answer(inner: &Inner, request: &Request, number: u64) -> Reply {
    if inner.config.flavour == Flavour::Cloud {
        return cloud::answer(inner, request, number, false);
    }
    let open = matches!(request.path.as_str(), "/status" | "/login.jsp");
    if open {
        return rest::route(inner, request, None).0;
    }
    let given =
        Credentials { authorization: request.header("authorization"), cookie: request.header("cookie") };
    if inner.config.flavour.refuses_passwords() && takes_password(request) {
        inner.counters.update(|stats| stats.login_attempts += 1);
        return decorate(inner, passwords_off(), None, number);
    }
    let logging_in = request.path == "/rest/auth/1/session" && request.method == http::Method::POST;
    let login = if logging_in {
        Login::Anonymous { new_session: None }
    } else {
        inner.auth.check(given, &inner.counters)
    };
    let (account, session) = match login {
        Login::User { account, new_session } => (Some(account), new_session),
        Login::Anonymous { new_session } => (None, new_session),
        Login::Failed => return decorate(inner, refused(inner), None, number),
        Login::Locked => return decorate(inner, locked(inner), None, number),
        Login::Expired => return decorate(inner, expired(inner), None, number),
    };
    let verdict = account.and_then(|account| inner.limiter.as_ref().map(|limiter| limiter.take(account)));
    if let Some(verdict) = verdict.filter(|verdict| !verdict.allowed) {
        inner.counters.update(|stats| stats.rate_limited += 1);
        let reply = limited(Reply::html(429, pages::too_many_requests()), verdict);
        return decorate(inner, reply, account, number);
    }
    let (mut reply, page) = rest::route(inner, request, account);
    if let Some(page) = page {
        inner.page_answered(page);
    }
    if let Some(verdict) = verdict {
        reply = limited(reply, verdict);
    }
    if let Some(id) = session {
        reply = reply.header("set-cookie", inner.session_cookie(&id)).header(
            "set-cookie",
            format!("atlassian.xsrf.token=AAAA-BBBB-CCCC-DDDD_{}_lin; Path=/", id.to_lowercase()),
        );
    }
    decorate(inner, reply, account, number)
}

fn realm(inner: &Inner) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(inner.base.as_bytes()).collect();
    format!("OAuth realm=\"{encoded}\"")
}

fn refused(inner: &Inner) -> Reply {
    Reply::html(401, pages::unauthorized("AUTHENTICATED_FAILED"))
        .header("www-authenticate", realm(inner))
        .header("x-seraph-loginreason", "AUTHENTICATED_FAILED")
}

/// Whether a request logs in with a password, right or wrong.
fn takes_password(request: &Request) -> bool {
    let scheme =
        request.header("authorization").and_then(|value| value.split(' ').next()).unwrap_or_default();
    let creates_session = request.path == "/rest/auth/1/session" && request.method == http::Method::POST;
    creates_session || scheme.eq_ignore_ascii_case("basic")
}

/// The answer of a Jira that has Basic authentication switched off.
fn passwords_off() -> Reply {
    let body = serde_json::json!({ "message": "Basic Authentication has been disabled on this instance." });
    Reply::json(403, &body)
}

fn locked(inner: &Inner) -> Reply {
    Reply::html(403, pages::captcha())
        .header("www-authenticate", realm(inner))
        .header("x-authentication-denied-reason", inner.captcha_reason())
        .header("x-seraph-loginreason", "AUTHENTICATION_DENIED")
}

fn expired(inner: &Inner) -> Reply {
    Reply::error(401, "You are not authenticated. Authentication required to perform this operation.")
        .header("www-authenticate", realm(inner))
}

fn limited(reply: Reply, verdict: Verdict) -> Reply {
    reply
        .header("x-ratelimit-limit", verdict.limit.tokens.to_string())
        .header("x-ratelimit-remaining", verdict.remaining.to_string())
        .header("x-ratelimit-fillrate", verdict.limit.fill.to_string())
        .header("x-ratelimit-interval-seconds", verdict.limit.interval_seconds.to_string())
        .header("retry-after", verdict.retry_after_seconds.to_string())
}

/// The headers that every answer of Jira carries.
fn decorate(inner: &Inner, mut reply: Reply, account: Option<usize>, number: u64) -> Reply {
    if inner.config.flavour == Flavour::Cloud {
        return cloud::decorated(inner, reply, account, number);
    }
    let name = account.map_or("anonymous", |account| inner.auth.account(account).username.as_str());
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let said = reply.headers.iter().any(|(name, _)| *name == "x-seraph-loginreason");
    if account.is_some() && !said {
        reply = reply.header("x-seraph-loginreason", "OK");
    }
    if account.is_none()
        && reply.status == 401
        && !reply.headers.iter().any(|(name, _)| *name == "www-authenticate")
    {
        reply = reply.header("www-authenticate", realm(inner));
    }
    let node = number % u64::from(inner.config.nodes.max(1)) + 1;
    reply
        .header("x-arequestid", format!("764x{number}x1"))
        .header("x-asessionid", format!("{:x}", super::rng::mix(number) >> 38))
        .header("x-anodeid", format!("jira_node_{node}"))
        .header("x-ausername", encoded)
        .header("x-content-type-options", "nosniff")
        .header("cache-control", "no-cache, no-store, no-transform")
}

fn faulty(inner: &Inner, request: &Request, number: u64, fault: FaultKind) -> Response<Body> {
    let usual = || answer(inner, request, number);
    match fault {
        FaultKind::Answer { status, content_type, body } => {
            let mut reply = Reply::typed(status, "", body);
            reply = reply.header("content-type", content_type);
            finish(inner, decorate(inner, reply, Some(0), number), false)
        }
        FaultKind::CloudTooManyRequests { retry_after_seconds, reason, html } => {
            let reply = cloud::refusal(inner, retry_after_seconds, &reason, html);
            finish(inner, decorate(inner, reply, Some(0), number), false)
        }
        FaultKind::TooManyRequests { retry_after_seconds } if inner.config.flavour == Flavour::Cloud => {
            let reply = cloud::refusal(inner, retry_after_seconds, "jira-burst-based", false);
            finish(inner, decorate(inner, reply, Some(0), number), false)
        }
        FaultKind::TooManyRequests { retry_after_seconds } => {
            let mut reply = Reply::html(429, pages::too_many_requests())
                .header("x-ratelimit-limit", "5")
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-fillrate", "5")
                .header("x-ratelimit-interval-seconds", "1");
            if let Some(seconds) = retry_after_seconds {
                reply = reply.header("retry-after", seconds.to_string());
            }
            finish(inner, decorate(inner, reply, Some(0), number), false)
        }
        FaultKind::ComeBackAt { seconds } => {
            let at = chrono::Utc::now() + chrono::TimeDelta::seconds(i64::from(seconds));
            let at = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            finish(inner, Reply::html(503, pages::gateway(503)).header("retry-after", at), false)
        }
        FaultKind::Gateway { status } => finish(inner, Reply::html(status, pages::gateway(status)), false),
        FaultKind::EmptyForbidden => finish(inner, Reply::empty(403), false),
        FaultKind::Redirect { location } => {
            finish(inner, Reply::empty(302).header("location", location), false)
        }
        FaultKind::SsoPage => finish(inner, Reply::html(200, pages::sso()), false),
        FaultKind::SeraphFailed | FaultKind::Anonymous if inner.config.flavour == Flavour::Cloud => {
            finish(inner, cloud::answer(inner, request, number, true), false)
        }
        FaultKind::SeraphFailed | FaultKind::Anonymous => {
            finish(inner, anonymous(usual(), request, &fault), false)
        }
        FaultKind::InvalidJson => {
            let mut reply = usual();
            reply.body.truncate(reply.body.len() / 2);
            finish(inner, reply, false)
        }
        FaultKind::Gzip => finish(inner, usual(), true),
        FaultKind::Truncated => half(finish(inner, usual(), false), true),
        FaultKind::CutChunked => half(finish(inner, usual(), false), false),
        FaultKind::SlowBody { chunk_bytes, pause_ms } => {
            slow(finish(inner, usual(), false), chunk_bytes.max(1), Duration::from_millis(pause_ms))
        }
        FaultKind::Disconnect => half(finish(inner, usual(), false), false),
    }
}

/// 200 as somebody gets it who is not logged in, although the request carried a login.
fn anonymous(mut reply: Reply, request: &Request, fault: &FaultKind) -> Reply {
    reply.headers.retain(|(name, _)| !matches!(*name, "x-seraph-loginreason" | "x-ausername"));
    if *fault == FaultKind::SeraphFailed {
        reply = reply.header("x-seraph-loginreason", "AUTHENTICATED_FAILED");
    } else if request.path.ends_with("/search") {
        reply.body =
            br#"{"expand":"schema,names","startAt":0,"maxResults":50,"total":0,"issues":[]}"#.to_vec();
    }
    reply.header("x-ausername", "anonymous")
}

/// Counts an answer and puts it on the wire.
fn finish(inner: &Inner, reply: Reply, gzip: bool) -> Response<Body> {
    let plain = reply.body.len() as u64;
    let json = reply.is_json();
    let status = reply.status;
    let response = wire(reply, gzip);
    let sent =
        response.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    inner.counters.update(|stats| {
        *stats.statuses.entry(status).or_default() += 1;
        stats.json_bytes += if json { plain } else { 0 };
        stats.body_bytes += sent.unwrap_or(plain);
    });
    response
}

pub(crate) fn wire(reply: Reply, gzip: bool) -> Response<Body> {
    let body = if gzip { compress(&reply.body) } else { reply.body };
    let length = body.len();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !reply.content_type.is_empty() {
        headers.insert("content-type", HeaderValue::from_static(reply.content_type));
    }
    if gzip {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    headers.insert("content-length", HeaderValue::from(length));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    response
}

fn compress(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Sends half of the body and closes; with the length of the whole in the header, or chunked.
fn half(response: Response<Body>, keep_length: bool) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if !keep_length {
        parts.headers.remove("content-length");
    }
    let halves = stream::once(async move {
        let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
        whole.slice(..whole.len() / 2)
    });
    let pieces = futures_util::StreamExt::map(halves, Ok::<Bytes, Cut>);
    // The pause lets the half leave before the cut, which would discard what is still buffered.
    let cut = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err::<Bytes, Cut>(Cut)
    });
    Response::from_parts(parts, Body::from_stream(futures_util::StreamExt::chain(pieces, cut)))
}

fn slow(response: Response<Body>, chunk_bytes: usize, pause: Duration) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let pieces = stream::unfold((Some(body), Bytes::new()), move |(body, mut rest)| async move {
        if let Some(body) = body {
            rest = to_bytes(body, usize::MAX).await.unwrap_or_default();
        } else {
            tokio::time::sleep(pause).await;
        }
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(chunk_bytes.min(rest.len()));
        Some((Ok::<Bytes, Infallible>(piece), (None, rest)))
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}
