//! An OCEL 2.0 file in its SQLite form, made from the tables of one connection.
//!
//! The rows go into staging tables that nobody keeps, in whatever number they come; SQLite then makes the log of them, with its memory and
//! not ours.

mod log;
mod stage;

pub(crate) use stage::{SOURCES, Source};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::path::Path;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events.
    pub(crate) events: i64,
    /// Events that have no time, because their column is masked, and are therefore not in the file.
    pub(crate) without_time: i64,
    /// Objects.
    pub(crate) objects: i64,
    /// Relations of events to objects.
    pub(crate) event_objects: i64,
    /// Relations of objects to objects.
    pub(crate) object_objects: i64,
}

/// A file that is being made.
#[derive(Debug)]
pub(crate) struct Ocel {
    database: SqliteConnection,
}

impl Ocel {
    /// Creates the file, which must not exist.
    pub(crate) async fn create(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(false)
            // The file counts only when it is whole, so nothing is kept for the case of a crash.
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off);
        let mut ocel = Self { database: options.connect().await? };
        ocel.run(stage::CREATE).await?;
        Ok(ocel)
    }

    /// Takes rows of a source, each a list of its columns' values.
    pub(crate) async fn add(&mut self, source: &Source, rows: Vec<Value>) -> Result<(), sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(source.insert()));
        query.bind(Value::from(rows).to_string()).execute(&mut self.database).await?;
        Ok(())
    }

    /// Makes the log of what was taken and closes the file.
    pub(crate) async fn finish(mut self) -> Result<Counts, sqlx::Error> {
        let counts = log::write(&mut self).await?;
        self.database.close().await?;
        Ok(counts)
    }

    async fn run(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.database).await?;
        Ok(())
    }

    async fn count(&mut self, table: &str) -> Result<i64, sqlx::Error> {
        let query = format!("select count(*) from {table}");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.database).await
    }

    async fn texts(&mut self, query: &str) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut self.database).await
    }
}

#[cfg(test)]
mod tests;
