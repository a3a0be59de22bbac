//! Forgetting what is past, in steps that are short enough to hold nobody up. Each step is one transaction and
//! answers how many rows it took; 0: nothing is left of its kind.

use std::time::Duration;

use super::{
    Store, StoreError, View, absorb,
    db::Tx,
    event::EARLY_REACTION,
    feed::ChangeKind,
    sql::{Bulk, Row, Value, q},
};
use crate::core::{
    ids::{ChatId, IntegrationId},
    message::Mention,
    time::Timestamp,
};

/// Messages of one step: each has five indexes, and mentions and reactions besides.
const MESSAGES: u32 = 48;
/// How exact the instant is before which messages are gone, and that of a mark of the feed.
const EXACT: Duration = Duration::from_secs(3600);

/// How much there is of a kind, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `messages`, `events`, `feed`, `operations`, `links`, `outbox`.
    pub what: &'static str,
    /// Rows.
    pub rows: u64,
    /// The instant of the oldest, where there is one.
    pub oldest_at: Option<Timestamp>,
}

impl View {
    /// Messages that were written before this instant are not kept; `None`: all are.
    ///
    /// # Errors
    /// The engine's.
    pub async fn kept_from(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut read = self.db().read("look at what is kept").await?;
        q("select kept_from from store_meta where id = 1").must(&mut read).await?.opt_at(0)
    }

    /// How much there is of what is kept for a time.
    ///
    /// # Errors
    /// The engine's.
    pub async fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        const COUNTS: [(&str, &str); 6] = [
            ("messages", "select count(*), min(created_at) from message"),
            ("events", "select count(*), min(at) from event_seen"),
            ("feed", "select count(*), (select min(at) from feed_mark) from feed"),
            ("operations", "select count(*), min(at) from operation"),
            ("links", "select count(*), min(at) from link_journal"),
            ("outbox", "select count(*), min(queued_at) from outbox"),
        ];
        let mut read = self.db().read("count what is kept").await?;
        let mut all = Vec::with_capacity(COUNTS.len());
        for (what, text) in COUNTS {
            let row = q(text).must(&mut read).await?;
            let rows = u64::try_from(row.int(0)?).unwrap_or(0);
            all.push(Kept { what, rows, oldest_at: row.opt_at(1)? });
        }
        Ok(all)
    }

    /// The rooms of an integration that have messages from before an instant.
    ///
    /// # Errors
    /// The engine's.
    pub async fn rooms_with_old(
        &self,
        integration: &IntegrationId,
        before: Timestamp,
    ) -> Result<Vec<ChatId>, StoreError> {
        let mut read = self.db().read("look for old messages").await?;
        let rows = q("select chat_id from room where integration_id = $1 and exists
            (select 1 from message m where m.chat_id = room.chat_id and m.created_at < $2)")
        .bind(integration)
        .bind(before)
        .all(&mut read)
        .await?;
        rows.iter().map(|row| row.parse(0, "chat_id")).collect()
    }
}

impl Store {
    /// Says from when on messages are kept, for everybody who stores and shows them. An hour more or less is not
    /// worth a write.
    ///
    /// # Errors
    /// The engine's.
    pub async fn keep_from(&self, from: Option<Timestamp>) -> Result<(), StoreError> {
        let is_same = match (self.kept_from().await?, from) {
            (Some(old), Some(new)) => old.since(new).max(new.since(old)) < EXACT,
            (old, new) => old == new,
        };
        if is_same {
            return Ok(());
        }
        let mut tx = self.db().write("say what is kept").await?;
        q("update store_meta set kept_from = $1 where id = 1").bind(from).run(&mut tx).await?;
        tx.commit().await
    }

