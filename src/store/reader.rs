//! What belongs to one person: read marks, drafts, where the screen was left. No feed rows.

use super::{Place, Store, StoreError, View, sql::q};
use crate::core::ids::{ChatId, OpenId};

/// A person who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// A member, or OS user@host.
    pub name: String,
    /// The reader's accounts: what counts as a mention.
    pub open_ids: Vec<OpenId>,
}

impl Store {
    /// Everything of a chat up to `place` is read. Never moves backwards.
    ///
    /// # Errors
    /// The engine's.
    pub async fn mark_read(&self, reader: &str, chat: &ChatId, place: &Place) -> Result<(), StoreError> {
        let is_news = {
            let mut read = self.db().read("look at the read mark").await?;
            let row = q("select r.counted - m.counted, m.at, m.message_id from read_mark m
                join room r on r.chat_id = m.chat_id where m.reader = $1 and m.chat_id = $2")
            .bind(reader)
            .bind(chat)
            .one(&mut read)
            .await?;
            match row {
                None => true,
                Some(row) => {
                    let old = (row.at(1)?, row.text(2)?);
                    let new = (place.at, place.message_id.as_str());
                    new > old || (new == old && row.int(0)? > 0)
                }
            }
        };
        if !is_news {
            return Ok(());
        }
        let mut touch = self.db().touch("set the read mark").await?;
        // What is unread from now on: what comes later in the transcript, and whatever will be learned.
        q("insert into read_mark (reader, chat_id, at, message_id, counted)
            select $1, $2, $3, $4, counted - (select count(*) from message where chat_id = $2 and own = 0
                and created_at >= $3 and (created_at > $3 or message_id > $4))
            from room where chat_id = $2
            on conflict (reader, chat_id) do update
            set at = excluded.at, message_id = excluded.message_id, counted = excluded.counted
            where excluded.at > read_mark.at
                or (excluded.at = read_mark.at and excluded.message_id >= read_mark.message_id)")
        .bind(reader)
        .bind(chat)
        .bind(place.at)
        .bind(&place.message_id)
        .run(&mut touch)
        .await?;
        touch.done().await
    }
}

impl View {
    /// Up to where a chat is read.
    ///
    /// # Errors
    /// The engine's.
    pub async fn read_mark(&self, reader: &str, chat: &ChatId) -> Result<Option<Place>, StoreError> {
        let mut read = self.db().read("look at the read mark").await?;
        let row = q("select at, message_id from read_mark where reader = $1 and chat_id = $2")
            .bind(reader)
            .bind(chat)
            .one(&mut read)
            .await?;
        row.map(|row| Ok(Place { at: row.at(0)?, message_id: row.parse(1, "message_id")? })).transpose()
    }
}

impl Store {
    /// Keeps a piece of one's screen (`draft/oc_…`, `session`); `None` forgets it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn put_ui(&self, reader: &str, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        let mut touch = self.db().touch("keep the screen's state").await?;
        match value {
            Some(value) => {
                q("insert into ui (reader, key, value) values ($1, $2, $3)
                    on conflict (reader, key) do update set value = excluded.value")
                .bind(reader)
                .bind(key)
                .bind(value)
                .run(&mut touch)
                .await?
            }
            None => {
                q("delete from ui where reader = $1 and key = $2")
                    .bind(reader)
                    .bind(key)
                    .run(&mut touch)
                    .await?
            }
        };
        touch.done().await
    }
}

impl View {
    /// A piece of one's screen.
    ///
    /// # Errors
    /// The engine's.
    pub async fn get_ui(&self, reader: &str, key: &str) -> Result<Option<String>, StoreError> {
        let mut read = self.db().read("read the screen's state").await?;
        let row = q("select value from ui where reader = $1 and key = $2")
            .bind(reader)
            .bind(key)
            .one(&mut read)
            .await?;
        row.map(|row| row.string(0)).transpose()
    }

    /// All pieces whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// The engine's.
    pub async fn list_ui(&self, reader: &str, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut read = self.db().read("read the screen's state").await?;
        let rows =
            q("select key, value from ui where reader = $1 order by key").bind(reader).all(&mut read).await?;
        let mut found = Vec::new();
        for row in &rows {
            if row.text(0)?.starts_with(prefix) {
                found.push((row.string(0)?, row.string(1)?));
            }
        }
        Ok(found)
    }
}
