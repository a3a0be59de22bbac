//! `larkdeck key …`.

use serde_json::json;

use super::{
    args::{KeyCommand, KeyRotate},
    error::CliError,
    setup::Context,
    table::{Align, Table},
};

pub(super) async fn run(context: &mut Context, command: KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::Path => path(context),
        KeyCommand::List => list(context).await,
        KeyCommand::Rotate(args) => rotate(context, args).await,
    }
}

fn path(context: &mut Context) -> Result<(), CliError> {
    let origin = context.setup.key_origin().to_string();
    let out = &mut context.out;
    if out.is_json() { out.object(&json!({ "path": origin })) } else { out.line(&origin) }
}

async fn list(context: &mut Context) -> Result<(), CliError> {
    let keys = context.deck().await?.keys().await?;
    let out = &mut context.out;
    if out.is_json() {
        for key in &keys {
            let created_at = out.time_json(key.created_at);
            let lacking: Vec<_> = key
                .lacking
                .iter()
                .map(|one| json!({ "user": one.user, "host": one.host, "pid": one.pid }))
                .collect();
            let current = key.is_current;
            out.object(
                &json!({ "id": key.id, "created_at": created_at, "current": current, "lacking": lacking }),
            )?;
        }
        return Ok(());
    }
    let mut table = Table::new([
        ("ID", Align::Left),
        ("MADE", Align::Left),
        ("USE", Align::Left),
        ("LACKED BY", Align::Left),
    ]);
    for key in &keys {
        table.row([
            key.id.clone(),
            out.time(key.created_at),
            if key.is_current { "current" } else { "" }.to_owned(),
            key.lacking.iter().map(|one| format!("{one} (pid {})", one.pid)).collect::<Vec<_>>().join(", "),
        ]);
    }
    out.table(&table)
}

async fn rotate(context: &mut Context, args: KeyRotate) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let (action, id) = match (args.use_id, args.drop) {
        (Some(id), _) => {
            deck.use_key(&id).await?;
            ("use", id)
        }
        (None, Some(id)) => {
            deck.drop_key(&id).await?;
            ("drop", id)
        }
        // The group of the arguments leaves `--add` alone.
        (None, None) => ("add", deck.add_key().await?),
    };
    let out = &mut context.out;
    if out.is_json() {
        return out.object(&json!({ "action": action, "id": id }));
    }
    out.line(&match action {
        "add" => {
            format!("added {id}: copy the key file to the other hosts, then `larkdeck key rotate --use {id}`")
        }
        "use" => format!("every secret is sealed with {id} now"),
        _ => format!("dropped {id}"),
    })
}
