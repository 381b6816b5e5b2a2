//! Agents and the one-time tokens by which they enrol.

use super::inventory::{expect_one, missing};
use super::keys::{PublicKeys, offered};
use super::sqlite::{Store, integer, maybe_integer, maybe_text, text};
use super::tickets::{Stopped, stopped};
use super::{During, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

/// An agent repeats an enrolment whose answer it did not see; within this time the same key gets the same answer.
const RETRY_WITHIN_MS: i64 = 15 * 60 * 1000;

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) agent_id: String,
    pub(crate) uplink: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) signing_key: String,
    pub(crate) sealing_key: String,
    pub(crate) fingerprint: String,
    pub(crate) enrolled_ms: i64,
    pub(crate) last_seen_ms: Option<i64>,
    pub(crate) revoked_ms: Option<i64>,
    /// Why it is stopped until a person acts.
    pub(crate) stopped: Option<Stopped>,
    /// Keys that it offered and has not used yet; they let it in as well.
    pub(crate) next_keys: Option<PublicKeys>,
    /// Of the keys before these; secrets may still be sealed to them.
    pub(crate) former_fingerprint: Option<String>,
}

/// An agent that asks to be enrolled.
#[derive(Clone, Debug)]
pub(crate) struct NewAgent {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) signing_key: String,
    pub(crate) sealing_key: String,
    pub(crate) fingerprint: String,
}

/// What became of an enrolment token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redeemed {
    /// This agent is enrolled, now or by an earlier try with the same key.
    Agent { agent_id: String, uplink: String },
    /// No such token was ever made, or its uplink is gone.
    Unknown,
    /// Too late.
    Expired { expired_ms: i64 },
    /// Somebody else was first.
    Used { used_ms: i64 },
    /// The key belongs to an agent that is enrolled already.
    KeyKnown { agent_id: String },
}

impl Store {
    /// Keeps the hash of a new enrolment token.
    pub(crate) async fn create_token(
        &self,
        uplink: &str,
        hash: &str,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        self.uplink(uplink).await?;
        let sql =
            "insert into enrolment_tokens (hash, uplink, created_ms, expires_ms) values ($1, $2, $3, $4)";
        let done = sqlx::query(sql).bind(hash).bind(uplink).bind(now_ms).bind(expires_ms);
        done.execute(&self.write).await.during("keep an enrolment token")?;
        Ok(())
    }

    /// Uses a token up and enrols the agent, in one transaction.
    pub(crate) async fn redeem_token(
        &self,
        hash: &str,
        agent: &NewAgent,
        now_ms: i64,
    ) -> Result<Redeemed, StoreError> {
        let mut tx = self.write.begin().await.during("redeem a token")?;
        let row = sqlx::query("select * from enrolment_tokens where hash = $1")
            .bind(hash)
            .fetch_optional(&mut *tx)
            .await
            .during("redeem a token")?;
        let Some(token) = row else { return Ok(Redeemed::Unknown) };
        if let Some(used_ms) = maybe_integer(&token, "used_ms")? {
            return repeat(&mut tx, &token, used_ms, agent, now_ms).await;
        }
        let expired_ms = integer(&token, "expires_ms")?;
        if expired_ms <= now_ms {
            return Ok(Redeemed::Expired { expired_ms });
        }
        if let Some(agent_id) = agent_of_key(&mut tx, &agent.signing_key).await? {
            return Ok(Redeemed::KeyKnown { agent_id });
        }
        let uplink = text(&token, "uplink")?;
        insert_agent(&mut tx, &uplink, agent, now_ms).await?;
        sqlx::query("update enrolment_tokens set used_ms = $2, used_by = $3 where hash = $1")
            .bind(hash)
            .bind(now_ms)
            .bind(&agent.agent_id)
            .execute(&mut *tx)
            .await
            .during("redeem a token")?;
        tx.commit().await.during("redeem a token")?;
        Ok(Redeemed::Agent { agent_id: agent.agent_id.clone(), uplink })
    }

