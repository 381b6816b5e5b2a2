//! The log from the staged rows, in the tables that OCEL 2.0 gives the SQLite form.
//!
//! Objects are named TYPE:ID by Jira's ids, so that the same object of two files is the same name. An object is there if an event, an issue
//! or the history names it, also when its own table does not have it any more (a deleted user, a released version).

use super::{Counts, Ocel};
use std::collections::HashSet;

/// The tables that every OCEL file has.
const CREATE: &str = r#"
    create table event_map_type (ocel_type text primary key, ocel_type_map text not null);
    create table object_map_type (ocel_type text primary key, ocel_type_map text not null);
    create table event (ocel_id text primary key, ocel_type text not null, foreign key (ocel_type) references event_map_type (ocel_type));
    create table object (ocel_id text primary key, ocel_type text not null, foreign key (ocel_type) references object_map_type (ocel_type));
    create table event_object (ocel_event_id text, ocel_object_id text, ocel_qualifier text,
        primary key (ocel_event_id, ocel_object_id, ocel_qualifier),
        foreign key (ocel_event_id) references event (ocel_id), foreign key (ocel_object_id) references object (ocel_id)) without rowid;
    create table object_object (ocel_source_id text, ocel_target_id text, ocel_qualifier text,
        primary key (ocel_source_id, ocel_target_id, ocel_qualifier),
        foreign key (ocel_source_id) references object (ocel_id), foreign key (ocel_target_id) references object (ocel_id)) without rowid;
"#;

/// What events and values refer to, one row each: (issue, event or null, whether it holds now, field, type and id of the object).
///
/// Fields whose values are objects: users, versions, components, the project and sprints by id; the epic by key; several ids are joined by
/// commas.
const REFERENCES: &str = r#"
    create table stage.issue_objects (issue_id integer primary key, issue_key text, ocel_id text, ocel_type text);
    insert into stage.issue_objects
        select issue_id, issue_key, 'issue:' || issue_id,
            case when lower(type_name) = 'epic' or issue_key in
                (select value_text from stage.field_history where field_type = 'custom' and field = 'epic_link' and value_text is not null)
            then 'epic' else 'issue' end
        from stage.issues;
    create index stage.issue_by_key on issue_objects (issue_key);
    create table stage.kinds (word text, field text, field_type text, qualifier text, ocel_type text);
    insert into stage.kinds values
        ('assignee', 'assignee', 'jira', 'assignee', 'user'), ('reporter', 'reporter', 'jira', 'reporter', 'user'),
        ('sprint', 'sprint', 'custom', 'sprint', 'sprint'), ('fix version', 'fix_versions', 'jira', 'fix version', 'version'),
        ('version', 'affects_versions', 'jira', 'affected version', 'version'),
        ('component', 'components', 'jira', 'component', 'component'), ('project', 'project', 'jira', 'project', 'project');
    create table stage.told (issue_id integer, event_id text, qualifier text, ocel_type text, id text, name text);
    insert into stage.told
        select e.issue_id, e.event_id, k.qualifier, k.ocel_type, trim(v.value), case when instr(e.new_id, ',') then null else e.new_value end
        from stage.event_log e join stage.kinds k on k.word = lower(e.field) and k.field_type = e.field_type,
            json_each(case k.ocel_type when 'user' then json_array(e.new_id) else '[' || replace(json_quote(e.new_id), ',', '","') || ']' end) v
        where e.new_id <> '';
    insert into stage.told
        select e.issue_id, e.event_id, 'former ' || k.qualifier, k.ocel_type, trim(v.value), case when instr(e.old_id, ',') then null else e.old_value end
        from stage.event_log e join stage.kinds k on k.word = lower(e.field) and k.field_type = e.field_type,
            json_each(case k.ocel_type when 'user' then json_array(e.old_id) else '[' || replace(json_quote(e.old_id), ',', '","') || ']' end) v
        where e.old_id <> '';
    insert into stage.told
        select h.issue_id, null, k.qualifier, k.ocel_type, trim(v.value), case when instr(h.value_id, ',') then null else h.value_text end
        from stage.field_history h join stage.kinds k on k.field = h.field and k.field_type = h.field_type,
            json_each(case k.ocel_type when 'user' then json_array(h.value_id) else '[' || replace(json_quote(h.value_id), ',', '","') || ']' end) v
        where h.valid_to is null and h.value_id <> '';
    insert into stage.told
        select issue_id, event_id, 'resource', 'user', resource, null from stage.event_log where resource <> '';
    insert into stage.told
        select h.issue_id, null, k.qualifier, k.ocel_type, trim(v.value), case when instr(h.value_id, ',') then null else h.value_text end
        from stage.field_history h join stage.kinds k on k.field = h.field,
            json_each('["' || replace(h.value_id, ',', '","') || '"]') v
        where h.valid_to is null and h.value_id <> '' and json_valid('["' || replace(h.value_id, ',', '","') || '"]');
    insert into stage.told
        select issue_id, null, 'creator', 'user', creator_id, null from stage.issues where creator_id <> '';
    delete from stage.told where id = '';
