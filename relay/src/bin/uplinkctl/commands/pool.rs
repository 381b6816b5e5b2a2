//! `uplinkctl pool ...`

use super::{delete, items};
use crate::cli::PoolCommand;
use crate::client::Client;
use crate::documents::{self, Connection, Pool, Table};
use crate::error::Error;
use crate::figures::{count, moment_or_dash};
use crate::output::{Head, Output, facts, table};
use serde_json::{Value, json};

/// Runs the command.
pub(super) async fn run(client: &Client, command: &PoolCommand, output: Output) -> Result<(), Error> {
    match command {
        PoolCommand::Create(pool) => {
            let document = client.post(&["pools"], &json!({ "name": pool.name })).await?;
            output.answer(&document, || format!("Data pool `{}` is created.", pool.name))
        }
        PoolCommand::List => {
            let document = client.get(&["pools"], &[]).await?;
            let pools = pools(&document, client)?;
            output.answer(&document, || listing(&pools))
        }
        PoolCommand::Show(pool) => show(client, &pool.name, output).await,
        PoolCommand::Delete(pool) => delete(client, output, &["pools", &pool.name], "Data pool").await,
    }
}

fn pools(document: &Value, client: &Client) -> Result<Vec<Pool>, Error> {
    items(document).iter().map(|pool| documents::read(pool, &client.relay())).collect()
}

fn listing(pools: &[Pool]) -> String {
    let rows: Vec<_> =
        pools.iter().map(|pool| vec![pool.name.clone(), moment_or_dash(pool.created_at)]).collect();
    let none = "There is no data pool yet; make one: uplinkctl pool create NAME";
    table(&[Head::Text("NAME"), Head::Text("CREATED")], &rows, none)
}

async fn show(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let document = client.get(&["pools", name], &[]).await?;
    if output.is_json() {
        return output.answer(&document, String::new);
    }
    let pool: Pool = documents::read(&document, &client.relay())?;
    let connections = super::connection::of_pool(client, Some(name)).await?;
    let tables = super::table::of_pool(client, Some(name)).await?;
    output.answer(&document, || shown(&pool, &connections, &tables))
}

fn shown(pool: &Pool, connections: &[Connection], tables: &[Table]) -> String {
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let names: Vec<&str> = connections.iter().map(|connection| connection.name.as_str()).collect();
    let mut text = facts(&[
        ("name", pool.name.clone()),
        ("created", moment_or_dash(pool.created_at)),
        ("connections", if names.is_empty() { "-".to_owned() } else { names.join(", ") }),
        ("tables", format!("{} with {} rows", tables.len(), count(rows))),
    ]);
    if !tables.is_empty() {
        text.push('\n');
        text.push_str(&super::table::listing(tables));
    }
    text
}
