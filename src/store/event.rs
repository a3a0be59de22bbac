//! What came in and is no message: inside the transaction of [`super::ingest`].

use std::collections::BTreeMap;

use super::{
    StoreError,
    absorb::{count_early_recalls, ensure_room},
    db::Tx,
    feed::ChangeKind,
    ingest::{Incoming, IngestItem, Ingested},
    person,
    sql::q,
};
use crate::core::{
    ids::{ChatId, IntegrationId, MessageId, Seq},
    message::Via,
    room::RoomStatus,
    time::Timestamp,
};

/// Everything that is no message.
pub(super) async fn other(tx: &mut Tx<'_>, item: &IngestItem) -> Result<Ingested, StoreError> {
    if let Some(event) = &item.event_id {
        let is_first = q("insert into event_seen (event_id, at) values ($1, $2) on conflict do nothing")
            .bind(event.as_str())
            .bind(tx.now())
            .run(tx)
            .await?;
        if is_first == 0 {
            return Ok(Ingested::Duplicate);
        }
    }
    let changed = match &item.what {
        Incoming::Message { .. } | Incoming::Edited { .. } => None,
        Incoming::Seen => return Ok(Ingested::New(Seq(0))),
        Incoming::Recalled { chat_id, message_id } => recall(tx, chat_id, message_id).await?,
        Incoming::Reaction { message_id, emoji, operator, added } => {
            react(tx, message_id, emoji, operator, *added).await?
        }
        Incoming::ChatUpdated { chat_id, name, description } => {
            ensure_room(tx, &item.integration, chat_id, "").await?;
            let described = describe_room(tx, chat_id, description.as_deref()).await?;
            change_room(tx, chat_id, name.as_deref(), None).await?.or(described)
        }
        Incoming::ChatDisbanded { chat_id } => {
            ensure_room(tx, &item.integration, chat_id, "").await?;
            change_room(tx, chat_id, None, Some(RoomStatus::Disbanded)).await?
        }
        Incoming::BotAdded { chat_id, name } => {
            ensure_room(tx, &item.integration, chat_id, name).await?;
            change_room(tx, chat_id, None, Some(RoomStatus::Open)).await?
        }
        Incoming::BotRemoved { chat_id } => {
            change_room(tx, chat_id, None, Some(RoomStatus::Dismissed)).await?
        }
        Incoming::MembersAdded { chat_id, people } => {
            ensure_room(tx, &item.integration, chat_id, "").await?;
            members_added(tx, chat_id, people).await?
        }
        Incoming::MembersLeft { chat_id, people } => {
            let mut gone = 0;
            for person in people {
                gone += q("delete from room_member where chat_id = $1 and open_id = $2")
                    .bind(chat_id)
                    .bind(person)
                    .run(tx)
                    .await?;
            }
            members_changed(tx, chat_id, -i64::try_from(gone).unwrap_or(0)).await?
        }
    };
    Ok(match (changed, &item.event_id) {
        (Some(seq), _) => Ingested::Changed(seq),
        // Seen for the first time, though there was nothing to change.
        (None, Some(_)) => Ingested::New(Seq(0)),
        (None, None) => Ingested::Duplicate,
    })
}

async fn recall(tx: &mut Tx<'_>, chat: &ChatId, id: &MessageId) -> Result<Option<Seq>, StoreError> {
    let known = q("select recalled from message where message_id = $1").bind(id).one(tx).await?;
    match known {
        Some(row) if row.flag(0)? => Ok(None),
        Some(_) => {
            let seq = tx.tell(ChangeKind::Message, id.as_str(), Some(chat)).await?;
            q("update message set recalled = 1, seq = $2 where message_id = $1")
                .bind(id)
                .bind(seq)
                .run(tx)
                .await?;
            Ok(Some(seq))
        }
        None => {
            let now = tx.now();
            let made = q("insert into early_recall (message_id, at) values ($1, $2) on conflict do nothing")
                .bind(id)
                .bind(now)
                .run(tx)
                .await?;
            count_early_recalls(tx, i64::try_from(made).unwrap_or(0)).await?;
            Ok(None)
        }
    }
}

/// Before the id of a message, among the events that were seen: when a reaction came and the message was not there.
pub(super) const EARLY_REACTION: &str = "reaction to ";

async fn react(
    tx: &mut Tx<'_>,
    id: &MessageId,
    emoji: &str,
    operator: &str,
    added: bool,
) -> Result<Option<Seq>, StoreError> {
    let query = if added {
        q("insert into reaction (message_id, emoji, operator) values ($1, $2, $3) on conflict do nothing")
    } else {
        q("delete from reaction where message_id = $1 and emoji = $2 and operator = $3")
    };
    if query.bind(id).bind(emoji).bind(operator).run(tx).await? == 0 {
        return Ok(None);
    }
    let row = q("select chat_id from message where message_id = $1").bind(id).one(tx).await?;
    let Some(row) = row else {
        // The message is on its way, or gone: should it not come, the reaction goes when events of now do.
        q("insert into event_seen (event_id, at) values ($1, $2) on conflict do nothing")
            .bind(format!("{EARLY_REACTION}{id}"))
            .bind(tx.now())
            .later(tx);
        return Ok(None);
    };
    let chat: ChatId = row.parse(0, "chat_id")?;
    let seq = tx.tell(ChangeKind::Message, id.as_str(), Some(&chat)).await?;
    q("update message set seq = $2 where message_id = $1").bind(id).bind(seq).run(tx).await?;
    Ok(Some(seq))
}

