//! What a failed request failed on: name, port, time, certificate, or a broken connection.

use crate::client::addresses::Elsewhere;
use crate::client::response::{Verdict, site_text};
use crate::error::{Error, UnreachableCause};
use std::error::Error as StdError;
use std::io;
use url::Url;

/// Judges a request that brought no answer.
pub(crate) fn judge_send(error: reqwest::Error, site: &Url) -> Verdict {
    // Without the address: it is named by the message, and the query of an address does not belong into a log.
    let error = error.without_url();
    let chain = chain(&error);
    let site = site_text(site);
    if chain.iter().any(|text| is_about_our_certificate(text)) {
        return Verdict::Fail(Error::ClientCertificate { site, detail: last(&chain) });
    }
    if chain.iter().any(|text| is_about_proxy(text)) {
        return Verdict::Fail(Error::Proxy { site, detail: last(&chain) });
    }
    if chain.iter().any(|text| is_about_certificate(text)) {
        return Verdict::Fail(Error::TlsUntrusted { site, detail: last(&chain) });
    }
    if let Some(elsewhere) = cause::<Elsewhere>(&error) {
        return Verdict::Fail(Error::AddressNotPermitted { site, detail: elsewhere.to_string() });
    }
    if error.is_builder() {
        return Verdict::Fail(Error::Client { detail: last(&chain) });
    }
    let cause = if error.is_timeout() {
        UnreachableCause::Timeout
    } else if chain.iter().any(|text| text.contains("dns error") || text.contains("failed to lookup")) {
        UnreachableCause::Dns
    } else if io_kind(&error) == Some(io::ErrorKind::ConnectionRefused) {
        UnreachableCause::Refused
    } else {
        UnreachableCause::Broken
    };
    Verdict::Again { error: Error::Unreachable { site, cause, detail: last(&chain) }, wait: None }
}

/// Judges an answer whose body broke off.
pub(crate) fn judge_body(error: reqwest::Error, site: &Url, what: String, attempt: u32) -> Verdict {
    if error.is_timeout() {
        return judge_send(error, site);
    }
    let detail = last(&chain(&error.without_url()));
    Verdict::Again { error: Error::BodyTruncated { what, attempts: attempt, detail }, wait: None }
}

/// The alerts by which the other side refuses our certificate, the authority that signed it, or the lack of one; its own certificate is
/// never the matter of an alert that we receive.
fn is_about_our_certificate(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("received fatal alert") && (text.contains("certificate") || text.contains("unknownca"))
}

fn is_about_proxy(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("proxy auth") || text.contains("tunnel") || text.starts_with("socks error")
}

fn is_about_certificate(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("certificate") || text.contains("unknownissuer")
}

fn chain(error: &dyn StdError) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts
}

fn last(chain: &[String]) -> String {
    chain.last().cloned().unwrap_or_default()
}

fn io_kind(error: &dyn StdError) -> Option<io::ErrorKind> {
    cause::<io::Error>(error).map(io::Error::kind)
}

/// The first cause of that kind.
fn cause<E: StdError + 'static>(error: &dyn StdError) -> Option<&E> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<E>() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}
