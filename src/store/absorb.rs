//! How what came in becomes rows: inside the transaction of [`super::ingest`].

use std::collections::{BTreeMap, HashMap};

use super::{
    StoreError,
    db::{Taken, Tx},
    event,
    feed::{Change, ChangeKind},
    ingest::{FillKind, FillPage, Incoming, IngestItem, Ingested, NewSeam},
    person,
    sql::{Bulk, Value, q},
};
use crate::core::{
    ids::{ChatId, IntegrationId, MessageId, Seq},
    message::{NewMessage, Via},
    room::Missing,
    time::Timestamp,
};

/// A message on its way into the transaction.
struct Candidate<'a> {
    integration: &'a IntegrationId,
    message: &'a NewMessage,
    via: Via,
    own: bool,
    is_edit: bool,
    counts: bool,
}

/// Stores loose items: messages first, all together; then the rest, one by one. A recall or reaction that
/// came before its message finds it that way.
pub(super) async fn items<'a>(
    tx: &mut Tx<'_>,
    items: impl Iterator<Item = &'a IngestItem>,
) -> Result<Vec<Ingested>, StoreError> {
    let items: Vec<&IngestItem> = items.collect();
    let candidates: Vec<Candidate<'_>> = items.iter().filter_map(|item| candidate(item)).collect();
    let mut stored = messages(tx, &candidates).await?.into_iter();
    let mut answers = Vec::with_capacity(items.len());
    for item in &items {
        answers.push(match &item.what {
            Incoming::Message { .. } | Incoming::Edited { .. } => {
                stored.next().unwrap_or(Ingested::Duplicate)
            }
            _ => event::other(tx, item).await?,
        });
    }
    event::note_event(tx, &items).await?;
    Ok(answers)
}

fn candidate(item: &IngestItem) -> Option<Candidate<'_>> {
    let (message, own, is_edit) = match &item.what {
        Incoming::Message { message, own } => (message, *own, false),
        Incoming::Edited { message, own } => (message, *own, true),
        _ => return None,
    };
    Some(Candidate { integration: &item.integration, message, via: item.via, own, is_edit, counts: true })
}

/// Stores a page with its mark and seam.
pub(super) async fn page(tx: &mut Tx<'_>, page: &FillPage) -> Result<Vec<Ingested>, StoreError> {
    let candidates: Vec<Candidate<'_>> = page
        .messages
        .iter()
        .map(|(message, own)| Candidate {
            integration: &page.integration,
            message,
            via: Via::History,
            own: *own,
            is_edit: false,
            counts: page.kind == FillKind::Gap,
        })
        .collect();
    let stored = messages(tx, &candidates).await?;
    if let Some(to) = page.complete_to {
        ensure_room(tx, &page.integration, &page.chat_id, "").await?;
        q("update room set complete_to = $2 where chat_id = $1 and (complete_to is null or complete_to < $2)")
            .bind(&page.chat_id)
            .bind(to)
            .run(tx)
            .await?;
    }
    if let Some(seam) = &page.seam {
        write_seam(tx, &page.chat_id, seam).await?;
    }
    Ok(stored)
}

async fn write_seam(tx: &mut Tx<'_>, chat: &ChatId, seam: &NewSeam) -> Result<(), StoreError> {
    let seq = tx.take_numbers(1).await?;
    q("insert into seam (seq, chat_id, from_at, to_at, recovered, missing) values ($1, $2, $3, $4, $5, $6)")
        .bind(seq)
        .bind(chat)
        .bind(seam.from)
        .bind(seam.to)
        .bind(seam.recovered)
        .bind(missing_word(seam.missing))
        .run(tx)
        .await?;
    tx.tell_at(seq, ChangeKind::Seam, &seq.to_string(), Some(chat));
    Ok(())
}

/// As the store writes it.
pub(super) const fn missing_word(missing: Missing) -> &'static str {
    match missing {
        Missing::Nothing => "nothing",
        Missing::ThreadReplies => "thread_replies",
        Missing::Messages => "messages",
    }
}

