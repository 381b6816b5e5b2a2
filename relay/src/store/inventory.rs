//! What a user sets up: pools, uplinks, connections.

use super::sqlite::{Store, integer, maybe_text, text};
use super::{During, StoreError, from_json, signed, small, to_json};
use protocol::seal::SealedSecret;
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind};
use sqlx::sqlite::SqliteRow;

/// A pool or an uplink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// UTC milliseconds since 1970.
    pub(crate) created_ms: i64,
}

/// A data connection as stored. Its secrets are sealed to agents, and the relay cannot open them; or, if it is direct, to the relay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) pool: String,
    pub(crate) mode: String,
    pub(crate) uplink: Option<String>,
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) credential: CredentialKind,
    pub(crate) sealed: Vec<SealedSecret>,
    /// Authority of the certificate of a Jira that the relay reads itself, PEM.
    pub(crate) ca_pem: Option<String>,
    pub(crate) max_parallel: u32,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

impl Connection {
    /// What an agent is told of it.
    pub(crate) fn spec(&self) -> Result<ConnectionSpec, StoreError> {
        Ok(ConnectionSpec {
            name: self.name.clone(),
            site: SiteAddress::parse(&self.url)
                .map_err(|error| StoreError::corrupt("Jira address", error))?,
            username: self.username.clone(),
            credential: self.credential,
            sealed: self.sealed.clone(),
            max_parallel: self.max_parallel,
        })
    }
}

impl Store {
    pub(crate) async fn create_pool(&self, name: &str, now_ms: i64) -> Result<Named, StoreError> {
        let sql = "insert into pools (name, created_ms) values ($1, $2) on conflict (name) do nothing";
        self.create_named(sql, "pool", name, now_ms).await
    }

    pub(crate) async fn create_uplink(&self, name: &str, now_ms: i64) -> Result<Named, StoreError> {
        let sql = "insert into uplinks (name, created_ms) values ($1, $2) on conflict (name) do nothing";
        self.create_named(sql, "uplink", name, now_ms).await
    }