"#;

const OBJECTS: &str = r#"
    insert into object_map_type
        select distinct ocel_type, ocel_type from
            (select ocel_type from stage.issue_objects union all select ocel_type from stage.told
             union all select 'user' from stage.users union all select 'project' from stage.projects);
    insert into object select ocel_id, ocel_type from stage.issue_objects;
    insert or ignore into object select ocel_type || ':' || id, ocel_type from stage.told;
    insert or ignore into object select 'user:' || user_id, 'user' from stage.users where user_id is not null;
    insert or ignore into object select 'project:' || project_id, 'project' from stage.projects;
"#;

const RELATIONS: &str = r#"
    insert into event
        select issue_id || '/' || event_id, activity from stage.event_log where timestamp is not null and activity is not null;
    insert into event_object
        select e.issue_id || '/' || e.event_id, o.ocel_id, 'case' from stage.event_log e join stage.issue_objects o using (issue_id);
    insert or ignore into event_object
        select issue_id || '/' || event_id, ocel_type || ':' || id, qualifier from stage.told where event_id is not null;
    insert or ignore into event_object
        select e.issue_id || '/' || e.event_id, o.ocel_id, case lower(e.field) when 'link' then 'linked issue' else 'epic' end
        from stage.event_log e join stage.issue_objects o
            on o.issue_key = case lower(e.field) when 'link' then coalesce(e.new_id, e.old_id) else coalesce(e.new_value, e.old_value) end
        where lower(e.field) in ('link', 'epic link');
    delete from event_object where ocel_event_id not in (select ocel_id from event);
    insert or ignore into object_object
        select o.ocel_id, t.ocel_type || ':' || t.id, t.qualifier
        from stage.told t join stage.issue_objects o using (issue_id) where t.event_id is null;
    insert or ignore into object_object
        select o.ocel_id, p.ocel_id, 'parent'
        from stage.issues i join stage.issue_objects o on o.issue_id = i.issue_id join stage.issue_objects p on p.issue_id = i.parent_id;
    insert or ignore into object_object
        select o.ocel_id, p.ocel_id, 'epic'
        from stage.field_history h join stage.issue_objects o on o.issue_id = h.issue_id
            join stage.issue_objects p on p.issue_key = h.value_text
        where h.field_type = 'custom' and h.field = 'epic_link' and h.valid_to is null;
    insert or ignore into object_object
        select o.ocel_id, p.ocel_id, coalesce(l.phrase, 'linked issue')
        from stage.issue_links l join stage.issue_objects o on o.issue_id = l.issue_id
            join stage.issue_objects p on p.issue_id = l.other_issue_id;
"#;

/// Attributes of issues that change: field type, field, attribute, column of `field_history` that holds the value.
const ATTRIBUTES: &[(&str, &str, &str, &str)] = &[
    ("jira", "status", "status", "value_text"),
    ("jira", "priority", "priority", "value_text"),
    ("jira", "resolution", "resolution", "value_text"),
    ("jira", "type", "type", "value_text"),
    ("jira", "issue_key", "key", "value_text"),
    ("jira", "summary", "summary", "value_text"),
    ("jira", "assignee", "assignee", "value_id"),
    ("jira", "reporter", "reporter", "value_id"),
    ("jira", "due_date", "due_date", "value_text"),
    ("jira", "labels", "labels", "value_text"),
    ("jira", "components", "components", "value_text"),
    ("jira", "fix_versions", "fix_versions", "value_text"),
    ("custom", "sprint", "sprint", "value_text"),
    ("custom", "story_points", "story_points", "value_text"),
];

/// Objects without history: type, attributes, and where their values are.
const PLAIN: &[(&str, &[&str], &str)] = &[
    ("user", &["name"], "select 'user:' || user_id as id, display_name as name from stage.users"),
    (
        "project",
        &["key", "name"],
        "select 'project:' || project_id as id, project_key as key, name from stage.projects",
    ),
    (
        "sprint",
        &["name"],
        "select ocel_type || ':' || id as id, max(name) as name from stage.told where ocel_type = 'sprint' group by 1",
    ),
    (
        "version",
        &["name"],
        "select ocel_type || ':' || id as id, max(name) as name from stage.told where ocel_type = 'version' group by 1",
    ),
    (
        "component",
        &["name"],
        "select ocel_type || ':' || id as id, max(name) as name from stage.told where ocel_type = 'component' group by 1",
    ),
];

/// Names of types' tables that the format has taken.
const TAKEN: [&str; 2] = ["map_type", "object"];

