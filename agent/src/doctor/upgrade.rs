//! Why no WebSocket came about: the answer to the upgrade, read together with the answer to a plain request.

use super::catalogue::Code;
use super::health::{Answer, Kind};
use crate::link::dial::{DialError, Step};
use crate::link::greeting::GreetingError;

/// Codes of the relay's own document when the words of the upgrade did not arrive.
const NO_UPGRADE_ARRIVED: [&str; 3] = ["not_a_websocket", "websocket_version", "websocket_key"];
/// Codes of the relay's own document when it takes nobody.
const TAKES_NOBODY: [&str; 2] = ["busy", "draining"];

/// Code and sentence.
pub(super) fn judge(error: &DialError, health: &Result<Answer, String>) -> (Code, String) {
    let relay = match health {
        Ok(Answer { kind: Kind::Relay { version }, .. }) => Some(version.as_str()),
        Ok(_) | Err(_) => None,
    };
    match error {
        DialError::Upgrade { code, .. } if NO_UPGRADE_ARRIVED.contains(&code.as_str()) => {
            let found =
                "the relay answers that no WebSocket upgrade arrived: something on the way removes it";
            (Code::RelayUpgradeStripped, found.to_owned())
        }
        DialError::Upgrade { code, .. } if TAKES_NOBODY.contains(&code.as_str()) => {
            (Code::RelayBusy, error.to_string())
        }
        DialError::Upgrade { code, .. } if code == "unknown_protocol" => {
            (Code::RelayVersion, error.to_string())
        }
        DialError::Upgrade { status, .. } => match relay {
            Some(version) if matches!(status, 429 | 503) => {
                (Code::RelayBusy, format!("{error}, from a relay of version {version}"))
            }
            Some(version) if *status == 426 => {
                let found = format!(
                    "a relay of version {version} answers plain requests there and says that no WebSocket upgrade arrived: something on the way removes it"
                );
                (Code::RelayUpgradeStripped, found)
            }
            Some(version) => {
                let found = format!(
                    "a relay of version {version} answers plain requests there, but the WebSocket upgrade is answered with HTTP status {status}"
                );
                (Code::RelayUpgradeStripped, found)
            }
            None => stranger(error, health),
        },
        DialError::Timeout { step: Step::Upgrade, .. } => (Code::RelayUpgradeTimeout, error.to_string()),
        DialError::Subprotocol { .. } if relay.is_some() => (Code::RelayVersion, error.to_string()),
        DialError::Subprotocol { .. } => {
            (Code::RelayUpgradeBroken, format!("{error}, although it agrees to a WebSocket"))
        }
        other => (Code::RelayUpgradeBroken, other.to_string()),
    }
}

/// Somebody who is no relay.
fn stranger(error: &DialError, health: &Result<Answer, String>) -> (Code, String) {
    match health {
        Ok(Answer { kind: Kind::WebPage { title }, status, .. }) => {
            let titled = if title.is_empty() { String::new() } else { format!(" \"{title}\"") };
            (
                Code::RelayWebPage,
                format!("a web page{titled} with HTTP status {status} came where a relay should answer"),
            )
        }
        Ok(Answer { kind: Kind::Redirect { target }, status, .. }) => (
            Code::RelayWebPage,
            format!("HTTP status {status} sends to {target} where a relay should answer"),
        ),
        Ok(_) | Err(_) => (Code::RelayNotARelay, error.to_string()),
    }
}

/// The WebSocket stands, and no good challenge came.
pub(super) fn judge_challenge(error: &GreetingError) -> (Code, String) {
    let code = match error {
        GreetingError::Closed(_) | GreetingError::Broken(_) | GreetingError::TooSlow(_) => Code::RelaySilent,
        GreetingError::Handshake(_) | GreetingError::NoText => Code::RelayChallengeStrange,
    };
    (code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answered(status: u16, code: &str) -> DialError {
        DialError::Upgrade {
            host: "relay".to_owned(),
            status,
            code: code.to_owned(),
            detail: String::new(),
            retry_after: None::<Duration>,
        }
    }

    fn health(kind: Kind) -> Result<Answer, String> {
        Ok(Answer { status: 200, kind, date_ms: None })
    }

    fn a_relay() -> Result<Answer, String> {
        health(Kind::Relay { version: "1".to_owned() })
    }

    fn a_page() -> Result<Answer, String> {
        health(Kind::WebPage { title: "Guest".to_owned() })
    }

    #[test]
    fn the_relays_own_word_and_a_reachable_relay_both_prove_a_stripped_upgrade() {
        let stripped = Code::RelayUpgradeStripped;
        assert_eq!(judge(&answered(426, "not_a_websocket"), &Err(String::new())).0, stripped);
        for status in [200, 400, 403, 502] {
            assert_eq!(judge(&answered(status, ""), &a_relay()).0, stripped, "{status}");
        }
    }

    #[test]
    fn without_a_relay_behind_the_same_statuses_are_a_wrong_server() {
        for status in [200, 400, 404, 426, 503] {
            assert_eq!(
                judge(&answered(status, ""), &health(Kind::Other)).0,
                Code::RelayNotARelay,
                "{status}"
            );
            assert_eq!(judge(&answered(status, ""), &a_page()).0, Code::RelayWebPage, "{status}");
        }
    }

    #[test]
    fn a_busy_relay_and_another_version_are_no_fault_of_the_network() {
        assert_eq!(judge(&answered(503, "busy"), &a_relay()).0, Code::RelayBusy);
        assert_eq!(judge(&answered(503, ""), &a_relay()).0, Code::RelayBusy);
        assert_eq!(judge(&answered(400, "unknown_protocol"), &a_relay()).0, Code::RelayVersion);
    }
}