    async fn create_named(
        &self,
        sql: &'static str,
        kind: &'static str,
        name: &str,
        now_ms: i64,
    ) -> Result<Named, StoreError> {
        let done =
            sqlx::query(sql).bind(name).bind(now_ms).execute(&self.write).await.during("create a name")?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Exists { kind, name: name.to_owned() });
        }
        Ok(Named { name: name.to_owned(), created_ms: now_ms })
    }

    pub(crate) async fn pools(&self) -> Result<Vec<Named>, StoreError> {
        let rows =
            sqlx::query("select name, created_ms from pools order by name").fetch_all(&self.read).await;
        rows.during("list pools")?.iter().map(named).collect()
    }

    pub(crate) async fn pool(&self, name: &str) -> Result<Named, StoreError> {
        let row = sqlx::query("select name, created_ms from pools where name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .during("read a pool")?;
        named(&row.ok_or_else(|| missing("pool", name))?)
    }

    pub(crate) async fn uplinks(&self) -> Result<Vec<Named>, StoreError> {
        let rows =
            sqlx::query("select name, created_ms from uplinks order by name").fetch_all(&self.read).await;
        rows.during("list uplinks")?.iter().map(named).collect()
    }

    pub(crate) async fn uplink(&self, name: &str) -> Result<Named, StoreError> {
        let row = sqlx::query("select name, created_ms from uplinks where name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .during("read an uplink")?;
        named(&row.ok_or_else(|| missing("uplink", name))?)
    }

    /// Deletes an empty pool. Its tables in the lake stay.
    pub(crate) async fn delete_pool(&self, name: &str) -> Result<(), StoreError> {
        self.refuse_if_used("select name from connections where pool = $1 limit 1", "pool", name).await?;
        let done = sqlx::query("delete from pools where name = $1").bind(name).execute(&self.write).await;
        expect_one(done.during("delete a pool")?.rows_affected(), "pool", name)
    }

    /// Deletes an uplink that no connection uses, with its agents and enrolment tokens.
    pub(crate) async fn delete_uplink(&self, name: &str) -> Result<(), StoreError> {
        self.refuse_if_used("select name from connections where uplink = $1 limit 1", "uplink", name).await?;
        let mut tx = self.write.begin().await.during("delete an uplink")?;
        sqlx::query("delete from enrolment_tokens where uplink = $1")
            .bind(name)
            .execute(&mut *tx)
            .await
            .during("delete an uplink")?;
        let done = sqlx::query("delete from uplinks where name = $1").bind(name).execute(&mut *tx).await;
        let gone = done.during("delete an uplink")?.rows_affected();
        tx.commit().await.during("delete an uplink")?;
        expect_one(gone, "uplink", name)
    }

    async fn refuse_if_used(
        &self,
        sql: &'static str,
        kind: &'static str,
        name: &str,
    ) -> Result<(), StoreError> {
        let user = sqlx::query(sql).bind(name).fetch_optional(&self.write).await.during("look for users")?;
        let Some(row) = user else { return Ok(()) };
        let by = format!("the connection `{}`", text(&row, "name")?);
        Err(StoreError::InUse { kind, name: name.to_owned(), by })
    }

    /// Keeps a new connection. Its pool and its uplink exist, or the error names the missing one.
    pub(crate) async fn create_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.check_references(connection).await?;
        let sql = "insert into connections (name, pool, mode, uplink, url, username, credential, sealed,
            max_parallel, created_ms, updated_ms, ca_pem) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (name) do nothing";
        if self.write_connection(sql, connection).await? == 0 {
            return Err(StoreError::Exists { kind: "connection", name: connection.name.clone() });
        }
        Ok(())
    }

    /// Replaces a connection; the time of creation stays.
    pub(crate) async fn replace_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.check_references(connection).await?;
        let sql = "update connections set pool = $2, mode = $3, uplink = $4, url = $5, username = $6,
            credential = $7, sealed = $8, max_parallel = $9, created_ms = $10, updated_ms = $11, ca_pem = $12
            where name = $1";
        expect_one(self.write_connection(sql, connection).await?, "connection", &connection.name)
    }

    async fn write_connection(&self, sql: &'static str, it: &Connection) -> Result<u64, StoreError> {
        let done = sqlx::query(sql)
            .bind(&it.name)
            .bind(&it.pool)
            .bind(&it.mode)
            .bind(&it.uplink)
            .bind(&it.url)
            .bind(&it.username)
            .bind(to_json("credential kind", &it.credential)?)
            .bind(to_json("sealed secret", &it.sealed)?)
            .bind(signed(u64::from(it.max_parallel)))
            .bind(it.created_ms)
            .bind(it.updated_ms)
            .bind(&it.ca_pem)
            .execute(&self.write)
            .await
            .during("keep a connection")?;
        Ok(done.rows_affected())
    }

    async fn check_references(&self, connection: &Connection) -> Result<(), StoreError> {
        self.pool(&connection.pool).await?;
        if let Some(uplink) = &connection.uplink {
            self.uplink(uplink).await?;
        }
        Ok(())
    }

    pub(crate) async fn connections(&self) -> Result<Vec<Connection>, StoreError> {
        let rows = sqlx::query("select * from connections order by name").fetch_all(&self.read).await;
        rows.during("list connections")?.iter().map(connection).collect()
    }

    pub(crate) async fn connection(&self, name: &str) -> Result<Connection, StoreError> {
        let row = sqlx::query("select * from connections where name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .during("read a connection")?;
        connection(&row.ok_or_else(|| missing("connection", name))?)
    }

    /// Deletes a connection without unfinished runs. Its tables in the lake stay.
    pub(crate) async fn delete_connection(&self, name: &str) -> Result<(), StoreError> {
        let open = "select number from runs where connection = $1
            and state in ('queued', 'running', 'committing') limit 1";
        let row = sqlx::query(open).bind(name).fetch_optional(&self.write).await.during("look for runs")?;
        if let Some(row) = row {
            let by = format!("run_{}", integer(&row, "number")?);
            return Err(StoreError::InUse { kind: "connection", name: name.to_owned(), by });
        }
        let done =
            sqlx::query("delete from connections where name = $1").bind(name).execute(&self.write).await;
        expect_one(done.during("delete a connection")?.rows_affected(), "connection", name)
    }
}

pub(super) fn missing(kind: &'static str, name: &str) -> StoreError {
    StoreError::Missing { kind, name: name.to_owned() }
}

pub(super) fn expect_one(affected: u64, kind: &'static str, name: &str) -> Result<(), StoreError> {
    if affected == 0 { Err(missing(kind, name)) } else { Ok(()) }
}

fn named(row: &SqliteRow) -> Result<Named, StoreError> {
    Ok(Named { name: text(row, "name")?, created_ms: integer(row, "created_ms")? })
}

fn connection(row: &SqliteRow) -> Result<Connection, StoreError> {
    Ok(Connection {
        name: text(row, "name")?,
        pool: text(row, "pool")?,
        mode: text(row, "mode")?,
        uplink: maybe_text(row, "uplink")?,
        url: text(row, "url")?,
        username: text(row, "username")?,
        credential: from_json("credential kind", &text(row, "credential")?)?,
        sealed: from_json("sealed secret", &text(row, "sealed")?)?,
        ca_pem: maybe_text(row, "ca_pem")?,
        max_parallel: small(integer(row, "max_parallel")?),
        created_ms: integer(row, "created_ms")?,
        updated_ms: integer(row, "updated_ms")?,
    })
}
