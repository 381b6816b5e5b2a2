//! What several tables of a run are read for, asked of Jira once: projects, boards, sprints, service desks.

use crate::client::allow::{ListAsk, Of};
use crate::decode::MetadataPage;
use crate::error::Error;
use crate::extraction::metadata::{Asked, Next, ask_one, warn_withheld};
use crate::extraction::run::Run;
use crate::tables::Table;
use crate::tables::origin::Origin;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::sync::OnceCell;

/// The subjects of a run, as soon as a table needs them.
#[derive(Default)]
pub(crate) struct Subjects {
    /// Ids of the projects that are read.
    pub(crate) projects: OnceCell<Vec<i64>>,
    boards: OnceCell<Vec<Board>>,
    sprints: OnceCell<Vec<i64>>,
    desks: OnceCell<Vec<Desk>>,
    pub(super) custom_fields: OnceCell<Vec<CustomField>>,
}

/// A custom field, as far as its tables need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomField {
    pub(crate) number: i64,
    /// Whether it offers options.
    pub(crate) is_choice: bool,
}

/// A board, as far as its tables need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board {
    pub(crate) id: i64,
    pub(crate) shows_sprints: bool,
}

/// A service desk and its project.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) id: i64,
    pub(crate) project_key: Option<String>,
}

/// The ids of the projects that are read.
pub(crate) async fn projects(run: &Run) -> Result<&[i64], Error> {
    let read = || async {
        let listed = run.client.projects().await?;
        let is_asked = |key: &str| {
            let asked = &run.spec.projects;
            asked.is_empty() || asked.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case(key))
        };
        let read = listed
            .iter()
            .filter(|project| is_asked(&project.key) && run.spec.narrowing.permits_project(&project.key));
        Ok(read.filter_map(|project| project.id.parse().ok()).collect())
    };
    run.subjects.projects.get_or_try_init(read).await.map(Vec::as_slice)
}

/// The boards that are read.
pub(crate) async fn boards(run: &Run) -> Result<&[Board], Error> {
    let read = || async {
        let of = match run.spec.narrowing.has_projects() {
            true => projects(run).await?.iter().copied().map(Of::Id).collect(),
            false => vec![Of::Site],
        };
        let found = listed(run, Table::Boards, of).await?;
        let board = |listed: &Listed| {
            Some(Board { id: listed.id()?, shows_sprints: listed.kind.as_deref() != Some("kanban") })
        };
        Ok(found.iter().filter_map(board).collect())
    };
    run.subjects.boards.get_or_try_init(read).await.map(Vec::as_slice)
}

/// The sprints of the boards that are read.
pub(crate) async fn sprints(run: &Run) -> Result<&[i64], Error> {
    let read = || async {
        let boards = boards(run).await?.iter().filter(|board| board.shows_sprints);
        let found = listed(run, Table::Sprints, boards.map(|board| Of::Id(board.id)).collect()).await?;
        // Two boards may show one sprint.
        let ids: BTreeSet<i64> = found.iter().filter_map(Listed::id).collect();
        Ok(ids.into_iter().collect())
    };
    run.subjects.sprints.get_or_try_init(read).await.map(Vec::as_slice)
}

/// The service desks of the projects that may be read.
pub(crate) async fn desks(run: &Run) -> Result<&[Desk], Error> {
    let read = || async {
        let found = listed(run, Table::ServiceDesks, vec![Of::Site]).await?;
        let permitted =
            found.iter().filter(|desk| run.spec.narrowing.permits_row_of(desk.project_key.as_deref()));
        let desk = |listed: &Listed| Some(Desk { id: listed.id()?, project_key: listed.project_key.clone() });
        Ok(permitted.filter_map(desk).collect())
    };
    run.subjects.desks.get_or_try_init(read).await.map(Vec::as_slice)
}

/// An element of a list, as far as somebody asks for it.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    id: Value,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, rename = "projectKey")]
    project_key: Option<String>,
}

impl Listed {
    fn id(&self) -> Option<i64> {
        self.id.as_i64().or_else(|| self.id.as_str()?.parse().ok())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    values: Vec<Listed>,
    #[serde(default, alias = "isLastPage")]
    is_last: Option<bool>,
    #[serde(default)]
    total: Option<u64>,
}

/// All elements of a table's lists, read once more for their ids. What Jira refuses is said unless reading the table itself says it.
async fn listed(run: &Run, table: Table, of: Vec<Of>) -> Result<Vec<Listed>, Error> {
    let is_cloud = run.client.is_cloud();
    let Some(origin) = Origin::of(table, is_cloud) else { return Ok(Vec::new()) };
    let mut asks: Vec<ListAsk> = of.into_iter().map(|of| ListAsk::first(table, of, is_cloud)).collect();
    let (mut found, mut known, mut withheld) = (Vec::new(), BTreeSet::new(), 0);
    while !asks.is_empty() {
        let mut answers = futures_util::stream::iter(asks)
            .map(|ask| async move {
                let answer = ask_one(run, origin, &ask).await;
                (ask, answer)
            })
            .buffer_unordered(run.lanes());
        let mut more = Vec::new();
        while let Some((ask, answer)) = answers.next().await {
            match answer? {
                Asked::Answer(json) => {
                    let page = parse(table, &json)?;
                    let fresh = page.values.iter().filter(|listed| known.insert(listed.id())).count();
                    let length = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
                    let told = MetadataPage {
                        count: length(page.values.len()),
                        fresh: length(fresh),
                        is_last: page.is_last,
                        total: page.total,
                    };
                    match ask.next(origin, &told) {
                        Next::Ask(next) => more.push(next),
                        Next::End => {}
                        Next::Cut(missing) => withheld += missing,
                    }
                    found.extend(page.values);
                }
                Asked::Withheld | Asked::Cut => withheld += 1,
            }
        }
        asks = more;
    }
    if withheld > 0 && !run.spec.tables.contains(&table) {
        warn_withheld(run, table, withheld).await?;
    }
    let mut seen = BTreeSet::new();
    found.retain(|listed: &Listed| seen.insert(listed.id()));
    Ok(found)
}

fn parse(table: Table, json: &str) -> Result<Page, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::Undecodable { what: format!("the {table}"), detail: error.to_string() })
}
