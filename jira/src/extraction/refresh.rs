//! Issues read again by id, in a generation of their own: those whose links show the key that a moved issue had before.

use crate::checkpoint::{Accepted, Done, Work};
use crate::error::Error;
use crate::extraction::rows::{Gate, Rows};
use crate::extraction::run::Run;
use crate::extraction::walk::Walk;
use crate::extraction::writer::UnitWriter;
use crate::jql::Axis;
use crate::paging::cuts::ISSUES_PER_PAGE;
use crate::paging::range::Range;
use std::collections::BTreeSet;

/// What was read again.
#[derive(Default)]
pub(crate) struct Again {
    pub(crate) accepted: Vec<Accepted>,
    /// Issues whose children were gone when asked for.
    pub(crate) vanished: Vec<i64>,
}

/// Reads these issues again, as far as they exist.
pub(crate) async fn read(run: &Run, ids: &BTreeSet<i64>) -> Result<Again, Error> {
    if ids.is_empty() {
        return Ok(Again::default());
    }
    let generation = run.next_generation();
    let asks = run.asks().await;
    let writer = UnitWriter::open(run, "linked", generation).await;
    let mut rows = Rows::new(run, writer, Gate::Wanted(ids.iter().copied().collect()));
    let ids: Vec<i64> = ids.iter().copied().collect();
    Walk::over_rows(run, asks, ISSUES_PER_PAGE, i64::MAX).issues(&ids, &mut rows).await?;
    let again = rows.accepted_ids();
    let Rows { mut writer, accepted, vanished, .. } = rows;
    writer
        .sink
        .replaced(&again)
        .map_err(|error| Error::undecodable("the ids of issues read again", &error))?;
    let work = Work::Repair { generation, range: Range::new(Axis::Created, i64::MIN, i64::MAX) };
    writer.finish(|stats| Done::new(work, stats).with_issues(&accepted)).await?;
    Ok(Again { accepted, vanished })
}