/// The insert of messages, of rows as [`message_values`] writes them: each reckons its number from the last one taken,
/// and what is too old to be kept is not stored again either.
pub(super) fn insert_messages() -> Bulk {
    Bulk::given(
        "insert into message (message_id, chat_id, created_at, seq, root_id, parent_id, thread_id, sender_id,
            sender_kind, msg_type, content, mentions, updated_at, edited, recalled, own, via)
        select column1, column2, column3, column4 + (select seq from store_meta where id = 1), column5, column6,
            column7, column8, column9, column10, column11, column12, column13, column14, column15, column16, column17",
        MESSAGE_COLUMNS,
        " where column3 >= coalesce((select kept_from from store_meta where id = 1), column3)
        on conflict do nothing",
    )
}

const MESSAGE_COLUMNS: usize = 17;

/// `behind`: its number from the last one taken on, 0 or less.
fn message_values(candidate: &Candidate<'_>, behind: i64, values: &mut Vec<Value>) {
    let message = candidate.message;
    values.extend([
        (&message.message_id).into(),
        (&message.chat_id).into(),
        message.created_at.into(),
        behind.into(),
        message.root_id.as_ref().into(),
        message.parent_id.as_ref().into(),
        message.thread_id.as_ref().into(),
        message.sender.id.as_str().into(),
        message.sender.kind.as_str().into(),
        message.msg_type.as_str().into(),
        message.content.as_str().into(),
        mentions_text(message).into(),
        message.updated_at.into(),
        (message.edited || candidate.is_edit).into(),
        message.recalled.into(),
        candidate.own.into(),
        candidate.via.as_str().into(),
    ]);
}

fn mentions_text(message: &NewMessage) -> Option<String> {
    if message.mentions.is_empty() { None } else { serde_json::to_string(&message.mentions).ok() }
}

/// Stores messages; answers in their order.
async fn messages(tx: &mut Tx<'_>, candidates: &[Candidate<'_>]) -> Result<Vec<Ingested>, StoreError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    // The first of each id is inserted; whatever else has that id is compared with what is then stored.
    let mut first_of: HashMap<&MessageId, usize> = HashMap::with_capacity(candidates.len());
    for (at, candidate) in candidates.iter().enumerate() {
        first_of.entry(&candidate.message.message_id).or_insert(at);
    }
    let firsts: Vec<usize> = (0..candidates.len())
        .filter(|at| candidates.get(*at).is_some_and(|c| first_of.get(&c.message.message_id) == Some(at)))
        .collect();
    let mut values = Vec::with_capacity(firsts.len() * MESSAGE_COLUMNS);
    // The last one's number is the last that is taken.
    for (at, behind) in firsts.iter().zip(1 - i64::try_from(firsts.len()).unwrap_or(i64::MAX)..) {
        if let Some(candidate) = candidates.get(*at) {
            message_values(candidate, behind, &mut values);
        }
    }
    let insert = tx.db().texts.message.queries(tx.dialect(), values);
    let (Taken { first, early_recalls, kept_from }, changed) =
        tx.take_numbers_for(firsts.len(), insert).await?;
    let mut numbered: Vec<(usize, Seq)> =
        firsts.iter().zip(first.0..).map(|(at, seq)| (*at, Seq(seq))).collect();
    if let Some(from) = kept_from {
        numbered.retain(|(at, _)| candidates.get(*at).is_some_and(|c| c.message.created_at >= from));
    }
    let is_new = inserted(tx, candidates, &numbered, changed).await?;

    let mut answers = vec![Ingested::Duplicate; candidates.len()];
    let mut fresh = Vec::with_capacity(numbered.len());
    for ((at, seq), is_new) in numbered.iter().zip(is_new) {
        if let (true, Some(candidate), Some(answer)) = (is_new, candidates.get(*at), answers.get_mut(*at)) {
            *answer = Ingested::New(*seq);
            fresh.push((candidate, *seq));
        }
    }
    after_insert(tx, &fresh).await?;
    if early_recalls > 0 {
        apply_early_recalls(tx).await?;
    }
    for (candidate, answer) in candidates.iter().zip(&mut answers) {
        if !answer.is_new()
            && let Some(seq) = update_known(tx, candidate).await?
        {
            *answer = Ingested::Changed(seq);
        }
    }
    Ok(answers)
}

