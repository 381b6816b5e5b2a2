//! Everything that the demo itself prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this module is the output of the demo")]

use crate::error::DemoError;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Numbers the steps.
#[derive(Debug, Default)]
pub(crate) struct Tour {
    step: u32,
}

impl Tour {
    /// Says what happens next.
    pub(crate) fn step(&mut self, what: &str) {
        self.step += 1;
        println!("\n[{}] {what}", self.step);
    }

    /// Shows the command that does it, as a user would type it.
    pub(crate) fn command(&self, line: &str) {
        println!("    $ {line}");
    }

    /// Says what came of it.
    pub(crate) fn note(&self, text: &str) {
        println!("    {text}");
    }
}

/// Prints why the demo stopped.
pub(crate) fn failed(error: &DemoError) -> ExitCode {
    eprintln!("{}\ndemo: {error}", error.logs());
    ExitCode::FAILURE
}

/// The rows of each table beside the rows that Jira holds; the names of the tables that differ.
pub(crate) fn compare(
    landed: &BTreeMap<String, u64>,
    truth: &BTreeMap<String, u64>,
) -> (String, Vec<String>) {
    let mut text = format!("    {:<22}{:>12}{:>12}\n", "TABLE", "ROWS", "JIRA HOLDS");
    let mut wrong = Vec::new();
    for (table, expected) in truth {
        let rows = landed.get(table).copied().unwrap_or(0);
        let verdict = if rows == *expected { "equal" } else { "DIFFERENT" };
        text.push_str(&format!("    {table:<22}{rows:>12}{expected:>12}  {verdict}\n"));
        if rows != *expected {
            wrong.push(format!("{table} has {rows} rows instead of {expected}"));
        }
    }
    (text, wrong)
}

/// Prints a ready-made text.
pub(crate) fn text(text: &str) {
    print!("{text}");
}

/// Where the tables are and how to open them.
pub(crate) fn goodbye(folder: &Path, lake: &Path, took: Duration) {
    let issues = lake.join("issues");
    let issues = issues.display();
    println!(
        "
Done in {seconds} seconds after the build. Relay, agent and Jira are stopped; the tables stay:

    {lake}/

Python (pip install deltalake polars):
    import polars; print(polars.read_delta(\"{issues}\"))
    import deltalake; print(deltalake.DeltaTable(\"{issues}\").to_pandas())
DuckDB:
    INSTALL delta; LOAD delta; SELECT status_name, count(*) FROM delta_scan('{issues}') GROUP BY ALL;
Spark (with delta-spark):
    spark.read.format(\"delta\").load(\"{issues}\").show()

Everything that the demo made is below {folder}; the next demo empties it, and you may delete it.",
        seconds = took.as_secs(),
        lake = lake.display(),
        folder = folder.display(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_other_rows_than_jira_is_named() {
        let map =
            |issues, users| BTreeMap::from([("issues".to_owned(), issues), ("users".to_owned(), users)]);
        assert!(compare(&map(3, 2), &map(3, 2)).1.is_empty());
        let (text, wrong) = compare(&map(2, 2), &map(3, 2));
        assert_eq!(wrong, ["issues has 2 rows instead of 3"]);
        assert!(text.contains("DIFFERENT") && text.contains("equal"), "{text}");
        assert_eq!(compare(&BTreeMap::new(), &map(3, 0)).1.len(), 1);
    }
}
