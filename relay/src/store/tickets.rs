//! The tickets of each agent. `protocol::ticket` decides; here its decisions become durable before anybody hears of them.

use super::inventory::expect_one;
use super::sqlite::{Store, integer, maybe_text};
use super::{During, StoreError, from_json, to_json};
use protocol::ticket::{IssuedTickets, TICKET_BYTES, Ticket};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

/// A machine that proved an agent's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Holder {
    /// Random text of that start of the process.
    pub(crate) boot_id: String,
    /// Where it dialled from, as far as this relay sees.
    pub(crate) address: String,
    /// The agent's version there.
    pub(crate) version: String,
    /// UTC milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// Why an agent is stopped until a person acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// UTC milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What gave it away.
    pub(crate) reason: String,
    /// The holder that was known.
    pub(crate) first: Holder,
    /// The other one, which presented an old ticket or none.
    pub(crate) second: Holder,
}

/// What an agent shows at a connect.
pub(crate) struct Presentation<'a> {
    pub(crate) agent_id: &'a str,
    pub(crate) ticket: Option<&'a Ticket>,
    /// Whether it can keep tickets at all.
    pub(crate) keeps_tickets: bool,
    pub(crate) holder: Holder,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is the only holder as far as is known; the ticket goes to it. An agent that keeps none gets none.
    Welcome(Option<Ticket>),
    /// The identity is stopped, by this presentation if `now`, otherwise before.
    Stopped { why: Box<Stopped>, now: bool },
}

impl Store {
    /// Judges what an agent presents and issues its next ticket, or stops the agent, in one transaction.
    pub(crate) async fn present_ticket(
        &self,
        shown: Presentation<'_>,
        random: [u8; TICKET_BYTES],
    ) -> Result<Admission, StoreError> {
        let Presentation { agent_id, ticket, keeps_tickets, holder } = shown;
        let mut tx = self.write.begin().await.during("judge a ticket")?;
        let row = fetch(&mut tx, agent_id).await?;
        if let Some(why) = stopped(&row)? {
            return Ok(Admission::Stopped { why: Box::new(why), now: false });
        }
        let mut tickets = issued(&row)?;
        if let Err(second) = tickets.handle_presented(ticket) {
            let why = Stopped {
                at_ms: holder.at_ms,
                reason: second.to_string(),
                first: last_holder(&row)?,
                second: holder,
            };
            keep(&mut tx, "update agents set stopped = $2 where agent_id = $1", agent_id, &why).await?;
            tx.commit().await.during("stop an agent")?;
            return Ok(Admission::Stopped { why: Box::new(why), now: true });
        }
        let next = keeps_tickets.then(|| tickets.issue(random));
        write(&mut tx, agent_id, &tickets).await?;
        keep(&mut tx, "update agents set holder = $2 where agent_id = $1", agent_id, &holder).await?;
        tx.commit().await.during("issue a ticket")?;
        Ok(Admission::Welcome(next))
    }

    /// Issues a ticket to an agent that is linked, unless one is on its way.
    pub(crate) async fn turn_ticket(
        &self,
        agent_id: &str,
        random: [u8; TICKET_BYTES],
    ) -> Result<Option<Ticket>, StoreError> {
        let mut tx = self.write.begin().await.during("turn a ticket")?;
        let mut tickets = issued(&fetch(&mut tx, agent_id).await?)?;
        let Some(next) = tickets.turn(random) else { return Ok(None) };
        write(&mut tx, agent_id, &tickets).await?;
        tx.commit().await.during("turn a ticket")?;
        Ok(Some(next))
    }

    /// The agent has this ticket on its disk. Whether it is the one that was waited for.
    pub(crate) async fn ticket_stored(&self, agent_id: &str, ticket: &Ticket) -> Result<bool, StoreError> {
        let mut tx = self.write.begin().await.during("keep a ticket")?;
        let mut tickets = issued(&fetch(&mut tx, agent_id).await?)?;
        let awaited = tickets.handle_stored(ticket);
        if awaited {
            write(&mut tx, agent_id, &tickets).await?;
            tx.commit().await.during("keep a ticket")?;
        }
        Ok(awaited)
    }

