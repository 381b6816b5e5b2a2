//! What the lists of some tables are asked for: the ids of projects, boards, schemes and the like, read once a run.

use crate::client::allow::{ListAsk, Of, Read};
use crate::decode::MetadataPage;
use crate::error::Error;
use crate::extraction::metadata::{Asked, Next, ask_one};
use crate::extraction::run::Run;
use crate::extraction::subjects::{CustomField, boards, desks, projects, sprints};
use crate::tables::Table;
use crate::tables::origin::{Each, Origin};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// What custom fields with options are called in `schema.custom`, behind the colon.
const CHOICES: [&str; 5] = ["select", "multiselect", "radiobuttons", "multicheckboxes", "cascadingselect"];

/// What a table is asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) of: Vec<Of>,
    /// How many answers that name it Jira refused.
    pub(crate) withheld: u64,
}

/// Everything that a list is asked for.
pub(crate) async fn found(run: &Run, each: Each) -> Result<Found, Error> {
    Ok(match each {
        Each::SiteOrProject(_) if run.spec.narrowing.has_projects() => ids(projects(run).await?),
        Each::Site | Each::SiteOrProject(_) => Found { of: vec![Of::Site], withheld: 0 },
        Each::Project | Each::ProjectIn(_) => ids(projects(run).await?),
        Each::ProjectRole => project_roles(run).await?,
        Each::ScrumBoard => {
            let boards = boards(run).await?.iter().filter(|board| board.shows_sprints);
            ids(&boards.map(|board| board.id).collect::<Vec<_>>())
        }
        Each::Board => ids(&boards(run).await?.iter().map(|board| board.id).collect::<Vec<_>>()),
        Each::Sprint => ids(sprints(run).await?),
        Each::ServiceDesk => ids(&desks(run).await?.iter().map(|desk| desk.id).collect::<Vec<_>>()),
        Each::BoardFilter => board_filters(run).await?,
        Each::PermissionScheme => {
            let (schemes, withheld) = elements(run, Table::PermissionSchemes, Of::Site).await?;
            Found { of: schemes.iter().filter_map(number("id")).map(Of::Id).collect(), withheld }
        }
        Each::GroupIn(_) => {
            let (groups, withheld) = elements(run, Table::Groups, Of::Site).await?;
            let name = |group: &Value| Some(group.get("groupId").or(group.get("name"))?.as_str()?.into());
            Found { of: groups.iter().filter_map(name).map(Of::Name).collect(), withheld }
        }
        Each::CustomField => of_fields(custom_fields(run).await?.iter()),
        Each::ChoiceField => of_fields(custom_fields(run).await?.iter().filter(|field| field.is_choice)),
        Each::ChoiceContext => contexts(run).await?,
    })
}

fn ids(ids: &[i64]) -> Found {
    Found { of: ids.iter().copied().map(Of::Id).collect(), withheld: 0 }
}

fn of_fields<'a>(fields: impl Iterator<Item = &'a CustomField>) -> Found {
    Found { of: fields.map(|field| Of::Id(field.number)).collect(), withheld: 0 }
}

/// The whole number of a member, also if Jira sends it as a text.
fn number(member: &'static str) -> impl Fn(&Value) -> Option<i64> {
    move |object| {
        let value = object.get(member)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }
}

/// Each board with the filter that its configuration names.
async fn board_filters(run: &Run) -> Result<Found, Error> {
    let boards: Vec<i64> = boards(run).await?.iter().map(|board| board.id).collect();
    let mut answers = futures_util::stream::iter(boards)
        .map(|board| async move { (board, elements(run, Table::BoardConfigurations, Of::Id(board)).await) })
        .buffer_unordered(run.lanes());
    let mut found = Found::default();
    while let Some((board, answer)) = answers.next().await {
        let (configurations, withheld) = answer?;
        let filters = configurations.iter().filter_map(|one| one.get("filter")).filter_map(number("id"));
        found.of.extend(filters.map(|filter| Of::Pair(board, filter)));
        found.withheld += withheld;
    }
    Ok(found)
}

