//! The tables of a site's set-up, which are read only when they are named.

use serde_json::Value;

use super::Row;
use super::columns::{Described, optional_site};
use super::lists::{instant, named, of_projects, site};
use super::metadata::{flag, id, number, text, texts, user_id};
use super::value::Cell;
use crate::jira_sim::SimHandle;

pub(super) static TABLES: &[Described] = &[
    optional_site("permission_schemes", "scheme_id:i name:t description:t", "scheme_id", |sim| {
        site(sim, "permission_schemes", named)
    }),
    optional_site(
        "permission_grants",
        "scheme_id:i grant_id:i permission:t holder_type:t holder:t holder_value:t",
        "scheme_id grant_id",
        permission_grants,
    ),
    optional_site("notification_schemes", "scheme_id:i name:t description:t", "scheme_id", |sim| {
        site(sim, "notification_schemes", named)
    }),
    optional_site(
        "issue_type_schemes",
        "scheme_id:i name:t description:t default_issue_type_id:i is_default:b issue_types:j",
        "scheme_id",
        issue_type_schemes,
    ),
    optional_site(
        "workflows",
        "workflow_id:t name:t description:t is_default:b is_editable:b steps:i scope_project_id:i created:s updated:s statuses:j",
        "workflow_id",
        workflows,
    ),
    optional_site(
        "workflow_schemes",
        "project_id:i scheme_id:i name:t description:t default_workflow:t issue_type_mappings:j",
        "project_id",
        workflow_schemes,
    ),
    optional_site("screens", "screen_id:i name:t description:t scope_project_id:i", "screen_id", |sim| {
        let row = |screen: &Value| [named(screen), vec![number(&screen["scope"]["project"]["id"])]].concat();
        site(sim, "screens", row)
    }),
    optional_site("groups", "group_id:t name:t", "group_id", |sim| {
        site(sim, "groups", |group| vec![group_id(group), text(&group["name"])])
    }),
    optional_site(
        "group_members",
        "group_id:t user_id:t user_name:t display_name:t active:b",
        "group_id user_id",
        group_members,
    ),
    optional_site(
        "role_actors",
        "project_id:i role_id:i actor_id:i type:t name:t display_name:t user_id:t group_id:t",
        "project_id role_id actor_id",
        role_actors,
    ),
    optional_site(
        "application_roles",
        "application_key:t name:t groups:j default_groups:j selected_by_default:b number_of_seats:i remaining_seats:i user_count:i \
        has_unlimited_seats:b",
        "application_key",
        application_roles,
    ),
    optional_site(
        "server_info",
        "base_url:t title:t version:t build_number:i build_date:s deployment_type:t revision:t server_time:s time_zone:t",
        "base_url",
        server_info,
    ),
    optional_site(
        "configuration",
        "ordinal:i time_tracking_enabled:b working_hours_per_day:f working_days_per_week:f time_format:t default_unit:t voting_enabled:b \
        watching_enabled:b unassigned_issues_allowed:b sub_tasks_enabled:b issue_linking_enabled:b attachments_enabled:b",
        "ordinal",
        configuration,
    ),
    optional_site("labels", "label:t", "label", |sim| site(sim, "labels", |label| vec![text(label)])),
    optional_site(
        "field_contexts",
        "field_id:t context_id:i name:t description:t is_global:b is_any_issue_type:b",
        "field_id context_id",
        field_contexts,
    ),
    optional_site(
        "field_options",
        "field_id:t context_id:i option_id:i value:t parent_option_id:i disabled:b children_ids:j",
        "field_id option_id",
        field_options,
    ),
    optional_site("epics", "epic_id:i epic_key:t name:t summary:t done:b color:t", "epic_id", epics),
    optional_site(
        "board_configurations",
        "board_id:i name:t type:t filter_id:i sub_query:t constraint_type:t estimation_type:t estimation_field_id:t rank_field_id:i",
        "board_id",
        board_configurations,
    ),
    optional_site(
        "board_filters",
        "board_id:i filter_id:i name:t description:t jql:t owner_id:t",
        "board_id",
        board_filters,
    ),
    optional_site(
        "audit_records",
        "record_id:t created:s author_id:t author_name:t category:t summary:t description:t event_source:t remote_address:t object:j \
        changed_values:j associated_items:j",
        "record_id",
        audit_records,
    ),
];

