//! The tables that a run can name. A table name becomes a folder of the lake, so whatever is not in this list is refused at
//! the door, from a user and from an agent alike.

use jira::Table;

/// The pseudo table of issue ids that a later generation has read again.
pub(crate) const REPLACED: &str = "_replaced";

/// Whether the table is made from issues: replaced by issue in a delta load, and with a watermark.
pub(crate) fn is_issue_table(name: &str) -> bool {
    Table::parse(name).is_some_and(Table::is_issue_table)
}

/// Whether a part of this table may land.
pub(crate) fn is_landable(name: &str) -> bool {
    name == REPLACED || is_table(name)
}

/// Whether a user can ask for this table.
pub(crate) fn is_table(name: &str) -> bool {
    Table::parse(name).is_some()
}

/// Every table that a user can ask for.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    Table::all().iter().map(|table| table.name())
}

/// The tables of a selection in which nothing means every default table.
pub(crate) fn selected(tables: &[String]) -> Vec<String> {
    if tables.is_empty() {
        return Table::defaults().map(|table| table.name().to_owned()).collect();
    }
    tables.to_vec()
}

/// The table that was probably meant.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    all()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_selection_means_every_default_table() {
        let chosen = selected(&[]);
        assert!(chosen.contains(&"event_log".to_owned()) && !chosen.contains(&"audit_records".to_owned()));
        assert_eq!(selected(&["issues".to_owned()]), ["issues"]);
    }

    #[test]
    fn a_path_is_no_table() {
        assert!(!is_landable("../issues"));
        assert!(is_landable("_replaced") && !is_table("_replaced"));
    }

    #[test]
    fn a_typing_mistake_finds_its_table() {
        assert_eq!(nearest("isues"), Some("issues"));
        assert_eq!(nearest("something_else"), None);
    }
}
