//! Cloud's logins: e-mail and API token on the site, scoped tokens only behind the gateway.

use base64::Engine;

use super::super::Inner;
use super::super::rest::Request;
use super::problems;
use crate::jira_sim::reply::Reply;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Number of the account.
    Account(usize),
    /// Nobody; `failed` when there was a login that is not good.
    Anonymous { failed: bool },
    /// Not let in at all.
    Refused(Reply),
}

/// Looks at the login of a request; `gateway` when it came by `/ex/jira/{cloudId}`.
pub(super) fn visitor(inner: &Inner, request: &Request, gateway: bool) -> Visitor {
    let visitor = match request.header("authorization").map(|header| header.split_once(' ')) {
        Some(Some((scheme, value))) if scheme.eq_ignore_ascii_case("basic") => basic(inner, value, gateway),
        Some(Some((scheme, _))) if scheme.eq_ignore_ascii_case("bearer") && !gateway => {
            Visitor::Refused(Reply::typed(
                403,
                "application/json",
                r#"{"error":"Failed to parse Connect Session Auth Token"}"#.to_owned(),
            ))
        }
        Some(_) => Visitor::Anonymous { failed: true },
        None if gateway => return Visitor::Refused(problems::gateway(401, "Unauthorized")),
        None => return Visitor::Anonymous { failed: false },
    };
    inner.counters.update(|stats| {
        stats.login_attempts += 1;
        stats.failed_logins += u64::from(!matches!(visitor, Visitor::Account(_)));
    });
    match visitor {
        // The gateway shows nothing to a visitor without a good login.
        Visitor::Anonymous { .. } if gateway => {
            Visitor::Refused(problems::gateway(401, "Unauthorized; scope does not match"))
        }
        Visitor::Anonymous { .. } | Visitor::Account(_) | Visitor::Refused(_) => visitor,
    }
}

fn basic(inner: &Inner, value: &str, gateway: bool) -> Visitor {
    let decoded = base64::engine::general_purpose::STANDARD.decode(value).unwrap_or_default();
    let pair = String::from_utf8(decoded).unwrap_or_default();
    let (email, token) = pair.split_once(':').unwrap_or((&pair, ""));
    let found = inner.auth.find(email).filter(|at| {
        let account = inner.auth.account(*at);
        if gateway { account.tokens.iter().any(|known| known == token) } else { account.password == token }
    });
    match found {
        Some(at) => Visitor::Account(at),
        // Without a name before the colon nobody has tried to log in.
        None => Visitor::Anonymous { failed: !email.is_empty() },
    }
}
