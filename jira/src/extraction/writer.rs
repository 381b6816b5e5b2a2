//! One unit on its way out: rows into parts, parts before the unit's end, the entry with the end.

use crate::batch::Sink;
use crate::checkpoint::{Done, Entry, UnitStats};
use crate::error::Error;
use crate::extraction::events::Event;
use crate::extraction::run::Run;
use crate::part::Part;
use crate::tables::Table;
use crate::undecodable::DecodeError;
use crate::unit::Place;
use crate::unit::UnitId;
use std::collections::BTreeMap;

/// Writes one unit.
pub(crate) struct UnitWriter<'a> {
    run: &'a Run,
    unit: UnitId,
    pub(crate) sink: Sink,
    parts: u32,
    bytes: BTreeMap<String, u64>,
}

impl<'a> UnitWriter<'a> {
    /// A new unit; waits until the columns of the run are known.
    pub(crate) async fn open(run: &'a Run, kind: &str, generation: u32) -> Self {
        let schema = run.schema().await;
        let unit = run.next_unit(kind);
        let place = Place { unit: unit.clone(), generation };
        let sink = Sink::new(schema, &run.spec.tables, place, run.client.limits().part_bytes)
            .masked(run.masking().await)
            .showing(run.spec.first_rows);
        Self { run, unit, sink, parts: 0, bytes: BTreeMap::new() }
    }

    /// JSON was read for a table.
    pub(crate) fn count_bytes(&mut self, table: Table, bytes: usize) {
        *self.bytes.entry(table.name().to_owned()).or_default() += u64::try_from(bytes).unwrap_or_default();
    }

    /// Sends the parts that have their size.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let ready = self.sink.take_ready().map_err(|error| self.failed(&error))?;
        self.send(ready).await
    }

    /// Ends the unit; `done` gets what it adds to the result and makes the entry of it.
    pub(crate) async fn finish(mut self, done: impl FnOnce(UnitStats) -> Done) -> Result<(), Error> {
        let sink = self.sink;
        let finished = sink.finish().map_err(|error| Error::undecodable(self.unit.to_string(), &error))?;
        let stats = UnitStats {
            rows: finished.rows,
            bytes: std::mem::take(&mut self.bytes),
            warnings: finished.warnings,
        };
        let mut parts = self.parts;
        for part in finished.parts {
            parts += 1;
            self.run.emit(Event::Part(part)).await?;
        }
        for warning in &stats.warnings {
            self.run.emit(Event::Warning(warning.clone())).await?;
        }
        self.run.add_unit(stats.clone());
        self.run.emit_done(self.unit, &Entry::Unit(Box::new(done(stats))), parts).await
    }

    async fn send(&mut self, ready: Vec<Part>) -> Result<(), Error> {
        for part in ready {
            self.parts += 1;
            self.run.emit(Event::Part(part)).await?;
        }
        Ok(())
    }

    fn failed(&self, error: &DecodeError) -> Error {
        Error::undecodable(self.unit.to_string(), error)
    }
}
