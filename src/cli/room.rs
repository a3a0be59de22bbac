//! `larkdeck room …`: listing, showing, writing.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    args::{RoomCommand, TextArgs},
    error::CliError,
    member::read_input,
    output::Output,
    room_read, room_tail,
    setup::Context,
    table::{Align, Table},
};
use crate::{
    core::{
        error::Kind,
        ids::{IntegrationId, MessageId},
        role::Right,
        room::{Room, RoomMember, Seam},
    },
    service::{Deck, Draft},
};

pub(super) async fn run(context: &mut Context, command: RoomCommand) -> Result<(), CliError> {
    match command {
        RoomCommand::List { refresh } => list(context, refresh).await,
        RoomCommand::Show { room, refresh } => show(context, &room, refresh).await,
        RoomCommand::Tail { room, since } => room_tail::run(context, &room, since.as_deref()).await,
        RoomCommand::History { room, since, limit, fetch } => {
            room_read::history(context, &room, since.as_deref(), limit, fetch).await
        }
        RoomCommand::Send { room, text } => send(context, &room, None, &text, false).await,
        RoomCommand::Reply { room, message, text, thread } => {
            send(context, &room, Some(message_id(&message)?), &text, thread).await
        }
        RoomCommand::React { room, message, emoji, remove } => {
            react(context, &room, &message, &emoji, remove).await
        }
    }
}

/// The room that a text names. A store that does not know it yet asks the platform for the list once.
pub(super) async fn resolve(deck: &Deck, integration: &IntegrationId, text: &str) -> Result<Room, CliError> {
    match deck.resolve_room(integration, text).await {
        Err(fault) if fault.kind == Kind::NotFound => {
            deck.refresh_rooms(integration).await?;
            Ok(deck.resolve_room(integration, text).await?)
        }
        answer => Ok(answer?),
    }
}

fn message_id(text: &str) -> Result<MessageId, CliError> {
    text.parse().map_err(|error| CliError::new(Kind::Usage, format!("{text:?}: {error}")))
}

async fn list(context: &mut Context, refresh: bool) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let integration = &view.integration.id;
    let mut rooms = deck.rooms(integration).await?;
    // A store that knows no room has probably never asked.
    if refresh || rooms.is_empty() {
        deck.refresh_rooms(integration).await?;
        rooms = deck.rooms(integration).await?;
    }
    let out = &mut context.out;
    if out.is_json() {
        for room in &rooms {
            let object = room_json(room, out.time_json(room.last_message_at));
            out.object(&object)?;
        }
        return Ok(());
    }
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("STATUS", Align::Left),
        ("MEMBERS", Align::Right),
        ("UNREAD", Align::Right),
        ("LAST MESSAGE", Align::Left),
        ("CHAT ID", Align::Left),
    ]);
    for room in &rooms {
        table.row([
            room.name.clone(),
            room.status.as_str().to_owned(),
            room.member_count.map(|count| count.to_string()).unwrap_or_default(),
            room.unread.to_string(),
            out.time(room.last_message_at),
            room.chat_id.to_string(),
        ]);
    }
    out.table(&table)
}

fn room_json(room: &Room, last_message_at: Value) -> Value {
    json!({
        "chat_id": room.chat_id,
        "name": room.name,
        "kind": room.kind,
        "status": room.status,
        "members": room.member_count,
        "unread": room.unread,
        "mentioned": room.mentioned,
        "last_message_at": last_message_at,
    })
}

