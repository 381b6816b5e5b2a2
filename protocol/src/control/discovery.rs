//! What an extraction would read, told before it is started: tables with their columns, sample rows, and about how many rows and requests.

use super::{Failure, RunWarning};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of this feature among an agent's capabilities.
pub const DISCOVERY: &str = "discovery";

/// JSON of one message, in bytes: less than half of what a control message may have.
const MESSAGE_BYTES: usize = 96 << 10;
/// Columns of one piece: a site may have thousands.
const COLUMNS_PER_PIECE: usize = 200;

/// A table that an extraction would fill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiscoveredTable {
    /// Its name.
    pub table: String,
    /// The columns that tell its rows apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The columns that would leave, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<DiscoveredColumn>,
    /// About how many rows; unknown where nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whether `rows` was reckoned from a sample.
    pub is_estimate: bool,
    /// Rows as they would leave, texts cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<Map<String, Value>>,
}

/// A column of such a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiscoveredColumn {
    /// Its name.
    pub name: String,
    /// `i64`, `f64`, `text`, `json`, `bool`, `date` or `timestamp`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Jira's id of the custom field that fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_id: Option<String>,
    /// How its values are hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
}

/// How the looking ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DiscoveryReport {
    /// It was found.
    Ok {
        /// Issues that the extraction would read, as Jira counts them.
        issues: u64,
        /// About how many requests a full load would send.
        requests: u64,
        /// Requests that the looking sent.
        asked: u64,
        /// What the policy of the premises would take away.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        policy: Vec<RunWarning>,
    },
    /// It was not.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// Cuts tables into as many lists as fit a message each. Whoever hears them puts together what has one table's name.
pub fn in_messages(tables: Vec<DiscoveredTable>) -> Vec<Vec<DiscoveredTable>> {
    let mut messages: Vec<Vec<DiscoveredTable>> = Vec::new();
    let mut room = 0_usize;
    for piece in tables.into_iter().flat_map(pieces) {
        let bytes = serde_json::to_string(&piece).map_or(MESSAGE_BYTES, |text| text.len() + 1);
        match messages.last_mut().filter(|_| bytes <= room) {
            Some(message) => message.push(piece),
            None => {
                room = MESSAGE_BYTES;
                messages.push(vec![piece]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    messages
}

fn pieces(table: DiscoveredTable) -> Vec<DiscoveredTable> {
    let DiscoveredTable { table: name, columns, sample, .. } = table.clone();
    let of_table = || DiscoveredTable { table: name.clone(), ..DiscoveredTable::default() };
    let head = DiscoveredTable { columns: Vec::new(), sample: Vec::new(), ..table };
    let columns = columns
        .chunks(COLUMNS_PER_PIECE)
        .map(|some| DiscoveredTable { columns: some.to_vec(), ..of_table() })
        .collect::<Vec<_>>();
    let rows = sample.into_iter().map(|row| DiscoveredTable { sample: vec![row], ..of_table() });
    std::iter::once(head).chain(columns).chain(rows).collect()
}

impl DiscoveredTable {
    /// Takes a piece up into the tables that were told before.
    pub fn join(self, tables: &mut Vec<Self>) {
        match tables.iter_mut().find(|known| known.table == self.table) {
            Some(known) => {
                known.columns.extend(self.columns);
                known.sample.extend(self.sample);
            }
            None => tables.push(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_columns_and_long_rows_travel_in_messages_that_fit_and_come_together_again() {
        let column = |at: usize| DiscoveredColumn {
            name: format!("a_custom_field_of_the_site_{at}"),
            type_name: "text".to_owned(),
            field_id: Some(format!("customfield_{at}")),
            mask: None,
        };
        let row = || Map::from_iter([("summary".to_owned(), Value::String("x".repeat(20_000)))]);
        let wide = DiscoveredTable {
            table: "issues".to_owned(),
            key: vec!["issue_id".to_owned()],
            columns: (0..3000).map(column).collect(),
            rows: Some(7),
            is_estimate: true,
            sample: vec![row(); 20],
        };
        let small = DiscoveredTable { table: "users".to_owned(), ..DiscoveredTable::default() };
        let messages = in_messages(vec![wide.clone(), small.clone()]);
        assert!(messages.len() > 5);
        for message in &messages {
            assert!(serde_json::to_string(message).unwrap().len() < 128 << 10);
        }
        let mut together = Vec::new();
        messages.into_iter().flatten().for_each(|piece| piece.join(&mut together));
        assert_eq!(together, [wide, small]);
    }
}
