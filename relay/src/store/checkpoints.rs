//! How far a run is: the parts that count, and the engine's notes by which another session goes on.

use super::runs::running_under;
use super::sqlite::{Store, integer, text};
use super::{During, StoreError, from_json, signed, small, to_json, unsigned};
use sqlx::sqlite::SqliteRow;

/// A part that is durable in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredPart {
    pub(crate) part: String,
    pub(crate) table: String,
    pub(crate) generation: u32,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) columns: u64,
    /// Where it lies in the lake.
    pub(crate) path: String,
}

impl Store {
    /// Keeps an entry together with its parts. The same entry said again changes nothing.
    pub(crate) async fn checkpoint(
        &self,
        (number, lease): (i64, u32),
        sequence: u64,
        entry: &serde_json::Value,
        parts: &[StoredPart],
    ) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await.during("keep a checkpoint")?;
        running_under(&mut tx, number, lease).await?;
        let insert = "insert into checkpoints (run, lease, sequence, entry) values ($1, $2, $3, $4)
            on conflict (run, lease, sequence) do nothing";
        let done = sqlx::query(insert)
            .bind(number)
            .bind(i64::from(lease))
            .bind(signed(sequence))
            .bind(to_json("checkpoint", entry)?)
            .execute(&mut *tx)
            .await
            .during("keep a checkpoint")?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        for part in parts {
            sqlx::query(
                "insert into parts (run, part, tbl, generation, rows, bytes, columns, path)
                values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(number)
            .bind(&part.part)
            .bind(&part.table)
            .bind(i64::from(part.generation))
            .bind(signed(part.rows))
            .bind(signed(part.bytes))
            .bind(signed(part.columns))
            .bind(&part.path)
            .execute(&mut *tx)
            .await
            .during("keep a part")?;
        }
        tx.commit().await.during("keep a checkpoint")
    }

    /// The entries of a run in the order in which they were kept.
    pub(crate) async fn entries(&self, number: i64) -> Result<Vec<serde_json::Value>, StoreError> {
        let sql = "select entry from checkpoints where run = $1 order by position";
        let rows = sqlx::query(sql).bind(number).fetch_all(&self.write).await.during("read checkpoints")?;
        rows.iter().map(|row| from_json("checkpoint", &text(row, "entry")?)).collect()
    }

    /// The parts of a run that a checkpoint names.
    pub(crate) async fn parts(&self, number: i64) -> Result<Vec<StoredPart>, StoreError> {
        let sql = "select * from parts where run = $1 order by part";
        let rows = sqlx::query(sql).bind(number).fetch_all(&self.write).await.during("read parts")?;
        rows.iter().map(part).collect()
    }
}

fn part(row: &SqliteRow) -> Result<StoredPart, StoreError> {
    Ok(StoredPart {
        part: text(row, "part")?,
        table: text(row, "tbl")?,
        generation: small(integer(row, "generation")?),
        rows: unsigned(integer(row, "rows")?),
        bytes: unsigned(integer(row, "bytes")?),
        columns: unsigned(integer(row, "columns")?),
        path: text(row, "path")?,
    })
}
