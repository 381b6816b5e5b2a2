//! Enrolment: one-time tokens out, agents in.

use crate::clock;
use crate::store::{NewAgent, Redeemed, Store, StoreError};
use aws_lc_rs::rand;
use protocol::enrol::{EnrolRequest, EnrolmentToken};
use protocol::keys::Fingerprint;

/// How long a token is good if nothing is said.
pub(crate) const VALID_MINUTES: u32 = 15;
/// How long a token may be good at most: a day.
pub(crate) const VALID_MINUTES_MAX: u32 = 24 * 60;
/// Longest name or version that an agent may give itself.
const AGENT_TEXT_MAX: usize = 128;

/// Why an agent was not enrolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    /// The text is no token.
    #[error(transparent)]
    Token(#[from] protocol::enrol::TokenError),
    /// No such token is known, though it was made here.
    #[error("this enrolment token is not known any more: its uplink was deleted, or this relay lost it")]
    Unknown,
    /// It was made elsewhere.
    #[error("this enrolment token was made by another relay")]
    Foreign,
    /// It is too old.
    #[error("this enrolment token expired at {0}")]
    Expired(String),
    /// It was used before.
    #[error("this enrolment token was used at {0}; a token enrols one agent")]
    Used(String),
    /// The agent's key is enrolled already.
    #[error("the key of this agent is already enrolled as {0}")]
    KeyKnown(String),
    /// The agent's name or version cannot be kept.
    #[error("the agent's {0} must be 1 to {AGENT_TEXT_MAX} printable characters")]
    Text(&'static str),
    /// No random bytes, or the database failed.
    #[error("the system gave no random bytes")]
    Random,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new token for an uplink; only its hash is kept. Returns the token's text and the time at which it ends.
pub(crate) async fn issue(
    store: &Store,
    relay_id: &str,
    uplink: &str,
    minutes: u32,
) -> Result<(String, i64), EnrolError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| EnrolError::Random)?;
    let token = EnrolmentToken::for_relay(bytes, relay_id);
    let now = clock::now_ms();
    let expires = now.saturating_add(i64::from(minutes.min(VALID_MINUTES_MAX)) * 60_000);
    store.create_token(uplink, &token.hash(), now, expires).await?;
    Ok((token.to_text(), expires))
}

/// Uses a token up. Returns the agent's id and its uplink.
pub(crate) async fn redeem(
    store: &Store,
    relay_id: &str,
    request: &EnrolRequest,
    now_ms: i64,
) -> Result<(String, String), EnrolError> {
    let token = EnrolmentToken::parse(&request.token)?;
    check_text("name", &request.name)?;
    check_text("version", &request.version)?;
    let mut id = [0_u8; 10];
    rand::fill(&mut id).map_err(|_| EnrolError::Random)?;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let agent = NewAgent {
        agent_id: format!("agent_{hex}"),
        name: request.name.clone(),
        version: request.version.clone(),
        signing_key: request.signing_key.to_string(),
        sealing_key: request.sealing_key.to_string(),
        fingerprint: Fingerprint::of(&request.signing_key, &request.sealing_key).as_str().to_owned(),
    };
    match store.redeem_token(&token.hash(), &agent, now_ms).await? {
        Redeemed::Agent { agent_id, uplink } => Ok((agent_id, uplink)),
        Redeemed::Unknown if token.is_of_relay(relay_id) => Err(EnrolError::Unknown),
        Redeemed::Unknown => Err(EnrolError::Foreign),
        Redeemed::Expired { expired_ms } => Err(EnrolError::Expired(clock::text(expired_ms))),
        Redeemed::Used { used_ms } => Err(EnrolError::Used(clock::text(used_ms))),
        Redeemed::KeyKnown { agent_id } => Err(EnrolError::KeyKnown(agent_id)),
    }
}

fn check_text(what: &'static str, text: &str) -> Result<(), EnrolError> {
    let printable = text.chars().all(|c| !c.is_control());
    let good = printable && !text.is_empty() && text.len() <= AGENT_TEXT_MAX;
    if good { Ok(()) } else { Err(EnrolError::Text(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::keys::{SealingPublicKey, SigningPublicKey};

    const RELAY: &str = "relay_1";

    fn request(token: &str, key: u8) -> EnrolRequest {
        EnrolRequest {
            token: token.to_owned(),
            name: "host".to_owned(),
            version: "0.1.0".to_owned(),
            signing_key: SigningPublicKey([key; 32]),
            sealing_key: SealingPublicKey([key; 32]),
        }
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        store.create_uplink("hq", 0).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn a_token_enrols_one_agent_and_answers_its_retry() {
        let (_folder, store) = store().await;
        let (token, _) = issue(&store, RELAY, "hq", VALID_MINUTES).await.unwrap();
        let now = clock::now_ms();
        let first = redeem(&store, RELAY, &request(&token, 1), now).await.unwrap();
        assert_eq!(redeem(&store, RELAY, &request(&token, 1), now + 60_000).await.unwrap(), first);
        let late = redeem(&store, RELAY, &request(&token, 1), now + 16 * 60_000).await;
        assert!(matches!(late, Err(EnrolError::Used(_))), "{late:?}");
        let other = redeem(&store, RELAY, &request(&token, 2), now).await;
        assert!(matches!(other, Err(EnrolError::Used(_))), "{other:?}");
        assert_eq!(store.agents("hq").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn expired_unknown_and_mistyped_tokens_are_told_apart() {
        let (_folder, store) = store().await;
        let (token, expires) = issue(&store, RELAY, "hq", 1).await.unwrap();
        let expired = redeem(&store, RELAY, &request(&token, 1), expires).await;
        assert!(matches!(expired, Err(EnrolError::Expired(_))), "{expired:?}");
        let never_made = EnrolmentToken::for_relay([9; 32], RELAY).to_text();
        let unknown = redeem(&store, RELAY, &request(&never_made, 1), 0).await;
        assert!(matches!(unknown, Err(EnrolError::Unknown)), "{unknown:?}");
        let made_elsewhere = EnrolmentToken::for_relay([9; 32], "relay_2").to_text();
        let foreign = redeem(&store, RELAY, &request(&made_elsewhere, 1), 0).await;
        assert!(matches!(foreign, Err(EnrolError::Foreign)), "{foreign:?}");
        let mistyped = redeem(&store, RELAY, &request("upl1.x.y", 1), 0).await;
        assert!(matches!(mistyped, Err(EnrolError::Token(_))), "{mistyped:?}");
    }

    #[tokio::test]
    async fn a_key_is_enrolled_once() {
        let (_folder, store) = store().await;
        for expected in [true, false] {
            let (token, _) = issue(&store, RELAY, "hq", 1).await.unwrap();
            let answer = redeem(&store, RELAY, &request(&token, 1), clock::now_ms()).await;
            assert_eq!(answer.is_ok(), expected, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_token_needs_its_uplink() {
        let (_folder, store) = store().await;
        assert!(matches!(
            issue(&store, RELAY, "nowhere", 1).await,
            Err(EnrolError::Store(StoreError::Missing { .. }))
        ));
    }
}
