//! What landed before a run, as its extraction asks for it; for a sweep an index of the table `issues`, read once a run and kept until the run ends.

use crate::lake::{LandedIndex, TablePlace};
use crate::node::Node;
use protocol::landed::{LandedIssues, LandedPiece, LandedQuestion, PIECE_ITEMS_MAX, REFERRED_MAX};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The indexes of runs that sweep.
#[derive(Default)]
pub(crate) struct LandedIndexes(Mutex<HashMap<i64, Arc<LandedIndex>>>);

impl LandedIndexes {
    /// The run is over for whoever read it.
    pub(crate) async fn forget(&self, number: i64) {
        self.0.lock().await.remove(&number);
    }
}

/// The whole answer to a question of run `number`.
pub(crate) async fn answer(
    node: &Node,
    number: i64,
    (pool, connection): (&str, &str),
    question: &LandedQuestion,
) -> LandedPiece {
    let issues =
        TablePlace { pool: pool.to_owned(), connection: connection.to_owned(), table: "issues".to_owned() };
    let answered = match question {
        LandedQuestion::Referring { issues: ids } if ids.len() <= REFERRED_MAX => {
            node.lake.referring(&issues, ids.clone()).await.map(|ids| LandedPiece::Ids { ids })
        }
        LandedQuestion::Referring { .. } => {
            return LandedPiece::Impossible {
                reason: format!("more than {REFERRED_MAX} issues are asked about"),
            };
        }
        LandedQuestion::OwnersOfWorklogs { worklogs } if worklogs.len() <= REFERRED_MAX => {
            node.lake.owners_of_worklogs(&issues, worklogs.clone()).await.map(|ids| LandedPiece::Ids { ids })
        }
        LandedQuestion::OwnersOfWorklogs { .. } => {
            return LandedPiece::Impossible {
                reason: format!("more than {REFERRED_MAX} work logs are asked about"),
            };
        }
        LandedQuestion::Columns => {
            node.lake.custom_columns(&issues).await.map(|columns| LandedPiece::Columns { columns })
        }
        LandedQuestion::Astray => node.lake.astray(&issues).await.map(|ids| LandedPiece::Ids { ids }),
        LandedQuestion::Slices { .. } | LandedQuestion::Issues { .. } => {
            index(node, number, &issues).await.map(|index| index.answer(question))
        }
    };
    answered.unwrap_or_else(|error| LandedPiece::Impossible { reason: error.to_string() })
}

async fn index(
    node: &Node,
    number: i64,
    issues: &TablePlace,
) -> Result<Arc<LandedIndex>, crate::lake::LakeError> {
    let mut indexes = node.landed.0.lock().await;
    if let Some(index) = indexes.get(&number) {
        return Ok(Arc::clone(index));
    }
    let index = Arc::new(node.lake.landed_index(issues).await?);
    indexes.insert(number, Arc::clone(&index));
    Ok(index)
}

/// Cuts an answer into pieces that fit control messages; at least one.
pub(crate) fn pieces(answer: LandedPiece) -> Vec<LandedPiece> {
    match answer {
        LandedPiece::Ids { ids } if ids.len() > PIECE_ITEMS_MAX => {
            ids.chunks(PIECE_ITEMS_MAX).map(|ids| LandedPiece::Ids { ids: ids.to_vec() }).collect()
        }
        LandedPiece::Issues { issues } => {
            let mut pieces: Vec<LandedPiece> = issues.iter().flat_map(pieces_of).collect();
            if pieces.is_empty() {
                pieces.push(LandedPiece::Issues { issues: Vec::new() });
            }
            pieces
        }
        LandedPiece::Columns { columns } if columns.len() > COLUMNS_MAX => columns
            .chunks(COLUMNS_MAX)
            .map(|columns| LandedPiece::Columns { columns: columns.to_vec() })
            .collect(),
        LandedPiece::Slices { slices } => {
            let mut pieces = Vec::new();
            let (mut some, mut counts) = (Vec::new(), 0);
            for slice in slices {
                counts += slice.counts.len() + 1;
                some.push(slice);
                if counts >= SLICE_COUNTS_MAX {
                    pieces.push(LandedPiece::Slices { slices: std::mem::take(&mut some) });
                    counts = 0;
                }
            }
            if !some.is_empty() || pieces.is_empty() {
                pieces.push(LandedPiece::Slices { slices: some });
            }
            pieces
        }
        whole => vec![whole],
    }
}

/// Issues of one project, an id and a time for each.
fn pieces_of(of: &LandedIssues) -> impl Iterator<Item = LandedPiece> {
    of.ids.chunks(ISSUES_MAX).enumerate().map(|(at, ids)| {
        let updated_ms = of.updated_ms.chunks(ISSUES_MAX).nth(at).unwrap_or_default().to_vec();
        let issues = vec![LandedIssues { project: of.project.clone(), ids: ids.to_vec(), updated_ms }];
        LandedPiece::Issues { issues }
    })
}

/// Issues in one piece: each may come with a time.
const ISSUES_MAX: usize = PIECE_ITEMS_MAX / 2;
/// Columns in one piece, with long names.
const COLUMNS_MAX: usize = 500;
/// Counts of slices in one piece, their ends included: with a long project key each, and one slice of very many projects on top.
const SLICE_COUNTS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::landed::LandedSlice;
    use protocol::limits::CONTROL_BYTES_MAX;

    #[test]
    fn pieces_fit_a_control_message_and_lose_nothing() {
        let ids: Vec<i64> = (0..5_001).map(|at| i64::MAX - at).collect();
        let cut = pieces(LandedPiece::Ids { ids: ids.clone() });
        let back: Vec<i64> = cut
            .iter()
            .flat_map(|piece| if let LandedPiece::Ids { ids } = piece { ids.clone() } else { Vec::new() })
            .collect();
        assert_eq!(back, ids);
        let counts = vec![(Some("P".repeat(255)), 1_000); 100];
        let slices = vec![LandedSlice { to_ms: i64::MAX - 1, counts }; 40];
        let cut_slices = pieces(LandedPiece::Slices { slices });
        let updated_ms: Vec<i64> = ids.iter().map(|id| -id).collect();
        let all = LandedIssues { project: Some("P".repeat(255)), ids: ids.clone(), updated_ms };
        let cut_issues = pieces(LandedPiece::Issues { issues: vec![all] });
        for piece in &cut_issues {
            let LandedPiece::Issues { issues } = piece else { panic!("another kind") };
            let paired = issues[0].ids.iter().zip(&issues[0].updated_ms).filter(|(id, time)| **id == -**time);
            assert_eq!(paired.count(), issues[0].ids.len());
        }
        for piece in cut.iter().chain(&cut_slices).chain(&cut_issues) {
            assert!(serde_json::to_string(piece).unwrap().len() < CONTROL_BYTES_MAX - 1_000);
        }
        assert_eq!(pieces(LandedPiece::Issues { issues: Vec::new() }).len(), 1);
    }
}