async fn show(context: &mut Context, text: &str, refresh: bool) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let integration = &view.integration.id;
    let room = resolve(&deck, integration, text).await?;
    let mut people = deck.room_members(integration, &room.chat_id).await?;
    // Who may not ask sees what is known.
    let may_ask = deck.role().await?.may(Right::Keep);
    if refresh || (people.is_empty() && may_ask) {
        deck.open_room(integration, &room.chat_id).await?;
        people = deck.room_members(integration, &room.chat_id).await?;
    }
    let seams = deck.seams(&room.chat_id, None, None).await?;
    let out = &mut context.out;
    if out.is_json() {
        let mut object = room_json(&room, out.time_json(room.last_message_at));
        if let Some(object) = object.as_object_mut() {
            object.insert("description".to_owned(), room.description.clone().into());
            object.insert("complete_to_at".to_owned(), out.time_json(room.complete_to));
            object.insert("people".to_owned(), people.iter().map(person_json).collect());
            object.insert("seams".to_owned(), seams.iter().map(|seam| seam_json(seam, out)).collect());
        }
        return out.object(&object);
    }
    let count = room.member_count.map_or_else(|| people.len().to_string(), |count| count.to_string());
    let facts = [
        ("Name", room.name.clone()),
        ("Chat", room.chat_id.to_string()),
        ("Description", room.description.clone()),
        ("Status", room.status.as_str().to_owned()),
        ("Unread", room.unread.to_string()),
        ("Last message", out.time(room.last_message_at)),
        ("Complete to", out.time(room.complete_to)),
        ("Members", count),
    ];
    for (label, value) in facts {
        out.line(format!("{label:<14}{value}").trim_end())?;
    }
    for person in &people {
        let linked = if person.is_linked { "" } else { "   not linked" };
        out.line(&format!("  {}{linked}", person.name))?;
    }
    Ok(())
}

fn seam_json(seam: &Seam, out: &Output) -> Value {
    json!({
        "from_at": out.time_json(Some(seam.from)),
        "to_at": out.time_json(Some(seam.to)),
        "recovered": seam.recovered,
        "missing": seam.missing,
    })
}

fn person_json(person: &RoomMember) -> Value {
    json!({ "open_id": person.open_id, "name": person.name, "linked": person.is_linked })
}

/// The text of a message: from the command line, a file or stdin. One line feed at the end is the file's.
async fn text_of(args: &TextArgs) -> Result<String, CliError> {
    let path = match (&args.text, &args.file) {
        (Some(text), _) if text != "-" => return checked(text.clone()),
        (_, Some(file)) => file.as_path(),
        _ => Path::new("-"),
    };
    let bytes = read_input(path).await?;
    let mut text =
        String::from_utf8(bytes).map_err(|_| CliError::new(Kind::Usage, "the text is not UTF-8"))?;
    if text.ends_with('\n') {
        text.pop();
    }
    checked(text)
}

fn checked(text: String) -> Result<String, CliError> {
    if text.trim().is_empty() {
        return Err(CliError::new(Kind::Usage, "the text is empty: nothing was sent"));
    }
    Ok(text)
}

async fn send(
    context: &mut Context,
    room: &str,
    reply_to: Option<MessageId>,
    text: &TextArgs,
    in_thread: bool,
) -> Result<(), CliError> {
    let text = text_of(text).await?;
    let (deck, view) = context.integration(None).await?;
    let integration = &view.integration.id;
    let room = resolve(&deck, integration, room).await?;
    let draft = Draft { chat_id: room.chat_id.clone(), text, reply_to, in_thread };
    let message = deck.send_and_wait(integration, draft).await?;
    let out = &mut context.out;
    if out.is_json() {
        return out.object(&json!({ "message_id": message.body.message_id, "seq": message.seq }));
    }
    out.line(&format!("sent {} to {}", message.body.message_id, room.name))
}

async fn react(
    context: &mut Context,
    room: &str,
    message: &str,
    emoji: &str,
    remove: bool,
) -> Result<(), CliError> {
    let message = message_id(message)?;
    let (deck, view) = context.integration(None).await?;
    let integration = &view.integration.id;
    let room = resolve(&deck, integration, room).await?;
    let word = if remove {
        deck.unreact(integration, &message, emoji).await?;
        "taken back from"
    } else {
        deck.react(integration, &message, emoji).await?;
        "added to"
    };
    let out = &mut context.out;
    if out.is_json() {
        return out.object(&json!({ "message_id": message, "emoji": emoji }));
    }
    out.line(&format!("{emoji} {word} {message} in {}", room.name))
}