    /// A person vouches for a stopped agent: the first machine that connects is its holder from then on.
    pub(crate) async fn trust_agent(&self, uplink: &str, agent_id: &str) -> Result<(), StoreError> {
        let sql = "update agents set stopped = null, ticket_current = null, ticket_next = null
            where uplink = $1 and agent_id = $2 and revoked_ms is null";
        let done = sqlx::query(sql).bind(uplink).bind(agent_id).execute(&self.write).await;
        expect_one(done.during("trust an agent")?.rows_affected(), "agent", agent_id)
    }
}

/// Why an agent is stopped, if it is.
pub(super) fn stopped(row: &SqliteRow) -> Result<Option<Stopped>, StoreError> {
    let text = maybe_text(row, "stopped")?;
    text.map(|text| from_json("reason why an agent is stopped", &text)).transpose()
}

fn last_holder(row: &SqliteRow) -> Result<Holder, StoreError> {
    let text = maybe_text(row, "holder")?;
    Ok(text.map(|text| from_json("holder of an agent", &text)).transpose()?.unwrap_or_default())
}

fn issued(row: &SqliteRow) -> Result<IssuedTickets, StoreError> {
    let ticket = |column: &str| {
        let text = maybe_text(row, column)?;
        text.map(|text| Ticket::parse(&text).map_err(|error| StoreError::corrupt("ticket", error)))
            .transpose()
    };
    let newest = super::unsigned(integer(row, "ticket_newest")?);
    Ok(IssuedTickets::restore(newest, ticket("ticket_current")?, ticket("ticket_next")?))
}

async fn fetch(tx: &mut Transaction<'_, Sqlite>, agent_id: &str) -> Result<SqliteRow, StoreError> {
    let sql =
        "select ticket_newest, ticket_current, ticket_next, holder, stopped from agents where agent_id = $1";
    let row = sqlx::query(sql).bind(agent_id).fetch_optional(&mut **tx).await.during("read a ticket")?;
    row.ok_or_else(|| super::inventory::missing("agent", agent_id))
}

async fn write(
    tx: &mut Transaction<'_, Sqlite>,
    agent_id: &str,
    tickets: &IssuedTickets,
) -> Result<(), StoreError> {
    let sql =
        "update agents set ticket_newest = $2, ticket_current = $3, ticket_next = $4 where agent_id = $1";
    sqlx::query(sql)
        .bind(agent_id)
        .bind(super::signed(tickets.newest()))
        .bind(tickets.current().map(Ticket::to_text))
        .bind(tickets.next().map(Ticket::to_text))
        .execute(&mut **tx)
        .await
        .during("keep a ticket")?;
    Ok(())
}

