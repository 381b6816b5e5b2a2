//! Writing complete parts into the lake, each in a task of its own, so that a slow disk never delays a heartbeat.

use crate::lake::{LakeError, LandedPart, TablePlace};
use crate::node::Shared;
use bytes::Bytes;
use protocol::control::{Failure, PartHeader};
use protocol::ids::StreamId;
use std::time::Duration;
use tokio::task::JoinSet;

/// What became of a part.
pub(super) struct Landing {
    pub(super) stream: StreamId,
    pub(super) header: PartHeader,
    pub(super) outcome: Result<LandedPart, Failure>,
}

/// The landings of one session. Their number is bounded by the link's open streams.
#[derive(Default)]
pub(super) struct Landings {
    tasks: JoinSet<Landing>,
}

impl Landings {
    /// Starts to write a part.
    pub(super) fn start(
        &mut self,
        node: Shared,
        place: TablePlace,
        (stream, header): (StreamId, PartHeader),
        chunks: Vec<Bytes>,
    ) {
        self.tasks.spawn(async move {
            let outcome = node.lake.land(&place, &header.run, &header, chunks).await;
            Landing { stream, header, outcome: outcome.map_err(|error| failure(&error)) }
        });
    }

    /// The next part that is written or refused; waits for ever while there is none.
    pub(super) async fn next(&mut self) -> Landing {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(landing)) => return landing,
                // The lake turns panics into errors, and nothing here is aborted: this is not reached.
                Some(Err(error)) => tracing::error!(%error, "a landing ended without a result"),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until nothing is being written any more.
    pub(super) async fn settle(&mut self, at_most: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(at_most, all).await.is_err() {
            tracing::warn!(
                parts = self.tasks.len(),
                "parts are still being written after the end of their session"
            );
        }
    }
}

fn failure(error: &LakeError) -> Failure {
    Failure {
        code: error.code().to_owned(),
        message: error.to_string(),
        hint: "put right what the message names on the relay's side, then extract again".to_owned(),
    }
}
