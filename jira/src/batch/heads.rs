//! Search answers of which only the issues' names are wanted.

use super::Sink;
use crate::decode::PageHead;
use crate::fields::IssueSchema;
use crate::undecodable::DecodeError;
use crate::unit::{Place, UnitId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads a search answer that was asked with few fields: which issues it names. No rows are kept.
///
/// # Errors
/// As [`Sink::issue_page`].
pub(crate) fn decode_heads(json: &str, is_cloud: bool) -> Result<PageHead, DecodeError> {
    let place = Place { unit: UnitId::new("heads"), generation: 0 };
    let schema = IssueSchema::default().on_cloud(is_cloud);
    let mut sink = Sink::new(Arc::new(schema), &BTreeSet::new(), place, usize::MAX);
    sink.issue_page(json, &mut |_| false)
}