/// Compact JSON, nothing for what is not there.
fn compact(value: &Value) -> Cell {
    if value.is_null() { Cell::Null } else { Cell::Text(value.to_string()) }
}

fn group_id(group: &Value) -> Cell {
    let known = group.get("groupId").unwrap_or(&group["name"]);
    text(known)
}

/// The first of two members that is there: Server's and Cloud's name of the same.
fn either<'a>(object: &'a Value, names: [&str; 2]) -> &'a Value {
    let found = names
        .iter()
        .map(|name| object.pointer(name))
        .find_map(|value| value.filter(|value| !value.is_null()));
    found.unwrap_or(&Value::Null)
}

fn permission_grants(sim: &SimHandle) -> Vec<Row> {
    let of = |scheme: &Value| {
        let scheme = &scheme["id"];
        let row = |grant: &Value| {
            let holder = &grant["holder"];
            let mut row = vec![number(scheme), number(&grant["id"]), text(&grant["permission"])];
            row.extend(texts(holder, &["type", "parameter", "value"]));
            row
        };
        sim.site_list("permission_grants", &scheme.to_string()).iter().map(row).collect::<Vec<_>>()
    };
    sim.site_list("permission_schemes", "").iter().flat_map(of).collect()
}

fn issue_type_schemes(sim: &SimHandle) -> Vec<Row> {
    site(sim, "issue_type_schemes", |scheme| {
        let types = scheme["issueTypes"].as_array().map(|types| {
            let short = |kind: &Value| format!("{{\"id\":{},\"name\":{}}}", kind["id"], kind["name"]);
            format!("[{}]", types.iter().map(short).collect::<Vec<_>>().join(","))
        });
        let mut row = named(scheme);
        row.push(number(either(scheme, ["/defaultIssueType/id", "/defaultIssueTypeId"])));
        row.push(flag(&scheme["isDefault"]));
        row.push(types.map_or(Cell::Null, Cell::Text));
        row
    })
}

fn workflows(sim: &SimHandle) -> Vec<Row> {
    site(sim, "workflows", |workflow| {
        let mut row = vec![text(either(workflow, ["/id", "/name"]))];
        row.extend(texts(workflow, &["name", "description"]));
        row.extend([flag(&workflow["default"]), flag(&workflow["isEditable"]), number(&workflow["steps"])]);
        row.push(number(&workflow["scope"]["project"]["id"]));
        row.extend(["created", "updated"].map(|name| instant(&workflow[name])));
        row.push(compact(&workflow["statuses"]));
        row
    })
}

fn workflow_schemes(sim: &SimHandle) -> Vec<Row> {
    of_projects(sim, "workflow_schemes", |scheme, project| {
        let scheme = scheme.get("workflowScheme").unwrap_or(scheme);
        let mut row = vec![project, number(&scheme["id"])];
        row.extend(texts(scheme, &["name", "description", "defaultWorkflow"]));
        row.push(compact(&scheme["issueTypeMappings"]));
        row
    })
}

fn group_members(sim: &SimHandle) -> Vec<Row> {
    let of = |group: &Value| {
        let group = group_id(group);
        let row = |user: &Value| {
            let mut row = vec![group.clone(), user_id(user)];
            row.extend(texts(user, &["name", "displayName"]));
            row.push(flag(&user["active"]));
            row
        };
        let id = group.json().as_str().unwrap_or_default().to_owned();
        sim.site_list("group_members", &id).iter().map(row).collect::<Vec<_>>()
    };
    sim.site_list("groups", "").iter().flat_map(of).collect()
}