/// Each role of each project: the numbers in which the addresses of the roles end. The addresses themselves are never followed.
async fn project_roles(run: &Run) -> Result<Found, Error> {
    let projects = projects(run).await?.to_vec();
    let mut answers = futures_util::stream::iter(projects)
        .map(|id| async move { (id, run.read_list(&Read::ProjectRoles { id }).await) })
        .buffer_unordered(run.lanes());
    let mut found = Found::default();
    while let Some((id, answer)) = answers.next().await {
        let json = match answer {
            Ok(json) => json,
            Err(Error::Forbidden { .. } | Error::NotFound { .. }) => {
                found.withheld += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let roles: HashMap<String, String> = parse("the roles of a project", &json)?;
        let last = |address: &String| address.rsplit('/').next()?.parse().ok();
        let roles: BTreeSet<i64> = roles.values().filter_map(last).collect();
        found.of.extend(roles.into_iter().map(|role| Of::Pair(id, role)));
    }
    Ok(found)
}

/// The custom fields of the site that do not belong to one project alone.
async fn custom_fields(run: &Run) -> Result<&[CustomField], Error> {
    let read = || async {
        let fields: Vec<Value> = parse("the fields", &run.client.read(&Read::Field).await?)?;
        Ok(fields.iter().filter_map(custom_field).collect())
    };
    run.subjects.custom_fields.get_or_try_init(read).await.map(Vec::as_slice)
}

fn custom_field(field: &Value) -> Option<CustomField> {
    let number = field.get("id")?.as_str()?.strip_prefix("customfield_")?.parse().ok()?;
    if field.pointer("/scope/type").is_some_and(|scope| scope == "PROJECT") {
        return None;
    }
    let kind = field.pointer("/schema/custom").and_then(Value::as_str).unwrap_or_default();
    let is_choice = CHOICES.contains(&kind.rsplit(':').next().unwrap_or_default());
    Some(CustomField { number, is_choice })
}

/// Each context of each custom field that offers options.
async fn contexts(run: &Run) -> Result<Found, Error> {
    let fields = custom_fields(run).await?.iter().filter(|field| field.is_choice);
    let fields: Vec<i64> = fields.map(|field| field.number).collect();
    let mut answers = futures_util::stream::iter(fields)
        .map(|field| async move { (field, elements(run, Table::FieldContexts, Of::Id(field)).await) })
        .buffer_unordered(run.lanes());
    let mut found = Found::default();
    while let Some((field, answer)) = answers.next().await {
        let (contexts, withheld) = answer?;
        let contexts = contexts.iter().filter_map(number("id"));
        found.of.extend(contexts.map(|context| Of::Pair(field, context)));
        found.withheld += withheld;
    }
    Ok(found)
}

/// Every element of a table's list, page after page, and how many pages Jira refused or elements it did not give.
async fn elements(run: &Run, table: Table, of: Of) -> Result<(Vec<Value>, u64), Error> {
    let Some(origin) = Origin::of(table, run.client.is_cloud()) else { return Ok((Vec::new(), 0)) };
    let mut ask = ListAsk::first(table, of, run.client.is_cloud());
    let mut elements: Vec<Value> = Vec::new();
    loop {
        let Asked::Answer(json) = ask_one(run, origin, &ask).await? else { return Ok((elements, 1)) };
        let (listed, page) = listed(origin, &json, &elements)?;
        elements.extend(listed);
        match ask.next(origin, &page) {
            Next::Ask(next) => ask = next,
            Next::End => return Ok((elements, 0)),
            Next::Cut(missing) => return Ok((elements, missing)),
        }
    }
}

/// The elements of a page that are not known yet, and what the page says of itself.
fn listed(origin: &Origin, json: &str, known: &[Value]) -> Result<(Vec<Value>, MetadataPage), Error> {
    let mut answer: Value = parse("a list of metadata", json)?;
    let (is_last, total) =
        (answer.get("isLast").and_then(Value::as_bool), answer.get("total").and_then(Value::as_u64));
    let list = if origin.list == Origin::ITSELF {
        vec![answer]
    } else {
        let pointer =
            if answer.is_array() { String::new() } else { format!("/{}", origin.list.replace('.', "/")) };
        match answer.pointer_mut(&pointer).map(Value::take) {
            Some(Value::Array(list)) => list,
            _ => return Err(undecodable("a list of metadata", "there is no list")),
        }
    };
    let length = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let count = length(list.len());
    let fresh: Vec<Value> = list.into_iter().filter(|element| !known.contains(element)).collect();
    let page = MetadataPage { count, fresh: length(fresh.len()), is_last, total };
    Ok((fresh, page))
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| undecodable(what, &error.to_string()))
}

fn undecodable(what: &str, detail: &str) -> Error {
    Error::Undecodable { what: what.to_owned(), detail: detail.to_owned() }
}
