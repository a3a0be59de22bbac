//! The feed: in which order the store learned of things.

use super::{Store, StoreError, message, sql::q};
use crate::core::{
    ids::{ChatId, Seq},
    message::Message,
    time::Timestamp,
};

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A message came, was edited, recalled or reacted to. Key: message_id.
    Message,
    /// A room, its members or its status. Key: chat_id.
    Room,
    /// A team member. Key: member id; empty where many changed at once.
    Member,
    /// A link or the reason for none. Key: member id; empty where many changed at once.
    Link,
    /// An integration. Key: its id.
    Integration,
    /// A row of the operation log. Key: its number.
    Operation,
    /// An outgoing message. Key: its uuid.
    Outgoing,
    /// State, holder or last event of a live connection. Key: app_id.
    Live,
    /// A seam in a transcript. Key: its number.
    Seam,
    /// A name was learned. Key: open_id or app_id; empty where many.
    Person,
}

impl ChangeKind {
    const ALL: [Self; 10] = [
        Self::Message,
        Self::Room,
        Self::Member,
        Self::Link,
        Self::Integration,
        Self::Operation,
        Self::Outgoing,
        Self::Live,
        Self::Seam,
        Self::Person,
    ];

    /// As the store writes it.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Message => 1,
            Self::Room => 2,
            Self::Member => 3,
            Self::Link => 4,
            Self::Integration => 5,
            Self::Operation => 6,
            Self::Outgoing => 7,
            Self::Live => 8,
            Self::Seam => 9,
            Self::Person => 10,
        }
    }

    fn parse(code: i64) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or_else(|| StoreError::data("kind of change", code))
    }
}

/// A row of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number: grows from row to row, with gaps.
    pub seq: Seq,
    /// What it is about.
    pub what: ChangeKind,
    /// Of which thing; see [`ChangeKind`].
    pub key: String,
    /// In which chat, for messages, rooms, outgoing messages and seams.
    pub chat_id: Option<ChatId>,
}

impl Store {
    /// The changes after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn changes(&self, after: Seq, limit: u32) -> Result<Vec<Change>, StoreError> {
        let mut read = self.db().read("follow the feed").await?;
        let rows = q("select seq, what, key, chat_id from feed where seq > $1 order by seq limit $2")
            .bind(after)
            .bind(limit)
            .all(&mut read)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Change {
                    seq: Seq(row.int(0)?),
                    what: ChangeKind::parse(row.int(1)?)?,
                    key: row.string(2)?,
                    chat_id: row.opt_parse(3, "chat_id")?,
                })
            })
            .collect()
    }

    /// The highest number given so far.
    ///
    /// # Errors
    /// The engine's.
    pub async fn head(&self) -> Result<Seq, StoreError> {
        let mut read = self.db().read("follow the feed").await?;
        Ok(Seq(q("select seq from store_meta where id = 1").must(&mut read).await?.int(0)?))
    }

    /// Rows up to this number have been pruned: a cursor below it has to load anew.
    ///
    /// # Errors
    /// The engine's.
    pub async fn feed_floor(&self) -> Result<Seq, StoreError> {
        let mut read = self.db().read("follow the feed").await?;
        Ok(Seq(q("select feed_floor from store_meta where id = 1").must(&mut read).await?.int(0)?))
    }

    /// Whether something of this kind has changed after `after` (or what is known of it is gone), and the head
    /// of the feed up to which that was looked at.
    ///
    /// # Errors
    /// The engine's.
    pub async fn changed_since(&self, kind: ChangeKind, after: Seq) -> Result<(bool, Seq), StoreError> {
        let mut read = self.db().read("follow the feed").await?;
        let row = q("select seq, feed_floor > $1
                or exists (select 1 from feed where feed.seq > $1 and what = $2)
            from store_meta where id = 1")
        .bind(after)
        .bind(kind.code())
        .must(&mut read)
        .await?;
        Ok((row.flag(1)?, Seq(row.int(0)?)))
    }

    /// The messages whose latest change is after `after`, in the order of those changes, at most `limit`;
    /// of one chat or of all.
    ///
    /// # Errors
    /// The engine's.
    pub async fn messages_after(
        &self,
        after: Seq,
        chat: Option<&ChatId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut read = self.db().read("follow the messages").await?;
        let query = match chat {
            None => q(message::AFTER).bind(after).bind(limit),
            Some(chat) => q(message::AFTER_IN_CHAT).bind(after).bind(limit).bind(chat),
        };
        message::load(&mut read, query).await
    }

    /// The number after which the first message written at or after `at` was learned: where `tail --since`
    /// starts.
    ///
    /// # Errors
    /// The engine's.
    pub async fn seq_at(&self, at: Timestamp) -> Result<Seq, StoreError> {
        let mut read = self.db().read("find a place in the feed").await?;
        let row =
            q("select min(m.seq) from room r join message m on m.chat_id = r.chat_id and m.created_at >= $1")
                .bind(at)
                .must(&mut read)
                .await?;
        match row.opt_int(0)? {
            Some(seq) => Ok(Seq(seq - 1)),
            None => Ok(Seq(q("select seq from store_meta where id = 1").must(&mut read).await?.int(0)?)),
        }
    }
}