fn role_actors(sim: &SimHandle) -> Vec<Row> {
    let roles = sim.site_list("roles", "");
    let of = |project: &Value| {
        let project = number(&project["id"]);
        let of_role = |role: &Value| {
            let row = |actor: &Value| {
                let mut row = vec![project.clone(), number(&role["id"]), number(&actor["id"])];
                row.extend(texts(actor, &["type", "name", "displayName"]));
                row.extend([text(&actor["actorUser"]["accountId"]), text(&actor["actorGroup"]["groupId"])]);
                row
            };
            let of = format!("{}/{}", project.json(), role["id"]);
            sim.site_list("role_actors", &of).iter().map(row).collect::<Vec<_>>()
        };
        roles.iter().flat_map(of_role).collect::<Vec<_>>()
    };
    sim.project_list().iter().filter(|project| project["archived"] != true).flat_map(of).collect()
}

fn application_roles(sim: &SimHandle) -> Vec<Row> {
    site(sim, "application_roles", |role| {
        let mut row = texts(role, &["key", "name"]);
        row.extend([
            compact(&role["groups"]),
            compact(&role["defaultGroups"]),
            flag(&role["selectedByDefault"]),
        ]);
        row.extend(["numberOfSeats", "remainingSeats", "userCount"].map(|name| number(&role[name])));
        row.push(flag(&role["hasUnlimitedSeats"]));
        row
    })
}

fn server_info(sim: &SimHandle) -> Vec<Row> {
    site(sim, "server_info", |info| {
        let mut row = texts(info, &["baseUrl", "serverTitle", "version"]);
        row.extend([number(&info["buildNumber"]), instant(&info["buildDate"])]);
        row.extend(texts(info, &["deploymentType", "scmInfo"]));
        row.extend([instant(&info["serverTime"]), text(&info["serverTimeZone"])]);
        row
    })
}

fn configuration(sim: &SimHandle) -> Vec<Row> {
    site(sim, "configuration", |configuration| {
        let time = &configuration["timeTrackingConfiguration"];
        let mut row = vec![Cell::I64(0), flag(&configuration["timeTrackingEnabled"])];
        let decimal = |value: &Value| value.as_f64().map_or(Cell::Null, Cell::F64);
        row.extend([decimal(&time["workingHoursPerDay"]), decimal(&time["workingDaysPerWeek"])]);
        row.extend(texts(time, &["timeFormat", "defaultUnit"]));
        let switches = ["voting", "watching", "unassignedIssues", "subTasks", "issueLinking", "attachments"];
        row.extend(switches.map(|name| {
            flag(either(configuration, [&format!("/{name}Enabled"), &format!("/{name}Allowed")]))
        }));
        row
    })
}

/// The numbers of the custom fields that belong to no single project, as texts.
fn custom_fields(sim: &SimHandle) -> Vec<String> {
    let fields = sim.field_list();
    let global = fields.iter().filter(|field| field["custom"] == true && field["scope"].is_null());
    global.filter_map(|field| Some(field["id"].as_str()?.strip_prefix("customfield_")?.to_owned())).collect()
}

fn field_contexts(sim: &SimHandle) -> Vec<Row> {
    let of = |field: &String| {
        let row = |context: &Value| {
            let mut row = vec![Cell::Text(format!("customfield_{field}"))];
            row.extend(named(context));
            row.extend([flag(&context["isGlobalContext"]), flag(&context["isAnyIssueType"])]);
            row
        };
        sim.site_list("field_contexts", field).iter().map(row).collect::<Vec<_>>()
    };
    custom_fields(sim).iter().flat_map(of).collect()
}

fn field_options(sim: &SimHandle) -> Vec<Row> {
    let row = |field: &str, context: Cell, option: &Value| {
        let mut row = vec![Cell::Text(format!("customfield_{field}")), context, number(&option["id"])];
        row.extend([text(&option["value"]), number(&option["optionId"]), flag(&option["disabled"])]);
        row.push(compact(&option["childrenIds"]));
        row
    };
    let of = |field: &String| {
        let contexts = sim.site_list("field_contexts", field);
        if contexts.is_empty() {
            let options =
                if sim.tells_options() { sim.site_list("field_options", field) } else { Vec::new() };
            return options.iter().map(|option| row(field, Cell::Null, option)).collect::<Vec<_>>();
        }
        let of_context = |context: &Value| {
            let context = number(&context["id"]);
            let options = sim.site_list("field_options", &format!("{field}/{}", context.json()));
            options.iter().map(|option| row(field, context.clone(), option)).collect::<Vec<_>>()
        };
        contexts.iter().flat_map(of_context).collect()
    };
    custom_fields(sim).iter().flat_map(of).collect()
}

