//! Reading transcripts: by time and message id, not by the order in which the store learned.

use std::collections::HashMap;

use super::{
    StoreError, View, absorb,
    db::Texts,
    sql::{Bulk, Conn, Query, Row, Value, q},
};
use crate::core::{
    ids::{ChatId, MessageId, Seq, ThreadId},
    message::{Message, NewMessage, Sender, SenderKind, Via},
    room::{Missing, Seam},
    time::Timestamp,
};

/// The columns of [`read`], and where they come from.
macro_rules! select_message {
    ($rest:literal) => {
        concat!(
            "select m.message_id, m.chat_id, m.created_at, m.seq, m.root_id, m.parent_id, m.thread_id, ",
            "m.sender_id, m.sender_kind, p.name, m.msg_type, m.content, m.mentions, m.updated_at, m.edited, ",
            "m.recalled, m.via, exists (select 1 from reaction x where x.message_id = m.message_id) from ",
            $rest
        )
    };
}

/// Messages by the feed.
pub(super) const AFTER: &str = select_message!(
    "feed f join message m on m.message_id = f.key and m.seq = f.seq left join person p on p.id = m.sender_id \
     where f.seq > $1 and f.what = 1 order by f.seq limit $2"
);
pub(super) const AFTER_IN_CHAT: &str = select_message!(
    "feed f join message m on m.message_id = f.key and m.seq = f.seq left join person p on p.id = m.sender_id \
     where f.seq > $1 and f.what = 1 and f.chat_id = $3 order by f.seq limit $2"
);
pub(super) const BY_ID: &str =
    select_message!("message m left join person p on p.id = m.sender_id where m.message_id in");
const NEWEST: &str = select_message!(
    "message m left join person p on p.id = m.sender_id where m.chat_id = $1 \
     order by m.created_at desc, m.message_id desc limit $2"
);
const BEFORE: &str = select_message!(
    "message m left join person p on p.id = m.sender_id where m.chat_id = $1 and m.created_at <= $3 \
     and (m.created_at < $3 or m.message_id < $4) order by m.created_at desc, m.message_id desc limit $2"
);
const LATER: &str = select_message!(
    "message m left join person p on p.id = m.sender_id where m.chat_id = $1 and m.created_at >= $3 \
     and (m.created_at > $3 or m.message_id > $4) order by m.created_at, m.message_id limit $2"
);
const THREAD: &str = select_message!(
    "message m left join person p on p.id = m.sender_id where m.thread_id = $1 and m.chat_id = $2 \
     order by m.created_at desc, m.message_id desc limit $3"
);
const REPLIES: &str = select_message!(
    "message m left join person p on p.id = m.sender_id where m.root_id = $1 and m.chat_id = $2 \
     order by m.created_at desc, m.message_id desc limit $3"
);

fn read(row: &Row) -> Result<Message, StoreError> {
    let mentions = match row.opt_text(12)? {
        None => Vec::new(),
        Some(text) => {
            serde_json::from_str(text).map_err(|error| StoreError::data("list of mentions", error))?
        }
    };
    Ok(Message {
        seq: Seq(row.int(3)?),
        body: NewMessage {
            chat_id: row.parse(1, "chat_id")?,
            message_id: row.parse(0, "message_id")?,
            root_id: row.opt_parse(4, "message_id")?,
            parent_id: row.opt_parse(5, "message_id")?,
            thread_id: row.opt_parse(6, "thread_id")?,
            sender: Sender {
                id: row.string(7)?,
                name: row.opt_string(9)?,
                kind: SenderKind::parse(row.text(8)?),
            },
            msg_type: row.string(10)?,
            content: row.string(11)?,
            mentions,
            created_at: row.at(2)?,
            updated_at: row.opt_at(13)?,
            edited: row.flag(14)?,
            recalled: row.flag(15)?,
        },
        via: Via::parse(row.text(16)?)
            .ok_or_else(|| StoreError::data("way of a message", row.text(16).unwrap_or("")))?,
        reactions: Vec::new(),
    })
}

/// Runs a query over the columns of [`read`], and adds the reactions.
pub(super) async fn load(conn: &mut Conn, query: Query) -> Result<Vec<Message>, StoreError> {
    let rows = query.all(conn).await?;
    read_all(conn, &rows).await
}

async fn read_all(conn: &mut Conn, rows: &[Row]) -> Result<Vec<Message>, StoreError> {
    let mut messages = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // Most messages have none: those are not asked for again.
    let mut ids = Vec::new();
    for (row, message) in rows.iter().zip(&messages) {
        if row.flag(17)? {
            ids.push((&message.body.message_id).into());
        }
    }
    if ids.is_empty() {
        return Ok(messages);
    }
    let list = Bulk::list(
        "select message_id, emoji, count(*) from reaction where message_id in",
        " group by message_id, emoji order by message_id, emoji",
    );
    let mut reactions: HashMap<String, Vec<(String, u32)>> = HashMap::new();
    for row in list.all(conn, ids).await? {
        reactions.entry(row.string(0)?).or_default().push((row.string(1)?, row.count(2)?));
    }
    for message in &mut messages {
        message.reactions = reactions.remove(message.body.message_id.as_str()).unwrap_or_default();
    }
    Ok(messages)
}

