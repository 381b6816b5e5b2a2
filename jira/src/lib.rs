//! The extraction engine: given a Jira, a credential and a spec it yields Parquet parts, checkpoint entries and warnings.
//!
//! It knows no protocol of ours and touches no disk. [`extract`] starts an extraction; [`Extraction::next`] hands out its events.
//! Reading stops when nobody asks for the next event, so the caller's speed bounds the load on Jira.
//!
//! Two halves: *reading* (`client`, `jql`, `paging`, `extraction`, `checkpoint`) decides what to ask Jira and proves that nothing
//! was lost; *columns* (`decode`, `fields`, `tables`, `rows`, `batch`, `part`) turns the answers into parts. How reading stays exact while
//! people go on working in Jira is written at the head of `paging` and `extraction`.

mod unit;

mod batch;
mod columns;
mod decode;
mod derive;
mod fields;
mod mask;
mod part;
mod rows;
mod tables;
mod timestamp;
mod undecodable;
mod warning;

mod client;
mod dialect;
mod error;
mod jql;
mod paging;
mod project;
mod refused;
mod spec;

mod about;
mod asks;
mod checkpoint;
mod extraction;
mod landed;
mod visible;

pub use about::{About, about};
pub use checkpoint::{CheckpointEntry, ENTRY_BYTES_MAX};
pub use client::addresses::{Addresses, NoNetwork};
pub use client::allow::permits;
pub use client::login::Login;
pub use client::pace::Pace;
pub use client::probe::{Probe, probe};
pub use client::record::{Observer, RequestRecord};
pub use client::site::{Credential, Limits, Proxy, Site, Way};
pub use client::{JiraClient, Stats};
pub use columns::Columns;
pub use dialect::Dialect;
pub use error::{Error, UnreachableCause};
pub use extraction::discover::{Discovery, FoundColumn, FoundTable, discover};
pub use extraction::events::{Event, Phase, Progress, Summary};
pub use extraction::{Extraction, extract};
pub use landed::{LandedAnswer, LandedAsk, LandedColumn, LandedIssues, LandedQuestion, LandedSlice};
pub use mask::{ColumnSelector, Hasher, KEY_BYTES_MIN, Mask, MaskRule, Masks, Narrowing, fingerprint};
pub use part::Part;
pub use project::ProjectKey;
pub use refused::{MaskError, SpecError};
pub use spec::{Mode, Spec, SweepDepth, Watermark, check_jql};
pub use tables::left_out::{LEFT_OUT, LeftOut};
pub use tables::{ColumnInfo, ColumnType, DeltaStrategy, Table, TableInfo, catalogue};
pub use unit::UnitId;
pub use visible::Visible;
pub use warning::Warning;