/// Changes name or status of a room; the number of the change where it made a difference.
pub(super) async fn change_room(
    tx: &mut Tx<'_>,
    chat: &ChatId,
    name: Option<&str>,
    status: Option<RoomStatus>,
) -> Result<Option<Seq>, StoreError> {
    let name = name.filter(|name| !name.is_empty());
    let changed = q("update room set name = coalesce($2, name), status = coalesce($3, status)
        where chat_id = $1 and (name <> coalesce($2, name) or status <> coalesce($3, status))")
    .bind(chat)
    .bind(name)
    .bind(status.map(RoomStatus::as_str))
    .run(tx)
    .await?;
    if changed == 0 {
        return Ok(None);
    }
    tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await.map(Some)
}

async fn describe_room(
    tx: &mut Tx<'_>,
    chat: &ChatId,
    description: Option<&str>,
) -> Result<Option<Seq>, StoreError> {
    let Some(description) = description else { return Ok(None) };
    let changed = q("update room set description = $2 where chat_id = $1 and description <> $2")
        .bind(chat)
        .bind(description)
        .run(tx)
        .await?;
    if changed == 0 {
        return Ok(None);
    }
    tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await.map(Some)
}

async fn members_added(
    tx: &mut Tx<'_>,
    chat: &ChatId,
    people: &[(crate::core::ids::OpenId, String)],
) -> Result<Option<Seq>, StoreError> {
    let mut made = 0;
    for (open_id, name) in people {
        made +=
            q("insert into room_member (chat_id, open_id, name) values ($1, $2, $3) on conflict do nothing")
                .bind(chat)
                .bind(open_id)
                .bind(name.as_str())
                .run(tx)
                .await?;
    }
    let names: Vec<(String, Option<String>)> = people
        .iter()
        .filter(|(_, name)| !name.is_empty())
        .map(|(id, name)| (id.to_string(), Some(name.clone())))
        .collect();
    person::put(tx, &names).await?;
    members_changed(tx, chat, i64::try_from(made).unwrap_or(0)).await
}

async fn members_changed(tx: &mut Tx<'_>, chat: &ChatId, by: i64) -> Result<Option<Seq>, StoreError> {
    if by == 0 {
        return Ok(None);
    }
    q("update room set member_count = member_count + $2 where chat_id = $1 and member_count + $2 >= 0")
        .bind(chat)
        .bind(by)
        .run(tx)
        .await?;
    tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await.map(Some)
}

/// The time of the last event is told to screens once in so long: they show it in steps of 10 s.
const TELL_EVENT_MS: i64 = 5_000;

/// Remembers when the last event of each integration came, and which way; of a stream, once a second.
pub(super) async fn note_event(tx: &mut Tx<'_>, items: &[&IngestItem]) -> Result<(), StoreError> {
    let mut latest: BTreeMap<&IntegrationId, Via> = BTreeMap::new();
    for item in items {
        if matches!(item.via, Via::Live | Via::Webhook) {
            latest.insert(&item.integration, item.via);
        }
    }
    let now = tx.db().now();
    latest.retain(|integration, via| tx.db().is_event_to_note(integration, *via, now));
    for (integration, via) in latest {
        note_one(tx, integration, via).await?;
    }
    Ok(())
}

/// Remembers an event, and tells it where screens would show it otherwise: the way it came is a new one, or the
/// last that they were told of is some seconds old.
async fn note_one(tx: &mut Tx<'_>, integration: &IntegrationId, via: Via) -> Result<(), StoreError> {
    let row = q("select i.app_id, l.last_event_at, l.last_event_via from integration i
        left join lease l on l.base_url = i.base_url and l.app_id = i.app_id
        where i.id = $1 and i.app_id is not null")
    .bind(integration)
    .one(tx)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let now = tx.db().now();
    // Where nobody ever held the lease, its row is made: events by webhook need no holder.
    q("insert into lease (base_url, app_id, epoch, beat, state, last_event_at, last_event_via)
        select base_url, app_id, 0, 0, '{\"state\":\"off\"}', $1, $2 from integration
        where id = $3 and app_id is not null
        on conflict (base_url, app_id) do update set last_event_at = excluded.last_event_at,
            last_event_via = excluded.last_event_via")
    .bind(now)
    .bind(via.as_str())
    .bind(integration)
    .run(tx)
    .await?;
    // Steps of the clock, not time since the last event: where those come often, none would be told.
    let step = |at: Timestamp| at.ms().div_euclid(TELL_EVENT_MS);
    let is_told = row.opt_at(1)?.is_some_and(|last| step(last) == step(now));
    if !is_told || row.opt_text(2)? != Some(via.as_str()) {
        tx.tell(ChangeKind::Live, row.text(0)?, None).await?;
    }
    Ok(())
}
