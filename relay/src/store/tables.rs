//! What the lake's tables held after their last Delta commit, and up to which Jira time they are complete.

use super::sqlite::maybe_text;
use super::sqlite::{Store, integer, maybe_integer, text};
use super::{During, StoreError, from_json, signed, to_json, unsigned};
use crate::run::scope::Scope;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

/// A table of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableRow {
    pub(crate) pool: String,
    pub(crate) connection: String,
    pub(crate) table: String,
    /// Jira's clock, UTC milliseconds; only tables made from issues have one.
    pub(crate) watermark_ms: Option<i64>,
    /// What its full load chose; tables older than this note have none.
    pub(crate) scope: Option<Scope>,
    /// The run of the last Delta commit.
    pub(crate) run: i64,
    pub(crate) updated_ms: i64,
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) version: u64,
    pub(crate) path: String,
}

impl TableRow {
    pub(super) async fn keep(&self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), StoreError> {
        sqlx::query(
            "insert into tables (pool, connection, tbl, watermark_ms, run, updated_ms, rows, columns, files, bytes,
            version, path, scope) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            on conflict (pool, connection, tbl) do update set
            watermark_ms = coalesce(excluded.watermark_ms, tables.watermark_ms),
            run = excluded.run, updated_ms = excluded.updated_ms, rows = excluded.rows,
            columns = excluded.columns, files = excluded.files, bytes = excluded.bytes,
            version = excluded.version, path = excluded.path, scope = excluded.scope",
        )
        .bind(&self.pool)
        .bind(&self.connection)
        .bind(&self.table)
        .bind(self.watermark_ms)
        .bind(self.run)
        .bind(self.updated_ms)
        .bind(signed(self.rows))
        .bind(signed(self.columns))
        .bind(signed(self.files))
        .bind(signed(self.bytes))
        .bind(signed(self.version))
        .bind(&self.path)
        .bind(self.scope.as_ref().map(|scope| to_json("scope of a table", scope)).transpose()?)
        .execute(&mut **tx)
        .await
        .during("keep a table")?;
        Ok(())
    }
}

impl Store {
    /// The tables of one pool or of all.
    pub(crate) async fn tables(&self, pool: Option<&str>) -> Result<Vec<TableRow>, StoreError> {
        let sql = "select * from tables where $1 is null or pool = $1 order by pool, connection, tbl";
        let rows = sqlx::query(sql).bind(pool).fetch_all(&self.read).await.during("list tables")?;
        rows.iter().map(table).collect()
    }

    /// The tables that a connection has filled in its pool.
    pub(crate) async fn tables_of(&self, pool: &str, connection: &str) -> Result<Vec<TableRow>, StoreError> {
        let sql = "select * from tables where pool = $1 and connection = $2 order by tbl";
        let rows = sqlx::query(sql).bind(pool).bind(connection).fetch_all(&self.write).await;
        rows.during("list tables")?.iter().map(table).collect()
    }
}

fn table(row: &SqliteRow) -> Result<TableRow, StoreError> {
    Ok(TableRow {
        pool: text(row, "pool")?,
        connection: text(row, "connection")?,
        table: text(row, "tbl")?,
        watermark_ms: maybe_integer(row, "watermark_ms")?,
        scope: maybe_text(row, "scope")?.map(|json| from_json("scope of a table", &json)).transpose()?,
        run: integer(row, "run")?,
        updated_ms: integer(row, "updated_ms")?,
        rows: unsigned(integer(row, "rows")?),
        columns: unsigned(integer(row, "columns")?),
        files: unsigned(integer(row, "files")?),
        bytes: unsigned(integer(row, "bytes")?),
        version: unsigned(integer(row, "version")?),
        path: text(row, "path")?,
    })
}