    /// Forgets the oldest messages of a room that were written before an instant, with what hangs on them.
    /// Numbers and marks follow by [`Store::settle_room`].
    ///
    /// # Errors
    /// The engine's.
    pub async fn prune_room(&self, chat: &ChatId, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db().write("forget old messages").await?;
        let rows = q("delete from message where message_id in (select message_id from message
                where chat_id = $1 and created_at < $2 order by created_at limit $3)
            returning message_id, created_at, mentions")
        .bind(chat)
        .bind(before)
        .bind(MESSAGES)
        .all(&mut tx)
        .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let ids = rows.iter().map(|row| row.text(0).map(Value::from)).collect::<Result<Vec<Value>, _>>()?;
        for text in [
            "delete from reaction where message_id in",
            "delete from outbox where state <> 'queued' and state <> 'sending' and message_id in",
        ] {
            Bulk::list(text, "").run(&mut tx, ids.clone()).await?;
        }
        let of_room = std::iter::once(Value::from(chat)).chain(ids);
        let press =
            "delete from press where integration_id = (select integration_id from room where chat_id = $1)
            and message_id in";
        Bulk::list_after(1, press, "").run(&mut tx, of_room.collect()).await?;
        for row in &rows {
            forget_mentions(&mut tx, chat, row).await?;
        }
        tx.commit().await?;
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    /// After a room's old messages are gone: seams and stray mentions from before the instant go too, and nobody
    /// has more unread than there is. Consoles are told.
    ///
    /// # Errors
    /// The engine's.
    pub async fn settle_room(&self, chat: &ChatId, before: Timestamp) -> Result<(), StoreError> {
        let (mut left, mut counted) = (0, 0);
        {
            // Counted outside the transaction: a room may have many. What comes meanwhile is in both numbers.
            let mut read = self.db().read("count what is left of a room").await?;
            let row = q(
                "select r.counted, (select count(*) from message m where m.chat_id = r.chat_id and m.own = 0)
                from room r where r.chat_id = $1",
            )
            .bind(chat)
            .one(&mut read)
            .await?;
            if let Some(row) = row {
                (counted, left) = (row.int(0)?, row.int(1)?);
            }
        }
        let surplus = (counted - left).max(0);
        let has_stray = {
            let mut read = self.db().read("look for stray mentions").await?;
            let stray = q("select 1 from mention where chat_id = $1 and created_at < $2 limit 1");
            stray.bind(chat).bind(before).one(&mut read).await?.is_some()
        };
        let mut tx = self.db().write("settle a room").await?;
        q("update room set counted = counted - $2 where chat_id = $1")
            .bind(chat)
            .bind(surplus)
            .run(&mut tx)
            .await?;
        // Marks count what was there before them. One from before the instant leaves unread what is left, no more.
        q("update read_mark set counted = case when at < $3 and counted - $2 < $4 then $4 else counted - $2 end
            where chat_id = $1")
        .bind(chat)
        .bind(surplus)
        .bind(before)
        .bind(counted - surplus - left)
        .run(&mut tx)
        .await?;
        q("delete from seam where chat_id = $1 and to_at < $2").bind(chat).bind(before).run(&mut tx).await?;
        if has_stray {
            let stray = q("delete from mention where chat_id = $1 and created_at < $2");
            stray.bind(chat).bind(before).run(&mut tx).await?;
        }
        tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await?;
        tx.commit().await
    }

    /// Forgets events that were seen before an instant, recalls and reactions whose message never came, and messages
    /// that were sent before it: of those the transcript tells.
    ///
    /// # Errors
    /// The engine's.
    pub async fn prune_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db().write("forget old events").await?;
        let events = q("delete from event_seen where event_id in
            (select event_id from event_seen where at < $1 order by at limit 256) returning event_id")
        .bind(before)
        .all(&mut tx)
        .await?;
        let mut gone = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let early = events.iter().filter_map(|row| row.text(0).ok()?.strip_prefix(EARLY_REACTION));
        let early = early.map(Value::from).collect();
        Bulk::list(
            "delete from reaction where not exists
                (select 1 from message m where m.message_id = reaction.message_id) and message_id in",
            "",
        )
        .run(&mut tx, early)
        .await?;
        gone += q("delete from outbox where uuid in
            (select uuid from outbox where state = 'sent' and queued_at < $1 order by queued_at limit 64)")
        .bind(before)
        .run(&mut tx)
        .await?;
        let recalls = q("delete from early_recall where message_id in
            (select message_id from early_recall where at < $1 order by at limit 64)")
        .bind(before)
        .run(&mut tx)
        .await?;
        if recalls > 0 {
            absorb::count_early_recalls(&mut tx, -i64::try_from(recalls).unwrap_or(0)).await?;
        }
        if gone + recalls > 0 {
            tx.commit().await?;
        }
        Ok(gone + recalls)
    }

    /// Notes where the feed stands, once an hour while it grows: so that later it is known what of it is old.
    ///
    /// # Errors
    /// The engine's.
    pub async fn mark_feed(&self) -> Result<(), StoreError> {
        let is_due = {
            let mut read = self.db().read("look at the marks of the feed").await?;
            let now = self.db().shared_now(&mut read).await?;
            let row = q("select s.seq, m.seq, m.at from store_meta s left join feed_mark m
                    on m.seq = (select max(seq) from feed_mark) where s.id = 1")
            .must(&mut read)
            .await?;
            let (head, marked) = (row.int(0)?, row.opt_int(1)?);
            // A clock that was set back must not stop it.
            let is_old = row.opt_at(2)?.is_none_or(|at| now.since(at) >= EXACT || at.since(now) >= EXACT);
            is_old && marked.is_none_or(|marked| marked < head)
        };
        if !is_due {
            return Ok(());
        }
        let mut tx = self.db().write("mark the feed").await?;
        let now = tx.now();
        q("insert into feed_mark (seq, at) select seq, $1 from store_meta where id = 1 on conflict do nothing")
            .bind(now)
            .run(&mut tx)
            .await?;
        tx.commit().await
    }

    /// Forgets the feed up to where it stood at an instant. A console that was away for longer loads anew.
    ///
    /// # Errors
    /// The engine's.
    pub async fn prune_feed(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db().write("forget the old feed").await?;
        let to =
            q("select max(seq) from feed_mark where at < $1").bind(before).must(&mut tx).await?.opt_int(0)?;
        let Some(to) = to else { return Ok(0) };
        let rows =
            q("delete from feed where seq in (select seq from feed where seq <= $1 order by seq limit 256)
            returning seq")
            .bind(to)
            .all(&mut tx)
            .await?;
        let mut floor = 0;
        for row in &rows {
            floor = row.int(0)?.max(floor);
        }
        if rows.is_empty() {
            let marks = q("delete from feed_mark where seq < $1").bind(to).run(&mut tx).await?;
            if marks > 0 {
                tx.commit().await?;
            }
            return Ok(0);
        }
        q("update store_meta set feed_floor = $1 where id = 1 and feed_floor < $1")
            .bind(floor)
            .run(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    /// Forgets operations and the journal of links from before an instant, and messages that could not be sent.
    ///
    /// # Errors
    /// The engine's.
    pub async fn prune_log(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db().write("forget the old log").await?;
        let mut gone = 0;
        for text in [
            "delete from operation where seq in
                (select seq from operation where at < $1 order by at limit 128)",
            // Its ids grow with time: the oldest are looked at, and no more.
            "delete from link_journal where at < $1 and id in (select id from link_journal order by id limit 128)",
            "delete from outbox where uuid in (select uuid from outbox
                where state in ('failed', 'unknown') and queued_at < $1 order by queued_at limit 64)",
        ] {
            gone += q(text).bind(before).run(&mut tx).await?;
        }
        if gone > 0 {
            tx.commit().await?;
        }
        Ok(gone)
    }
}

/// Each by its whole key: the index has the person before the time.
async fn forget_mentions(tx: &mut Tx<'_>, chat: &ChatId, row: &Row) -> Result<(), StoreError> {
    let Some(text) = row.opt_text(2)? else { return Ok(()) };
    let mentions: Vec<Mention> =
        serde_json::from_str(text).map_err(|error| StoreError::data("list of mentions", error))?;
    for mention in mentions {
        q("delete from mention where chat_id = $1 and person = $2 and created_at = $3 and message_id = $4")
            .bind(chat)
            .bind(mention.id)
            .bind(row.int(1)?)
            .bind(row.text(0)?)
            .run(tx)
            .await?;
    }
    Ok(())
}