/// A place in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the message there was written.
    pub at: Timestamp,
    /// Its id.
    pub message_id: MessageId,
}

/// From where a page of a transcript is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The newest messages.
    Latest,
    /// Those right before a place.
    Before(Place),
    /// Those right after a place.
    After(Place),
    /// Those written at an instant or later.
    From(Timestamp),
}

impl View {
    /// A page of a chat, oldest first; at most `limit` messages. Senders have the newest name that is known.
    ///
    /// # Errors
    /// The engine's.
    pub async fn history(
        &self,
        chat: &ChatId,
        anchor: &Anchor,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut read = self.db().read("read the transcript").await?;
        let (query, is_backwards) = match anchor {
            Anchor::Latest => (q(NEWEST).bind(chat).bind(limit), true),
            Anchor::Before(place) => {
                (q(BEFORE).bind(chat).bind(limit).bind(place.at).bind(&place.message_id), true)
            }
            Anchor::After(place) => {
                (q(LATER).bind(chat).bind(limit).bind(place.at).bind(&place.message_id), false)
            }
            Anchor::From(at) => (q(LATER).bind(chat).bind(limit).bind(*at).bind(""), false),
        };
        let mut messages = load(&mut read, query).await?;
        if is_backwards {
            messages.reverse();
        }
        Ok(messages)
    }

    /// The messages of a thread with its root, oldest first, the newest `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn thread(
        &self,
        chat: &ChatId,
        thread: &ThreadId,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut read = self.db().read("read the thread").await?;
        let mut messages = load(&mut read, q(THREAD).bind(thread).bind(chat).bind(limit)).await?;
        // The root may have been stored before the thread was opened on it.
        let root = messages.iter().find_map(|message| message.body.root_id.clone());
        if let Some(root) = root
            && !messages.iter().any(|message| message.body.message_id == root)
        {
            messages.extend(by_ids(&mut read, &self.db().texts, std::slice::from_ref(&root)).await?);
        }
        messages.sort_by(|a, b| a.place().cmp(&b.place()));
        Ok(messages)
    }

    /// A message with everything that answers it, oldest first, the newest `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn replies(
        &self,
        chat: &ChatId,
        root: &MessageId,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut read = self.db().read("read the replies").await?;
        let mut messages = load(&mut read, q(REPLIES).bind(root).bind(chat).bind(limit)).await?;
        messages.extend(by_ids(&mut read, &self.db().texts, std::slice::from_ref(root)).await?);
        messages.sort_by(|a, b| a.place().cmp(&b.place()));
        messages.dedup_by(|a, b| a.body.message_id == b.body.message_id);
        Ok(messages)
    }

    /// Threads of a chat with a message since an instant, the latest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn active_threads(&self, chat: &ChatId, since: Timestamp) -> Result<Vec<ThreadId>, StoreError> {
        let mut read = self.db().read("list the threads").await?;
        let rows = q(
            "select thread_id from message where chat_id = $1 and created_at >= $2 and thread_id is not null
            group by thread_id order by max(created_at) desc, thread_id",
        )
        .bind(chat)
        .bind(since)
        .all(&mut read)
        .await?;
        rows.iter().map(|row| row.parse(0, "thread_id")).collect()
    }

    /// One message.
    ///
    /// # Errors
    /// The engine's.
    pub async fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.messages(std::slice::from_ref(id)).await?.pop())
    }

    /// The messages of these ids, in the order asked; missing ones are left out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, StoreError> {
        let mut read = self.db().read("read messages").await?;
        by_ids(&mut read, &self.db().texts, ids).await
    }

    /// The seams of a chat that touch the span from `from` to `to`, oldest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn seams(
        &self,
        chat: &ChatId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Seam>, StoreError> {
        let mut read = self.db().read("read the seams").await?;
        let rows = q("select seq, from_at, to_at, recovered, missing from seam
            where chat_id = $1 and to_at >= $2 and from_at <= $3 order by from_at, seq")
        .bind(chat)
        .bind(from)
        .bind(to)
        .all(&mut read)
        .await?;
        rows.iter()
            .map(|row| {
                let word = row.text(4)?;
                let missing = [Missing::Nothing, Missing::ThreadReplies, Missing::Messages]
                    .into_iter()
                    .find(|missing| absorb::missing_word(*missing) == word);
                Ok(Seam {
                    seq: Seq(row.int(0)?),
                    chat_id: chat.clone(),
                    from: row.at(1)?,
                    to: row.at(2)?,
                    recovered: row.count(3)?,
                    missing: missing.ok_or_else(|| StoreError::data("seam", word))?,
                })
            })
            .collect()
    }
}

async fn by_ids(conn: &mut Conn, texts: &Texts, ids: &[MessageId]) -> Result<Vec<Message>, StoreError> {
    let rows = texts.messages.all(conn, ids.iter().map(Value::from).collect()).await?;
    let messages = read_all(conn, &rows).await?;
    let mut found: HashMap<MessageId, Message> =
        messages.into_iter().map(|message| (message.body.message_id.clone(), message)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}
