//! One file a resource; each command asks the relay and prints the answer.

mod connection;
mod discover;
mod export_ocel;
mod extract;
mod pool;
mod run;
mod table;
mod table_show;
mod uplink;

use crate::cli::{
    AgentCommand, AgentName, Command, ConnectionCommand, PoolCommand, RunCommand, TableCommand, UplinkCommand,
};
use crate::client::Client;
use crate::error::Error;
use crate::output::Output;
use serde_json::{Value, json};

/// Does what the user typed.
pub(crate) async fn run(client: &Client, command: &Command, output: Output) -> Result<(), Error> {
    match command {
        Command::Pool(command) => pool::run(client, command, output).await,
        Command::Uplink(command) => uplink::run(client, command, output).await,
        Command::Connection(command) => connection::run(client, command, output).await,
        Command::Extract(extract) => extract::run(client, extract, output).await,
        Command::Discover(discover) => discover::run(client, discover, output).await,
        Command::Run(command) => run::run(client, command, output).await,
        Command::Table(command) => table::run(client, command, output).await,
    }
}

/// What the user wanted, for "cannot ..." of an error.
pub(crate) fn action(command: &Command) -> String {
    match command {
        Command::Pool(PoolCommand::Create(pool)) => format!("create data pool `{}`", pool.name),
        Command::Pool(PoolCommand::List) => "list the data pools".to_owned(),
        Command::Pool(PoolCommand::Show(pool)) => format!("show data pool `{}`", pool.name),
        Command::Pool(PoolCommand::Delete(pool)) => format!("delete data pool `{}`", pool.name),
        Command::Uplink(command) => uplink_action(command),
        Command::Connection(command) => connection_action(command),
        Command::Extract(extract) => format!("extract `{}`", extract.connection),
        Command::Discover(discover) => format!("discover `{}`", discover.connection),
        Command::Run(RunCommand::List { .. }) => "list the runs".to_owned(),
        Command::Run(RunCommand::Show(run)) => format!("show {}", run.run),
        Command::Run(RunCommand::Logs(run)) => format!("show the log of {}", run.run),
        Command::Run(RunCommand::Manifest(run)) => format!("show the manifest of {}", run.run),
        Command::Run(RunCommand::Cancel(run)) => format!("cancel {}", run.run),
        Command::Run(RunCommand::Follow(run)) => format!("follow {}", run.run),
        Command::Table(TableCommand::List { .. }) => "list the tables".to_owned(),
        Command::Table(TableCommand::Show(table)) => format!("show table `{}`", table.table),
        Command::Table(TableCommand::Preview(preview)) => format!("preview table `{}`", preview.table.table),
        Command::Table(TableCommand::ExportOcel(export)) => {
            format!("write an OCEL file of `{}`", export.connection)
        }
        Command::Table(TableCommand::Path(table)) => format!("find table `{}`", table.table),
    }
}

fn uplink_action(command: &UplinkCommand) -> String {
    match command {
        UplinkCommand::Create(uplink) => format!("create uplink `{}`", uplink.name),
        UplinkCommand::List => "list the uplinks".to_owned(),
        UplinkCommand::Show(uplink) => format!("show uplink `{}`", uplink.name),
        UplinkCommand::Token(uplink) => format!("make an enrolment token for uplink `{}`", uplink.name),
        UplinkCommand::Delete(uplink) => format!("delete uplink `{}`", uplink.name),
        UplinkCommand::Agent(AgentCommand::Trust(AgentName { uplink, agent })) => {
            format!("trust agent `{agent}` of uplink `{uplink}` again")
        }
        UplinkCommand::Agent(AgentCommand::Remove(AgentName { uplink, agent }))
        | UplinkCommand::Revoke { uplink, agent } => format!("revoke agent `{agent}` of uplink `{uplink}`"),
    }
}

fn connection_action(command: &ConnectionCommand) -> String {
    match command {
        ConnectionCommand::Create(connection) => format!("create data connection `{}`", connection.name),
        ConnectionCommand::List { .. } => "list the data connections".to_owned(),
        ConnectionCommand::Show(connection) => format!("show data connection `{}`", connection.name),
        ConnectionCommand::Update(connection) => format!("change data connection `{}`", connection.name),
        ConnectionCommand::Delete(connection) => format!("delete data connection `{}`", connection.name),
        ConnectionCommand::Test(connection) => format!("log in with data connection `{}`", connection.name),
    }
}

/// Deletes a thing and says so.
async fn delete(client: &Client, output: Output, path: &[&str], what: &str) -> Result<(), Error> {
    let answer = client.delete(path).await?;
    let name = path.last().copied().unwrap_or_default();
    let document = if answer.is_null() { json!({ "deleted": name }) } else { answer };
    output.answer(&document, || format!("{what} `{name}` is deleted"))
}

/// The documents of a list.
fn items(document: &Value) -> &[Value] {
    document.as_array().map_or(&[], Vec::as_slice)
}
