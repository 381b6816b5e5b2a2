//! Pure decisions of reading: which page next, where to cut, what proves that a range was read whole.
//!
//! # Why nothing is lost and nothing doubled
//!
//! Jira's pages are no snapshot: while one reads, issues are created, edited, moved and deleted, and by offset each such change shifts
//! unread issues out of sight. So a range of time is walked by *key-set* ([`keyset::KeySet`]): always from offset 0, ordered by time and
//! key, from the last second seen; ids seen before are dropped. On the `created` axis nothing can shift, since nobody changes a creation
//! time. On the `updated` axis an edit moves an issue only forward, past the end of the range: it is then read by the next pass.
//!
//! Jira's index holds whole seconds and its answers hold milliseconds, so times are floored to the second before they are compared, and
//! every range is half-open and of whole seconds. The text of an issue may also be *newer* than the index entry that found it: on the
//! `updated` axis such an issue shows a time at or after the end of the range, and must not move the walk forward. That is recognisable
//! because ranges never reach into the second that is still running, except for a range of that one second.
//!
//! Jira Cloud lists thousands of ids at once: the slices of a full load are listed there, and their issues read by id.
//!
//! A second that holds more than a page is read apart by offset ([`second::Second`]): every answer's count tells how far issues that left
//! can have pulled unread ones to the left, and a page that may have skipped one is asked again from there.
//!
//! Cuts between slices ([`cuts`]) come from offset probes or estimated counts ([`halving`]); a wrong cut only makes a slice larger or smaller, never incomplete.
//!
//! What a full load believes to hold ([`known::Known`]) is counted against Jira at the end; see `extraction`.

pub(crate) mod cuts;
pub(crate) mod halving;
pub(crate) mod ids;
pub(crate) mod keyset;
pub(crate) mod known;
pub(crate) mod range;
pub(crate) mod second;

#[cfg(test)]
mod model;
