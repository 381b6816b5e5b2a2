//! Sorted indexes: a range is two binary searches, its count a subtraction.

/// One issue on one axis. The order of entries is `(at, project, number)`, which is `ORDER BY axis, key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Whole seconds since 1970 (Jira's index holds no milliseconds); 0 on the key axis.
    pub(crate) at: i64,
    /// Rank of the project by its key's alphabetical order.
    pub(crate) rank: u16,
    pub(crate) number: u32,
    pub(crate) slot: u32,
}

/// Entries in order.
#[derive(Debug, Default)]
pub(crate) struct Index(Vec<Entry>);

impl Index {
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self(entries)
    }

    pub(crate) fn all(&self) -> &[Entry] {
        &self.0
    }

    /// The entries with `from <= at < until`.
    pub(crate) fn range(&self, from: i64, until: i64) -> &[Entry] {
        let start = self.0.partition_point(|entry| entry.at < from);
        let end = self.0.partition_point(|entry| entry.at < until).max(start);
        &self.0[start..end]
    }

    /// The entries of one project with `from <= number <= to`, on the key axis.
    pub(crate) fn keys(&self, rank: u16, from: u32, to: u32) -> &[Entry] {
        let start = self.0.partition_point(|entry| (entry.rank, entry.number) < (rank, from));
        let end = self.0.partition_point(|entry| (entry.rank, entry.number) <= (rank, to)).max(start);
        &self.0[start..end]
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let at = self.0.partition_point(|known| *known < entry);
        self.0.insert(at, entry);
    }

    pub(crate) fn remove(&mut self, entry: Entry) {
        if let Ok(at) = self.0.binary_search(&entry) {
            self.0.remove(at);
        }
    }
}