/// Makes every table of the log.
pub(super) async fn write(ocel: &mut Ocel) -> Result<Counts, sqlx::Error> {
    ocel.run(CREATE).await?;
    ocel.run(REFERENCES).await?;
    ocel.run(OBJECTS).await?;
    write_event_types(ocel).await?;
    ocel.run(RELATIONS).await?;
    for kind in ocel.texts("select ocel_type from object_map_type order by 1").await? {
        let statements = match PLAIN.iter().find(|(plain, ..)| *plain == kind) {
            Some((_, attributes, from)) => plain_table(&kind, attributes, from),
            None => issue_table(&kind),
        };
        ocel.run(&statements).await?;
    }
    let (events, staged) = (ocel.count("event").await?, ocel.count("stage.event_log").await?);
    Ok(Counts {
        events,
        without_time: staged - events,
        objects: ocel.count("object").await?,
        event_objects: ocel.count("event_object").await?,
        object_objects: ocel.count("object_object").await?,
    })
}

/// One table per activity.
async fn write_event_types(ocel: &mut Ocel) -> Result<(), sqlx::Error> {
    let activities = "select distinct activity from stage.event_log where timestamp is not null and activity is not null order by 1";
    ocel.run("create index stage.event_by_activity on event_log (activity)").await?;
    let mut taken: HashSet<String> = TAKEN.map(str::to_owned).into();
    for activity in ocel.texts(activities).await? {
        let (table, activity) = (table_name(&activity, &mut taken), quoted(&activity));
        let statements = format!(
            "insert into event_map_type values ({activity}, '{table}');
             create table \"event_{table}\" (ocel_id text primary key, ocel_time TIMESTAMP, source text, field text, old_value text,
                new_value text, foreign key (ocel_id) references event (ocel_id));
             insert into \"event_{table}\" select issue_id || '/' || event_id, {}, source, field, old_value, new_value
                from stage.event_log where activity = {activity} and timestamp is not null;",
            instant("timestamp")
        );
        ocel.run(&statements).await?;
    }
    Ok(())
}

/// A time as every reader of the format takes it.
fn instant(column: &str) -> String {
    format!("strftime('%Y-%m-%dT%H:%M:%fZ', {column})")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name that no other type of the file has, in letters and digits alone.
fn table_name(kind: &str, taken: &mut HashSet<String>) -> String {
    let mut plain: String = kind.chars().filter(|letter| letter.is_alphanumeric()).collect();
    if plain.is_empty() {
        plain.push_str("Type");
    }
    let mut name = plain.clone();
    for number in 2.. {
        if taken.insert(name.to_lowercase()) {
            break;
        }
        name = format!("{plain}_{number}");
    }
    name
}

fn plain_table(kind: &str, attributes: &[&str], from: &str) -> String {
    let columns: String = attributes.iter().map(|name| format!(", {name} text")).collect();
    let values: String = attributes.iter().map(|name| format!(", a.{name}")).collect();
    format!(
        "create table object_{kind} (ocel_id text, ocel_time TIMESTAMP, ocel_changed_field text{columns},
            foreign key (ocel_id) references object (ocel_id));
         insert into object_{kind} select o.ocel_id, '1970-01-01T00:00:00.000Z', null{values}
            from object o left join ({from}) a on a.id = o.ocel_id where o.ocel_type = '{kind}';"
    )
}

/// The first values of all attributes in one row, and a row for each change.
fn issue_table(kind: &str) -> String {
    let columns: String = ATTRIBUTES.iter().map(|(_, _, name, _)| format!(", {name} text")).collect();
    let firsts: String = ATTRIBUTES
        .iter()
        .map(|(field_type, field, _, value)| {
            format!(
                ", max(case when h.field_type = '{field_type}' and h.field = '{field}' then h.{value} end)"
            )
        })
        .collect();
    let mut text = format!(
        "create index if not exists stage.value_by_issue on field_history (issue_id, ordinal);
         create table object_{kind} (ocel_id text, ocel_time TIMESTAMP, ocel_changed_field text{columns},
            foreign key (ocel_id) references object (ocel_id));
         insert into object_{kind} select o.ocel_id, '1970-01-01T00:00:00.000Z', null{firsts}
            from stage.issue_objects o left join stage.field_history h on h.issue_id = o.issue_id and h.ordinal = 0
            where o.ocel_type = '{kind}' group by o.ocel_id;"
    );
    for (field_type, field, name, value) in ATTRIBUTES {
        text.push_str(&format!(
            "insert into object_{kind} (ocel_id, ocel_time, ocel_changed_field, {name})
             select o.ocel_id, {}, '{name}', h.{value} from stage.field_history h join stage.issue_objects o on o.issue_id = h.issue_id
             where o.ocel_type = '{kind}' and h.field_type = '{field_type}' and h.field = '{field}' and h.ordinal > 0
                and h.valid_from is not null;",
            instant("h.valid_from")
        ));
    }
    text
}
