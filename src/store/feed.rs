//! The feed: in which order the store learned of things.

use std::collections::VecDeque;

use super::{StoreError, View, message, sql::q};
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

/// How many of the newest changes are kept in memory.
const MOST_RECENT: usize = 512;

/// The newest changes of the feed without a gap, as far as this process made them: its own console follows
/// without reading back what was written a moment ago.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// It has every change after this one …
    after: Seq,
    /// … up to this one.
    to: Seq,
    changes: VecDeque<Change>,
}

impl Recent {
    /// Adds what a transaction told that took the numbers after `before` up to `to`; in the order of commits.
    pub(super) fn add(&mut self, before: Seq, to: Seq, mut changes: Vec<Change>) {
        if before != self.to {
            // Another process wrote between: what stands before its numbers is no use any more.
            self.changes.clear();
            self.after = before;
        }
        changes.sort_by_key(|change| change.seq);
        self.changes.extend(changes);
        self.to = to;
        while self.changes.len() > MOST_RECENT
            && let Some(oldest) = self.changes.pop_front()
        {
            self.after = oldest.seq;
        }
    }

    /// The changes after `after`, at most `limit`; `None` where not all of them are here, or none is.
    fn changes(&self, after: Seq, limit: u32) -> Option<Vec<Change>> {
        let is_covered = after >= self.after && after < self.to;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = is_covered.then(|| {
            self.changes.iter().filter(|change| change.seq > after).take(limit).cloned().collect::<Vec<_>>()
        });
        found.filter(|found| !found.is_empty())
    }
}

impl View {
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

    /// Changes right after `after` that this process made and still has in memory, at most `limit`. There may be
    /// more behind them; `None`: ask [`View::changes`].
    pub fn own_changes(&self, after: Seq, limit: u32) -> Option<Vec<Change>> {
        self.db().recent().changes(after, limit)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn change(seq: i64) -> Change {
        Change { seq: Seq(seq), what: ChangeKind::Message, key: format!("om_{seq}"), chat_id: None }
    }

    fn seqs(recent: &Recent, after: i64, limit: u32) -> Option<Vec<i64>> {
        let changes = recent.changes(Seq(after), limit)?;
        Some(changes.iter().map(|change| change.seq.0).collect())
    }

    #[test]
    fn recent_changes_answer_only_for_what_they_cover() {
        let mut recent = Recent::default();
        recent.add(Seq(10), Seq(13), vec![change(11), change(13)]);
        recent.add(Seq(13), Seq(14), vec![change(14)]);
        assert_eq!(seqs(&recent, 10, 9), Some(vec![11, 13, 14]));
        assert_eq!(seqs(&recent, 11, 1), Some(vec![13]));
        assert_eq!(seqs(&recent, 9, 9), None, "10 may be another's");
        assert_eq!(seqs(&recent, 14, 9), None, "nothing is known of what comes after");
        // Another process took 15.
        recent.add(Seq(15), Seq(16), vec![change(16)]);
        assert_eq!(seqs(&recent, 13, 9), None);
        assert_eq!(seqs(&recent, 15, 9), Some(vec![16]));
    }

    #[test]
    fn recent_changes_are_bounded() {
        let mut recent = Recent::default();
        for seq in 1..=2_000 {
            recent.add(Seq(seq - 1), Seq(seq), vec![change(seq)]);
        }
        assert_eq!(recent.changes.len(), MOST_RECENT);
        assert_eq!(seqs(&recent, 1_000, 9), None);
        assert_eq!(seqs(&recent, 1_999, 9), Some(vec![2_000]));
    }

    #[test]
    fn numbers_that_told_nothing_leave_no_gap() {
        let mut recent = Recent::default();
        recent.add(Seq(0), Seq(3), Vec::new());
        recent.add(Seq(3), Seq(4), vec![change(4)]);
        assert_eq!(seqs(&recent, 1, 9), Some(vec![4]));
        assert_eq!(seqs(&recent, 4, 9), None);
    }
}