    /// The agents of an uplink that are not revoked.
    pub(crate) async fn agents(&self, uplink: &str) -> Result<Vec<Agent>, StoreError> {
        let sql =
            "select * from agents where uplink = $1 and revoked_ms is null order by enrolled_ms, agent_id";
        let rows = sqlx::query(sql).bind(uplink).fetch_all(&self.read).await;
        rows.during("list agents")?.iter().map(agent).collect()
    }

    /// An agent, revoked or not.
    pub(crate) async fn agent(&self, agent_id: &str) -> Result<Option<Agent>, StoreError> {
        let row = sqlx::query("select * from agents where agent_id = $1")
            .bind(agent_id)
            .fetch_optional(&self.write)
            .await
            .during("read an agent")?;
        row.as_ref().map(agent).transpose()
    }

    /// Notes that an agent was here, and which version it runs.
    pub(crate) async fn agent_seen(
        &self,
        agent_id: &str,
        version: Option<&str>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let sql = "update agents set last_seen_ms = $2, version = coalesce($3, version) where agent_id = $1";
        let done = sqlx::query(sql).bind(agent_id).bind(now_ms).bind(version).execute(&self.write).await;
        done.during("note an agent")?;
        Ok(())
    }

    /// An agent that is revoked never gets in again.
    pub(crate) async fn revoke_agent(
        &self,
        uplink: &str,
        agent_id: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let sql =
            "update agents set revoked_ms = coalesce(revoked_ms, $3) where uplink = $1 and agent_id = $2";
        let done = sqlx::query(sql).bind(uplink).bind(agent_id).bind(now_ms).execute(&self.write).await;
        expect_one(done.during("revoke an agent")?.rows_affected(), "agent", agent_id)
    }
}

async fn repeat(
    tx: &mut Transaction<'_, Sqlite>,
    token: &SqliteRow,
    used_ms: i64,
    new: &NewAgent,
    now_ms: i64,
) -> Result<Redeemed, StoreError> {
    let used_by = maybe_text(token, "used_by")?.ok_or_else(|| missing("agent", "of a used token"))?;
    let same_key = agent_of_key(tx, &new.signing_key).await?.as_deref() == Some(used_by.as_str());
    if same_key && now_ms.saturating_sub(used_ms) <= RETRY_WITHIN_MS {
        return Ok(Redeemed::Agent { agent_id: used_by, uplink: text(token, "uplink")? });
    }
    Ok(Redeemed::Used { used_ms })
}

async fn agent_of_key(
    tx: &mut Transaction<'_, Sqlite>,
    signing_key: &str,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("select agent_id from agents where signing_key = $1")
        .bind(signing_key)
        .fetch_optional(&mut **tx)
        .await
        .during("look for a key")?;
    row.as_ref().map(|row| text(row, "agent_id")).transpose()
}

async fn insert_agent(
    tx: &mut Transaction<'_, Sqlite>,
    uplink: &str,
    it: &NewAgent,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "insert into agents (agent_id, uplink, name, version, signing_key, sealing_key, fingerprint,
        enrolled_ms) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(sql)
        .bind(&it.agent_id)
        .bind(uplink)
        .bind(&it.name)
        .bind(&it.version)
        .bind(&it.signing_key)
        .bind(&it.sealing_key)
        .bind(&it.fingerprint)
        .bind(now_ms)
        .execute(&mut **tx)
        .await
        .during("keep an agent")?;
    Ok(())
}

fn agent(row: &SqliteRow) -> Result<Agent, StoreError> {
    Ok(Agent {
        agent_id: text(row, "agent_id")?,
        uplink: text(row, "uplink")?,
        name: text(row, "name")?,
        version: text(row, "version")?,
        signing_key: text(row, "signing_key")?,
        sealing_key: text(row, "sealing_key")?,
        fingerprint: text(row, "fingerprint")?,
        enrolled_ms: integer(row, "enrolled_ms")?,
        last_seen_ms: maybe_integer(row, "last_seen_ms")?,
        revoked_ms: maybe_integer(row, "revoked_ms")?,
        stopped: stopped(row)?,
        next_keys: offered(row)?,
        former_fingerprint: maybe_text(row, "former_fingerprint")?,
    })
}