fn of_boards(sim: &SimHandle, row: impl Fn(&Value) -> Vec<Row>) -> Vec<Row> {
    sim.site_list("boards", "").iter().flat_map(row).collect()
}

/// Both boards of a project show its epics; each epic is one row.
fn epics(sim: &SimHandle) -> Vec<Row> {
    let mut rows = of_boards(sim, |board| {
        let epics = sim.site_list("epics", &board["id"].to_string());
        let row = |epic: &Value| {
            let mut row = id(epic);
            row.extend(texts(epic, &["key", "name", "summary"]));
            row.extend([flag(&epic["done"]), text(&epic["color"]["key"])]);
            row
        };
        epics.iter().map(row).collect()
    });
    rows.sort_by_key(|row| row[0].json().as_i64());
    rows.dedup_by(|one, other| one[0] == other[0]);
    rows
}

fn board_configurations(sim: &SimHandle) -> Vec<Row> {
    of_boards(sim, |board| {
        let row = |found: &Value| {
            let estimation = &found["estimation"];
            let mut row = id(found);
            row.extend(texts(found, &["name", "type"]));
            row.extend([number(&found["filter"]["id"]), text(&found["subQuery"]["query"])]);
            row.push(text(&found["columnConfig"]["constraintType"]));
            row.extend([text(&estimation["type"]), text(&estimation["field"]["fieldId"])]);
            row.push(number(&found["ranking"]["rankCustomFieldId"]));
            row
        };
        sim.site_list("board_configurations", &board["id"].to_string()).iter().map(row).collect()
    })
}

fn board_filters(sim: &SimHandle) -> Vec<Row> {
    of_boards(sim, |board| {
        let configurations = sim.site_list("board_configurations", &board["id"].to_string());
        let of = |configuration: &Value| {
            let filter = configuration["filter"]["id"].as_str().unwrap_or_default().to_owned();
            let row = |filter: &Value| {
                let mut row = vec![number(&board["id"]), number(&filter["id"])];
                row.extend(texts(filter, &["name", "description", "jql"]));
                row.push(user_id(&filter["owner"]));
                row
            };
            sim.site_list("board_filters", &filter).iter().map(row).collect::<Vec<_>>()
        };
        configurations.iter().flat_map(of).collect()
    })
}

fn audit_records(sim: &SimHandle) -> Vec<Row> {
    site(sim, "audit_records", |record| {
        let mut row = vec![Cell::Null, instant(either(record, ["/created", "/timestamp"]))];
        row.extend([
            text(either(record, ["/authorAccountId", "/author/id"])),
            text(&record["author"]["name"]),
        ]);
        row.push(text(either(record, ["/category", "/type/category"])));
        row.push(text(either(record, ["/summary", "/type/action"])));
        row.push(text(&record["description"]));
        row.push(text(either(record, ["/eventSource", "/method"])));
        row.push(text(either(record, ["/remoteAddress", "/source"])));
        row.push(compact(either(record, ["/objectItem", "/affectedObjects"])));
        row.push(compact(&record["changedValues"]));
        row.push(compact(either(record, ["/associatedItems", "/extraAttributes"])));
        row[0] = Cell::Text(record["id"].as_i64().map_or_else(|| event_id(&row[1..]), |id| id.to_string()));
        row
    })
}

/// What stands for the id of an event that has none: FNV-1a with 128 bits over its cells.
fn event_id(cells: &[Cell]) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for cell in cells {
        let text = match cell {
            Cell::Text(text) => text.clone(),
            Cell::Ts(micros) => micros.to_string(),
            _ => String::new(),
        };
        for byte in text.bytes().chain([0x1f]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul((1 << 88) + 0x13b);
        }
    }
    format!("{hash:032x}")
}
