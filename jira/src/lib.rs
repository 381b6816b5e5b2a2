//! The extraction engine: given a Jira, a credential and a spec it yields Parquet parts, checkpoint entries and warnings.
//!
//! It knows no protocol of ours and touches no disk. [`extract`] starts an extraction; [`Extraction::next`] hands out its events.
//! Reading stops when nobody asks for the next event, so the caller's speed bounds the load on Jira.

pub mod error;
pub mod unit;

pub mod timestamp;
pub mod warning;
pub mod part;
pub mod tables;
pub mod fields;
pub mod batch;
pub mod decode;
