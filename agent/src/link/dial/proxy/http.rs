//! HTTP CONNECT (RFC 9110, section 9.3.6).

use super::{Login, Proxy};
use crate::link::dial::Transport;
use crate::link::dial::error::{DialError, Endpoint};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// The head of a proxy's answer is far shorter.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// More headers than any proxy sends.
const HEADERS_MAX: usize = 64;

/// Asks for the way to `target`.
pub(super) async fn open(
    mut line: Transport,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<Transport, DialError> {
    let broken = |error: std::io::Error| proxy.unfit(&format!("the connection broke: {error}"));
    line.write_all(request(proxy.login.as_ref(), target).as_bytes()).await.map_err(broken)?;
    line.flush().await.map_err(broken)?;
    let head = read_head(&mut line, proxy).await?;
    judge(&head, proxy, target).map(|()| line)
}

fn request(login: Option<&Login>, target: &Endpoint) -> Zeroizing<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = Zeroizing::new(format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: uplink-agent/{version}\r\n"
    ));
    if let Some(Login { username, password }) = login {
        let account = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
        let encoded = Zeroizing::new(STANDARD.encode(account.as_bytes()));
        text.push_str("Proxy-Authorization: Basic ");
        text.push_str(&encoded);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

/// Byte by byte: what follows the head already belongs to the relay.
async fn read_head(line: &mut Transport, proxy: &Proxy) -> Result<Vec<u8>, DialError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(proxy.unfit("the head of its answer has no end"));
        }
        match line.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => {
                return Err(proxy.unfit("it closed the connection without an answer"));
            }
            Err(_) => return Err(proxy.unfit("it closed the connection in the middle of its answer")),
        }
        if head.len() == 5 && !head.eq_ignore_ascii_case(b"HTTP/") {
            return Err(proxy.unfit("its answer is no HTTP"));
        }
    }
    Ok(head)
}

fn judge(head: &[u8], proxy: &Proxy, target: &Endpoint) -> Result<(), DialError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed =
        answer.parse(head).map_err(|error| proxy.unfit(&format!("its answer is no HTTP ({error})")))?;
    let status = answer.code.filter(|_| parsed.is_complete()).unwrap_or_default();
    match status {
        200..=299 => Ok(()),
        407 => Err(DialError::ProxyLogin {
            at: proxy.at.clone(),
            given: proxy.login.is_some(),
            schemes: schemes_of(answer.headers),
        }),
        _ => Err(DialError::ProxyRefused {
            at: proxy.at.clone(),
            target: target.clone(),
            reason: format!(
                "HTTP status {status} {}",
                crate::policy::shortened(answer.reason.unwrap_or_default())
            ),
            forbidden: matches!(status, 401 | 403 | 405),
        }),
    }
}

/// `Basic`, `Negotiate`, ...: the ways to log in that the proxy offers.
fn schemes_of(headers: &[httparse::Header<'_>]) -> String {
    let names: Vec<String> = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|header| std::str::from_utf8(header.value).ok()?.split_whitespace().next())
        .map(crate::policy::shortened)
        .collect();
    names.join(", ")
}
