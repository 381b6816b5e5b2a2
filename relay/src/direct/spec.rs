//! What a direct run reads: the wire's words become the engine's spec here, as they do in the policy of an agent.

use chrono::{DateTime, Utc};
use jira::{Columns, Masks, Mode, ProjectKey, Spec, SpecError, SweepDepth, Table, Watermark};
use protocol::control::Failure;
use protocol::spec::{ExtractionSpec, Load};
use std::collections::BTreeSet;

/// The engine's spec of an extraction.
///
/// # Errors
/// When a table, project or time is none that the engine knows.
pub(super) fn engine_spec(wire: &ExtractionSpec) -> Result<Spec, Failure> {
    let mode = match wire.load {
        Load::Full => Mode::Full,
        Load::Delta { since_ms } => Mode::Delta { watermark: Watermark { until: time(since_ms)? } },
        Load::Sweep { since_ms, every_id, delta } => {
            let depth = if every_id { SweepDepth::EveryId } else { SweepDepth::Counts };
            Mode::Sweep { watermark: Watermark { until: time(since_ms)? }, depth, delta }
        }
    };
    let projects: Result<Vec<_>, _> = wire.projects.iter().map(|key| ProjectKey::parse(key)).collect();
    let because = |error: SpecError| refused(error.to_string());
    let pseudonyms = wire.pseudonyms.as_ref().map_or_else(
        || Ok(Masks::default()),
        |asked| Masks::pseudonyms(asked.columns.iter().map(String::as_str), asked.salt.as_bytes()),
    );
    let spec = Spec {
        projects: projects.map_err(because)?,
        created_from: wire.created_from_ms.map(time).transpose()?,
        created_to: wire.created_to_ms.map(time).transpose()?,
        updated_from: wire.updated_from_ms.map(time).transpose()?,
        updated_to: wire.updated_to_ms.map(time).transpose()?,
        columns: Columns::parse(wire.columns.iter().map(String::as_str)).map_err(because)?,
        pseudonyms: pseudonyms.map_err(|error| because(error.into()))?,
        jql: wire.jql.clone(),
        ..Spec::all(tables(&wire.tables)?, mode)
    };
    spec.check().map_err(because)?;
    Ok(spec)
}

fn tables(names: &[String]) -> Result<BTreeSet<Table>, Failure> {
    if names.is_empty() {
        return Ok(Table::defaults().collect());
    }
    let known =
        |name: &String| Table::parse(name).ok_or_else(|| refused(format!("there is no table `{name}`")));
    names.iter().map(known).collect()
}

fn time(ms: i64) -> Result<DateTime<Utc>, Failure> {
    DateTime::from_timestamp_millis(ms)
        .ok_or_else(|| refused(format!("{ms} ms since 1970 is no time that Jira could know")))
}

fn refused(message: String) -> Failure {
    Failure { code: "extraction_refused".to_owned(), message, hint: "correct the extraction".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> ExtractionSpec {
        ExtractionSpec::all(Load::Full)
    }

    #[test]
    fn what_the_engine_does_not_know_is_refused_by_its_name() {
        assert!(engine_spec(&wire()).is_ok());
        let strange = ExtractionSpec { tables: vec!["isues".to_owned()], ..wire() };
        assert!(engine_spec(&strange).unwrap_err().message.contains("isues"));
        let escaping = ExtractionSpec { jql: Some("a = 1) OR (b = 2".to_owned()), ..wire() };
        assert_eq!(engine_spec(&escaping).unwrap_err().code, "extraction_refused");
        let never = ExtractionSpec { created_from_ms: Some(i64::MAX), ..wire() };
        assert!(engine_spec(&never).is_err());
    }
}
