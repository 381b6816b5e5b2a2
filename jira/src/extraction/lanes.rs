//! Slices read side by side: a bounded queue, and a few more readers than requests may be in flight, since a reader that takes a page into
//! rows asks for nothing meanwhile.
//!
//! A full load reads the lists of metadata beside them on one lane, and each reader that finds no slice left gives its lane to the lists: their
//! short questions then fill what the last slices, the passes and the proof leave idle.

use crate::error::Error;
use crate::extraction::run::Run;
use crate::paging::range::Range;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Requests that may be in flight for each reader more than there are such requests. Taking a page costs a fifth of the time of asking for it.
const LANES_PER_READER_MORE: usize = 4;

/// Reads every slice of the queue; ends at the first error.
pub(crate) async fn read_all<F, R>(
    run: &Arc<Run>,
    mut tasks: JoinSet<Result<(), Error>>,
    slices: mpsc::Receiver<Range>,
    read: F,
) -> Result<(), Error>
where
    F: Fn(Range) -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Error>> + Send + 'static,
{
    let slices = Arc::new(Mutex::new(slices));
    for _ in 0..run.lanes() + run.lanes() / LANES_PER_READER_MORE {
        tasks.spawn(lane(Arc::clone(run), Arc::clone(&slices), read.clone()));
    }
    drop(slices);
    join(tasks).await
}

async fn lane<F, R>(run: Arc<Run>, slices: Arc<Mutex<mpsc::Receiver<Range>>>, read: F) -> Result<(), Error>
where
    F: Fn(Range) -> R,
    R: Future<Output = Result<(), Error>>,
{
    loop {
        let next = slices.lock().await.recv().await;
        let Some(slice) = next else {
            run.give_lane_to_lists();
            return Ok(());
        };
        read(slice).await?;
    }
}

/// Waits for all tasks; ends at the first error, and with it all others.
pub(crate) async fn join(mut tasks: JoinSet<Result<(), Error>>) -> Result<(), Error> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Error::Client { detail: format!("a reading task broke off: {error}") })??;
    }
    Ok(())
}
