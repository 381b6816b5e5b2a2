//! Slices read side by side: a bounded queue, and as many readers as requests may be in flight.

use crate::error::Error;
use crate::paging::range::Range;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Reads every slice of the queue; ends at the first error.
pub(crate) async fn read_all<F, R>(
    lanes: usize,
    mut tasks: JoinSet<Result<(), Error>>,
    slices: mpsc::Receiver<Range>,
    read: F,
) -> Result<(), Error>
where
    F: Fn(Range) -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Error>> + Send + 'static,
{
    let slices = Arc::new(Mutex::new(slices));
    for _ in 0..lanes {
        tasks.spawn(lane(Arc::clone(&slices), read.clone()));
    }
    drop(slices);
    join(tasks).await
}

async fn lane<F, R>(slices: Arc<Mutex<mpsc::Receiver<Range>>>, read: F) -> Result<(), Error>
where
    F: Fn(Range) -> R,
    R: Future<Output = Result<(), Error>>,
{
    loop {
        let next = slices.lock().await.recv().await;
        let Some(slice) = next else { return Ok(()) };
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
