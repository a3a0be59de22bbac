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
use crate::core::operation::Operation;

/// Rows that are read at a time.
const PAGE: u32 = 500;

pub(super) async fn run(context: &mut Context, args: &LogArgs) -> Result<(), CliError> {
    let since = args.since.as_deref().map(|text| instant(context, text)).transpose()?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit as usize };
    let deck = context.deck().await?;
    let mut newest_first: Vec<Operation> = Vec::new();
    loop {
        let page = deck.operations(newest_first.last().map(|row| row.seq), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        newest_first.extend(page);
        let reaches_back = newest_first.last().is_some_and(|row| since.is_some_and(|since| row.at < since));
        if is_last || reaches_back || newest_first.len() >= limit {
            break;
        }
    }
    if let Some(since) = since {
        newest_first.retain(|row| row.at >= since);
    }
    newest_first.truncate(limit);
    newest_first.reverse();
    print(&mut context.out, &newest_first)
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