async fn keep(
    tx: &mut Transaction<'_, Sqlite>,
    sql: &'static str,
    agent_id: &str,
    value: &impl Serialize,
) -> Result<(), StoreError> {
    let text = to_json("holder of an agent", value)?;
    sqlx::query(sql).bind(agent_id).bind(text).execute(&mut **tx).await.during("keep an agent's holder")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::NewAgent;
    use super::*;

    const AGENT: &str = "agent_1";

    async fn enrolled() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        store.create_uplink("hq", 0).await.unwrap();
        store.create_token("hq", "h", 0, 100).await.unwrap();
        let text = |text: &str| text.to_owned();
        let agent = NewAgent {
            agent_id: text(AGENT),
            name: text("host"),
            version: text("0.1.0"),
            signing_key: text("s"),
            sealing_key: text("k"),
            fingerprint: text("f"),
        };
        store.redeem_token("h", &agent, 1).await.unwrap();
        (folder, store)
    }

    fn shown<'a>(ticket: Option<&'a Ticket>, boot_id: &str) -> Presentation<'a> {
        let holder = Holder { boot_id: boot_id.to_owned(), at_ms: 5, ..Holder::default() };
        Presentation { agent_id: AGENT, ticket, keeps_tickets: true, holder }
    }

    async fn welcomed(store: &Store, ticket: Option<&Ticket>, random: u8) -> Ticket {
        match store.present_ticket(shown(ticket, "boot-1"), [random; TICKET_BYTES]).await.unwrap() {
            Admission::Welcome(Some(next)) => next,
            other => panic!("unexpected {other:?}"),
        }
    }

    #[tokio::test]
    async fn live_tickets_survive_a_restart_of_the_relay() {
        let (folder, store) = enrolled().await;
        let first = welcomed(&store, None, 1).await;
        assert!(store.ticket_stored(AGENT, &first).await.unwrap());
        let second = welcomed(&store, Some(&first), 2).await;
        store.close().await;
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        welcomed(&store, Some(&first), 3).await;
        let late = store.ticket_stored(AGENT, &second).await.unwrap();
        assert!(!late, "a newer ticket was issued meanwhile");
    }

    #[tokio::test]
    async fn a_second_holder_stops_the_agent_until_a_person_acts() {
        let (_folder, store) = enrolled().await;
        let first = welcomed(&store, None, 1).await;
        assert!(store.ticket_stored(AGENT, &first).await.unwrap());
        let copied = first.clone();
        let second = welcomed(&store, Some(&first), 2).await;
        assert!(store.ticket_stored(AGENT, &second).await.unwrap());

        let alarm = store.present_ticket(shown(Some(&copied), "boot-2"), [3; TICKET_BYTES]).await.unwrap();
        let Admission::Stopped { why, now: true } = alarm else { panic!("unexpected {alarm:?}") };
        assert_eq!((why.first.boot_id.as_str(), why.second.boot_id.as_str()), ("boot-1", "boot-2"));
        let honest = store.present_ticket(shown(Some(&second), "boot-1"), [4; TICKET_BYTES]).await.unwrap();
        assert_eq!(honest, Admission::Stopped { why: why.clone(), now: false });
        assert_eq!(store.agent(AGENT).await.unwrap().unwrap().stopped, Some(*why));

        store.trust_agent("hq", AGENT).await.unwrap();
        let third = welcomed(&store, Some(&second), 5).await;
        assert!(third.epoch() > second.epoch() && store.ticket_stored(AGENT, &third).await.unwrap());
        let copy = store.present_ticket(shown(Some(&copied), "boot-2"), [6; TICKET_BYTES]).await.unwrap();
        assert!(matches!(copy, Admission::Stopped { now: true, .. }), "{copy:?}");
    }

    #[tokio::test]
    async fn an_agent_that_keeps_no_tickets_is_let_in_until_it_was_given_one() {
        let (_folder, store) = enrolled().await;
        let old = || Presentation { keeps_tickets: false, ..shown(None, "boot-1") };
        for random in [1, 2] {
            let answer = store.present_ticket(old(), [random; TICKET_BYTES]).await.unwrap();
            assert_eq!(answer, Admission::Welcome(None));
        }
        let first = welcomed(&store, None, 3).await;
        assert!(store.ticket_stored(AGENT, &first).await.unwrap());
        let answer = store.present_ticket(old(), [4; TICKET_BYTES]).await.unwrap();
        assert!(matches!(answer, Admission::Stopped { now: true, .. }), "{answer:?}");
    }

    #[tokio::test]
    async fn only_an_agent_of_the_uplink_that_is_not_revoked_is_trusted_again() {
        let (_folder, store) = enrolled().await;
        store.create_uplink("other", 0).await.unwrap();
        assert!(store.trust_agent("other", AGENT).await.is_err());
        store.revoke_agent("hq", AGENT, 7).await.unwrap();
        assert!(store.trust_agent("hq", AGENT).await.is_err());
    }
}
