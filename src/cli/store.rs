//! `larkdeck store …`.

use std::time::Duration;

use serde_json::json;

use super::{
    args::StoreCommand,
    error::CliError,
    setup::Context,
    table::{Align, Table},
};
use crate::{
    core::error::Kind,
    service::{CopyView, StoreMigrated},
};

pub(super) async fn run(context: &mut Context, command: StoreCommand) -> Result<(), CliError> {
    match command {
        StoreCommand::Init => {
            let done = context.setup.opening().init_store().await?;
            migrated(context, &done)
        }
        StoreCommand::Migrate => {
            let done = context.setup.opening().migrate_store().await?;
            migrated(context, &done)
        }
        StoreCommand::Check => check(context).await,
        StoreCommand::Kept => kept(context).await,
        StoreCommand::Copy { from, to } => copy(context, &from, &to).await,
    }
}

fn migrated(context: &mut Context, done: &StoreMigrated) -> Result<(), CliError> {
    let out = &mut context.out;
    if out.is_json() {
        return out.object(&json!({ "store": done.place, "from": done.from, "to": done.to }));
    }
    out.line(&match done.from {
        0 => format!("made {} (schema version {})", done.place, done.to),
        from if from == done.to => format!("{} is up to date (schema version {from})", done.place),
        from => format!("brought {} from schema version {from} to {}", done.place, done.to),
    })
}

async fn kept(context: &mut Context) -> Result<(), CliError> {
    let report = context.deck().await?.kept().await?;
    let out = &mut context.out;
    let days = |kept: Option<Duration>| kept.map(|kept| kept.as_secs() / (24 * 3600));
    if out.is_json() {
        for kind in &report.kept {
            let oldest_at = out.time_json(kind.oldest_at);
            let days = days(report.retention.of(kind.what));
            out.object(
                &json!({ "what": kind.what, "rows": kind.rows, "oldest_at": oldest_at, "days": days }),
            )?;
        }
        return Ok(());
    }
    let mut table = Table::new([
        ("WHAT", Align::Left),
        ("ROWS", Align::Right),
        ("OLDEST", Align::Left),
        ("KEPT FOR", Align::Left),
    ]);
    for kind in &report.kept {
        table.row([
            kind.what.to_owned(),
            kind.rows.to_string(),
            out.time(kind.oldest_at),
            days(report.retention.of(kind.what)).map_or("ever".to_owned(), |days| format!("{days} days")),
        ]);
    }
    out.table(&table)?;
    match report.kept_from {
        Some(from) => out.line(&format!("Messages from before {} are no longer kept.", out.time(Some(from)))),
        None => Ok(()),
    }
}

async fn check(context: &mut Context) -> Result<(), CliError> {
    let checked = context.setup.opening().check_store().await?;
    let out = &mut context.out;
    let rows: u64 = checked.tables.iter().map(|table| table.rows).sum();
    if out.is_json() {
        for table in &checked.tables {
            out.object(&json!({ "table": table.table, "rows": table.rows, "sha256": table.sha256 }))?;
        }
        for one in &checked.findings {
            out.object(&json!({ "rule": one.rule, "key": one.key, "text": one.text, "fix": one.fix }))?;
        }
        let summary = json!({
            "store": checked.place, "tables": checked.tables.len(), "rows": rows,
            "findings": checked.findings.len(), "told": checked.is_told,
        });
        out.object(&json!({ "summary": summary }))?;
    } else {
        for one in &checked.findings {
            let of = if one.key.is_empty() { String::new() } else { format!(" ({})", one.key) };
            out.line(&format!("{}: {}{of}. {}", one.rule, one.text, one.fix))?;
        }
        if !checked.is_told {
            out.line(
                "The database tells nobody of commits, as behind a pooler that gives each transaction another session \
                 (?pooler=transaction): what others write is seen within 5 s.",
            )?;
        }
        let tables = checked.tables.len();
        out.line(&match checked.findings.len() {
            0 => format!("{}: {rows} rows of {tables} tables read, nothing wrong", checked.place),
            wrong => format!("{}: {rows} rows of {tables} tables read, {wrong} findings", checked.place),
        })?;
    }
    match checked.findings.len() {
        0 => Ok(()),
        wrong => Err(CliError::new(Kind::Storage, format!("{}: {wrong} findings", checked.place))),
    }
}

async fn copy(context: &mut Context, from: &str, to: &str) -> Result<(), CliError> {
    let opening = context.setup.opening();
    let out = &mut context.out;
    let mut broken = None;
    let copied = opening
        .copy_store(from, to, |table| {
            if out.is_json() && broken.is_none() {
                broken = out.object(&line(table)).and_then(|()| out.flush()).err();
            }
        })
        .await?;
    if let Some(error) = broken {
        return Err(error);
    }
    let (rows, tables) = (copied.iter().map(|table| table.from.rows).sum::<u64>(), copied.len());
    let differing: Vec<&str> =
        copied.iter().filter(|table| !table.is_same()).map(|table| table.from.table).collect();
    if out.is_json() {
        let summary = json!({ "tables": tables, "rows": rows, "same": differing.is_empty() });
        out.object(&json!({ "summary": summary }))?;
    } else {
        let mut table =
            Table::new([("TABLE", Align::Left), ("ROWS", Align::Right), ("SHA-256", Align::Left)]);
        for one in &copied {
            let hash = if one.is_same() { one.to.sha256.clone() } else { "DIFFERS".to_owned() };
            table.row([one.from.table.to_owned(), one.to.rows.to_string(), hash]);
        }
        out.table(&table)?;
        out.line(&format!("{rows} rows of {tables} tables copied and read back"))?;
    }
    if differing.is_empty() {
        return Ok(());
    }
    let text = format!("the copy differs from the store in {}", differing.join(", "));
    Err(CliError::new(Kind::Storage, text))
}

fn line(table: &CopyView) -> serde_json::Value {
    json!({
        "table": table.from.table, "rows": table.from.rows, "sha256": table.from.sha256,
        "copied": table.to.rows, "same": table.is_same(),
    })
}
