//! What an extraction reads: the flags that `extract` and `discover` share.

use super::name;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;
use std::path::PathBuf;

/// What is read.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only these tables [default: all but the optional ones]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Only issues of the projects with these keys
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) projects: Vec<String>,
    /// Only issues created at or after this time: 2026-01-31, or RFC 3339 (UTC when no zone is given)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) created_from: Option<DateTime<Utc>>,
    /// Only issues created before this time
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) created_to: Option<DateTime<Utc>>,
    /// Only issues last updated at or after this time
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) updated_from: Option<DateTime<Utc>>,
    /// Only issues last updated before this time
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) updated_to: Option<DateTime<Utc>>,
    /// Only these columns of the tables named here (TABLE.COLUMN, or a column of issues); keys come with them
    #[arg(long, value_name = "A,T.B", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Hash these columns with SHA-256 before they leave (TABLE.COLUMN, *.COLUMN or people)
    #[arg(long, value_name = "T.A,people", value_delimiter = ',')]
    pub(crate) pseudonymise: Vec<String>,
    /// File whose first line is hashed before each pseudonymised value
    #[arg(long, value_name = "FILE", requires = "pseudonymise")]
    pub(crate) pseudonym_salt_file: Option<PathBuf>,
    /// Only issues that this JQL condition finds
    #[arg(long)]
    pub(crate) jql: Option<String>,
}

/// `uplinkctl discover`
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// Data connection to look at
    #[arg(value_parser = name)]
    pub(crate) connection: String,
    /// What an extraction would read.
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Sample rows of each table
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub(crate) sample: u32,
}

fn date(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    text.parse::<chrono::NaiveDateTime>()
        .map(|moment| moment.and_utc())
        .map_err(|_| "give a day like 2026-01-31 or a time like 2026-01-31T08:00:00Z".to_owned())
}
