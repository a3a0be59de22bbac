//! `larkdeck log`.

use serde_json::{Value, json};

use super::{
    args::LogArgs,
    error::CliError,
    output::Output,
    room_read::instant,
    setup::Context,
    table::{Align, Table},
};
use crate::{core::operation::Operation, service::Deck};

/// Rows that are read at a time.
const PAGE: u32 = 500;

pub(super) async fn run(context: &mut Context, args: &LogArgs) -> Result<(), CliError> {
    let since = args.since.as_deref().map(|text| instant(context, text)).transpose()?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit as usize };
    let deck = context.deck().await?;
    let mut rows = match since {
        Some(_) => deck.operations_since(since).await?,
        None => newest(&deck, limit).await?,
    };
    rows.drain(..rows.len().saturating_sub(limit));
    print(&mut context.out, &rows)
}

/// The newest `limit` operations or some more, oldest first.
async fn newest(deck: &Deck, limit: usize) -> Result<Vec<Operation>, CliError> {
    let mut newest_first: Vec<Operation> = Vec::new();
    loop {
        let page = deck.operations(newest_first.last().map(|row| row.seq), PAGE).await?;
        let is_last = page.is_empty();
        newest_first.extend(page);
        if is_last || newest_first.len() >= limit {
            newest_first.reverse();
            return Ok(newest_first);
        }
    }
}

fn print(out: &mut Output, operations: &[Operation]) -> Result<(), CliError> {
    if out.is_json() {
        for operation in operations {
            let object = operation_json(out, operation);
            out.object(&object)?;
        }
        return Ok(());
    }
    let columns = ["TIME", "WHO", "OPERATION", "TARGET", "RESULT", "REASON"];
    let mut table = Table::new(columns.map(|name| (name, Align::Left)));
    for operation in operations {
        table.row([
            out.time(Some(operation.at)),
            operation.author.to_string(),
            operation.operation.clone(),
            operation.target.clone(),
            operation.result.as_str().to_owned(),
            operation.reason.clone().unwrap_or_default(),
        ]);
    }
    out.table(&table)
}

fn operation_json(out: &Output, operation: &Operation) -> Value {
    json!({
        "seq": operation.seq,
        "at": out.time_json(Some(operation.at)),
        "author": { "user": operation.author.user, "host": operation.author.host },
        "operation": operation.operation,
        "target": operation.target,
        "result": operation.result,
        "code": operation.code,
        "log_id": operation.log_id,
        "reason": operation.reason,
        "hint": operation.hint,
    })
}