/// Which of the numbered candidates were inserted by this transaction.
async fn inserted(
    tx: &mut Tx<'_>,
    candidates: &[Candidate<'_>],
    numbered: &[(usize, Seq)],
    changed: u64,
) -> Result<Vec<bool>, StoreError> {
    if usize::try_from(changed).ok() == Some(numbered.len()) {
        return Ok(vec![true; numbered.len()]);
    }
    if changed == 0 {
        return Ok(vec![false; numbered.len()]);
    }
    let ids =
        numbered.iter().filter_map(|(at, _)| candidates.get(*at)).map(|c| (&c.message.message_id).into());
    let ids: Vec<Value> = ids.collect();
    let mut stored = HashMap::with_capacity(numbered.len());
    for row in tx.db().texts.message_ids.all(tx, ids).await? {
        stored.insert(row.string(0)?, row.int(1)?);
    }
    Ok(numbered
        .iter()
        .map(|(at, seq)| {
            let id = candidates.get(*at).map(|c| c.message.message_id.as_str());
            id.and_then(|id| stored.get(id)) == Some(&seq.0)
        })
        .collect())
}

/// What goes with new messages: feed rows, mentions, names, their rooms, the age of the last event.
async fn after_insert(tx: &mut Tx<'_>, fresh: &[(&Candidate<'_>, Seq)]) -> Result<(), StoreError> {
    let mut changes = Vec::with_capacity(fresh.len());
    let mut mentions = Vec::new();
    let mut rooms: BTreeMap<&ChatId, (&IntegrationId, i64, Timestamp)> = BTreeMap::new();
    let mut names = Vec::new();
    for (candidate, seq) in fresh {
        let message = candidate.message;
        let chat = &message.chat_id;
        changes.push(Change {
            seq: *seq,
            what: ChangeKind::Message,
            key: message.message_id.to_string(),
            chat_id: Some(chat.clone()),
        });
        for mention in &message.mentions {
            mentions.extend([
                chat.into(),
                mention.id.as_str().into(),
                message.created_at.into(),
                (&message.message_id).into(),
            ]);
        }
        if let Some(name) = &message.sender.name {
            names.push((message.sender.id.clone(), Some(name.clone())));
        }
        let room = rooms.entry(chat).or_insert((candidate.integration, 0, message.created_at));
        room.1 += i64::from(candidate.counts && !candidate.own);
        room.2 = room.2.max(message.created_at);
    }
    tx.tell_all(changes);
    tx.db().texts.mention.later(tx, mentions);
    person::put(tx, &names).await?;
    for (chat, (integration, counted, last)) in rooms {
        if !tx.db().seen_rooms().contains(chat) {
            ensure_room(tx, integration, chat, "").await?;
            tx.db().seen_rooms().insert(chat.clone());
        }
        // One that was removed meanwhile comes back, as it does for a process that never saw it.
        q("insert into room (chat_id, integration_id, name, description, kind, status, counted, last_message_at)
            values ($1, $2, '', '', 'group', 'open', $3, $4)
            on conflict (chat_id) do update set counted = room.counted + excluded.counted,
                last_message_at = case when room.last_message_at > excluded.last_message_at
                    then room.last_message_at else excluded.last_message_at end")
        .bind(chat)
        .bind(integration)
        .bind(counted)
        .bind(last)
        .later(tx);
    }
    Ok(())
}

/// Makes the room where it is not there; whether it was made.
pub(super) async fn ensure_room(
    tx: &mut Tx<'_>,
    integration: &IntegrationId,
    chat: &ChatId,
    name: &str,
) -> Result<bool, StoreError> {
    let made = q("insert into room (chat_id, integration_id, name, description, kind, status, counted)
        values ($1, $2, $3, '', 'group', 'open', 0) on conflict do nothing")
    .bind(chat)
    .bind(integration)
    .bind(name)
    .run(tx)
    .await?;
    if made > 0 {
        tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await?;
    }
    Ok(made > 0)
}

/// What is stored of a message that came again.
struct Known {
    content: String,
    updated_at: Option<Timestamp>,
    edited: bool,
    recalled: bool,
    has_thread: bool,
}

/// Takes over what a message that is already stored brings: a newer text, a recall, its thread. The number
/// of the change, if there was one.
async fn update_known(tx: &mut Tx<'_>, candidate: &Candidate<'_>) -> Result<Option<Seq>, StoreError> {
    let message = candidate.message;
    let row = q("select content, updated_at, edited, recalled, thread_id is not null from message
        where message_id = $1 and chat_id = $2")
    .bind(&message.message_id)
    .bind(&message.chat_id)
    .one(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let known = Known {
        content: row.string(0)?,
        updated_at: row.opt_at(1)?,
        edited: row.flag(2)?,
        recalled: row.flag(3)?,
        has_thread: row.flag(4)?,
    };
    let is_listing = candidate.is_edit || candidate.via == Via::History;
    // A recalled message is listed without its text: what was said stays.
    let is_newer = is_listing && !message.recalled && !known.recalled && is_newer_text(candidate, &known);
    let is_recalled = message.recalled && !known.recalled;
    let has_thread = message.thread_id.is_some() && !known.has_thread;
    if !(is_newer || is_recalled || has_thread) {
        return Ok(None);
    }
    let seq = tx.tell(ChangeKind::Message, message.message_id.as_str(), Some(&message.chat_id)).await?;
    if is_newer {
        q("update message set content = $2, msg_type = $3, mentions = $4, updated_at = $5, edited = $6
            where message_id = $1")
        .bind(&message.message_id)
        .bind(message.content.as_str())
        .bind(message.msg_type.as_str())
        .bind(mentions_text(message))
        .bind(message.updated_at.or(known.updated_at))
        .bind(message.edited || candidate.is_edit || known.edited)
        .run(tx)
        .await?;
    }
    q("update message set seq = $2, recalled = case when $3 = 1 then 1 else recalled end,
        thread_id = coalesce(thread_id, $4), root_id = coalesce(root_id, $5), parent_id = coalesce(parent_id, $6)
        where message_id = $1")
    .bind(&message.message_id)
    .bind(seq)
    .bind(is_recalled)
    .bind(message.thread_id.as_ref())
    .bind(message.root_id.as_ref())
    .bind(message.parent_id.as_ref())
    .run(tx)
    .await?;
    Ok(Some(seq))
}

/// Whether the text of a message that came again replaces the stored one: edits may overtake each other.
fn is_newer_text(candidate: &Candidate<'_>, known: &Known) -> bool {
    let message = candidate.message;
    let differs = message.content != known.content || (message.edited || candidate.is_edit) != known.edited;
    let in_order = match (message.updated_at, known.updated_at) {
        (Some(new), Some(old)) => new > old || (new == old && !known.edited),
        (None, Some(_)) => candidate.is_edit,
        (_, None) => true,
    };
    differs && in_order
}

async fn apply_early_recalls(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let rows =
        q("select m.message_id, m.chat_id from early_recall e join message m on m.message_id = e.message_id")
            .all(tx)
            .await?;
    for row in rows {
        let id: MessageId = row.parse(0, "message_id")?;
        let chat: ChatId = row.parse(1, "chat_id")?;
        let seq = tx.tell(ChangeKind::Message, id.as_str(), Some(&chat)).await?;
        q("update message set recalled = 1, seq = $2 where message_id = $1")
            .bind(&id)
            .bind(seq)
            .run(tx)
            .await?;
        let gone = q("delete from early_recall where message_id = $1").bind(&id).run(tx).await?;
        count_early_recalls(tx, -i64::try_from(gone).unwrap_or(0)).await?;
    }
    Ok(())
}

pub(super) async fn count_early_recalls(tx: &mut Tx<'_>, by: i64) -> Result<(), StoreError> {
    q("update store_meta set early_recalls = early_recalls + $1 where id = 1").bind(by).run(tx).await?;
    Ok(())
}
