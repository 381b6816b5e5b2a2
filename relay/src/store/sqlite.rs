//! Opens the database: one writer, so that writes wait for each other instead of failing, and a few readers beside it.

use super::{During, StoreError};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr};
use std::path::Path;
use std::time::Duration;

/// Follow streams and list calls read at once; more readers than this gain nothing on one disk.
const READERS: u32 = 4;
/// How long a writer waits for another process that holds the file (a backup, a person's shell).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The relay's database. A clone is the same store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(super) write: SqlitePool,
    pub(super) read: SqlitePool,
}

impl Store {
    /// Opens or creates the database at `path` and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .during("open the file")?;
        let first = include_str!("schema.sql").into_sql_str();
        let tickets = include_str!("schema_2.sql").into_sql_str();
        let mask_key = "alter table runs add column mask_key text".into_sql_str();
        let ca = "alter table connections add column ca_pem text".into_sql_str();
        let scope = "alter table tables add column scope text".into_sql_str();
        let migrations = vec![
            Migration::new(1, "first".into(), MigrationType::Simple, first, false),
            Migration::new(2, "tickets".into(), MigrationType::Simple, tickets, false),
            Migration::new(3, "mask key".into(), MigrationType::Simple, mask_key, false),
            Migration::new(4, "authority of a direct Jira".into(), MigrationType::Simple, ca, false),
            Migration::new(5, "what tables are complete for".into(), MigrationType::Simple, scope, false),
        ];
        Migrator::with_migrations(migrations).run(&write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .during("open the file")?;
        Ok(Self { write, read })
    }

    /// The value of a setting, made by `make` and kept the first time it is asked for.
    pub(crate) async fn setting(
        &self,
        name: &'static str,
        make: impl FnOnce() -> String,
    ) -> Result<String, StoreError> {
        let insert = "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing";
        sqlx::query(insert).bind(name).bind(make()).execute(&self.write).await.during("keep a setting")?;
        let row = sqlx::query("select value from settings where name = $1")
            .bind(name)
            .fetch_one(&self.write)
            .await
            .during("read a setting")?;
        text(&row, "value")
    }

    /// Writes everything to the main file and closes it.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<String, StoreError> {
    row.try_get(column).during("read a text")
}

pub(super) fn maybe_text(row: &SqliteRow, column: &str) -> Result<Option<String>, StoreError> {
    row.try_get(column).during("read a text")
}

pub(super) fn integer(row: &SqliteRow, column: &str) -> Result<i64, StoreError> {
    row.try_get(column).during("read a number")
}

pub(super) fn maybe_integer(row: &SqliteRow, column: &str) -> Result<Option<i64>, StoreError> {
    row.try_get(column).during("read a number")
}
