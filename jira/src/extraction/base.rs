//! The base pass of a full load: every issue created before the run began, by creation time.

use crate::checkpoint::{Done, Work};
use crate::error::Error;
use crate::extraction::lanes::read_all;
use crate::extraction::plan::{SLICES_AHEAD, cut};
use crate::extraction::rows::{Gate, Rows};
use crate::extraction::run::Run;
use crate::extraction::walk::Walk;
use crate::extraction::writer::UnitWriter;
use crate::jql::Axis;
use crate::paging::cuts::ISSUES_PER_PAGE;
use crate::paging::known::Known;
use crate::paging::range::Range;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Reads what `done` does not cover; gives all that is known then.
pub(crate) async fn read(
    run: &Arc<Run>,
    started_ms: i64,
    done: &[Range],
    known: Known,
) -> Result<Known, Error> {
    let bounds = run.created_bounds();
    let whole = Range::new(Axis::Created, bounds.from, bounds.to.min(started_ms));
    let gaps = whole.without(done);
    let known = Arc::new(Mutex::new(known));
    let (out, slices) = mpsc::channel(SLICES_AHEAD);
    let mut tasks = JoinSet::new();
    tasks.spawn(cut_all(Arc::clone(run), gaps, out));
    let read = {
        let (run, known) = (Arc::clone(run), Arc::clone(&known));
        move |slice| read_slice(Arc::clone(&run), Arc::clone(&known), slice)
    };
    read_all(run, tasks, slices, read).await?;
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *known))
}

async fn cut_all(run: Arc<Run>, gaps: Vec<Range>, out: mpsc::Sender<Range>) -> Result<(), Error> {
    for gap in gaps {
        cut(&run, gap, &out).await?;
    }
    Ok(())
}

async fn read_slice(run: Arc<Run>, known: Arc<Mutex<Known>>, slice: Range) -> Result<(), Error> {
    let asks = run.asks().await;
    let writer = UnitWriter::open(&run, "base", 0).await;
    let mut rows = Rows::new(&run, writer, Gate::Once(HashSet::new()));
    Walk::over_rows(&run, asks, ISSUES_PER_PAGE, i64::MAX).slice(slice, &mut rows).await?;
    let (ids, accepted) = (rows.accepted_ids(), rows.accepted);
    // Before the end is told: whoever hears of the unit may rely on it being counted.
    known.lock().unwrap_or_else(PoisonError::into_inner).add_slice(slice, ids);
    rows.writer.finish(|stats| Done::new(Work::Base { range: slice }, stats).with_ids(&accepted)).await
}
