//! Rooms and who is in them.

use std::collections::HashMap;

use super::{
    Reader, Store, StoreError, View, absorb,
    db::CHUNK_ROWS,
    event,
    feed::ChangeKind,
    person,
    sql::{Bulk, Conn, Query, Row, Value, q},
};
use crate::core::{
    ids::{ChatId, IntegrationId, OpenId},
    room::{Room, RoomKind, RoomMember, RoomStatus},
    time::Timestamp,
};

/// A chat as the platform lists it; `None` leaves what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRow {
    /// Which.
    pub chat_id: ChatId,
    /// Foreign text.
    pub name: Option<String>,
    /// Foreign text.
    pub description: Option<String>,
    /// Open or disbanded.
    pub status: Option<RoomStatus>,
    /// Members without bots.
    pub member_count: Option<u32>,
}

/// As the store writes it.
const fn kind_word(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::WarRoom => "war_room",
        RoomKind::Group => "group",
    }
}

macro_rules! select_room {
    ($rest:literal) => {
        concat!(
            "select r.chat_id, r.integration_id, r.name, r.description, r.kind, r.status, r.member_count, ",
            "r.counted - coalesce(k.counted, 0), r.last_message_at, r.complete_to, ",
            // Somebody mentioned the reader, or everybody, after the mark: a step into an index for each name.
            "exists (select 1 from mention x where x.chat_id = r.chat_id ",
            "and x.person in ($3, $4, $5, 'all', '@_all') and (k.at is null or (x.created_at >= k.at ",
            "and (x.created_at > k.at or x.message_id > k.message_id)))) ",
            "from room r left join read_mark k on k.reader = $1 and k.chat_id = r.chat_id ",
            $rest
        )
    };
}

impl Store {
    /// Adds and updates rooms as the platform lists them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn upsert_chats(
        &self,
        integration: &IntegrationId,
        chats: Vec<ChatRow>,
    ) -> Result<(), StoreError> {
        for chunk in chats.chunks(CHUNK_ROWS / 2) {
            let mut tx = self.db().write("store the rooms").await?;
            for chat in chunk {
                let is_new = absorb::ensure_room(&mut tx, integration, &chat.chat_id, "").await?;
                let changed = q("update room set name = coalesce($2, name), description = coalesce($3, description),
                    status = coalesce($4, status), member_count = coalesce($5, member_count)
                    where chat_id = $1 and (name <> coalesce($2, name) or description <> coalesce($3, description)
                        or status <> coalesce($4, status) or coalesce(member_count, -1) <> coalesce($5, member_count, -1))")
                .bind(&chat.chat_id)
                .bind(chat.name.as_deref())
                .bind(chat.description.as_deref())
                .bind(chat.status.map(RoomStatus::as_str))
                .bind(chat.member_count)
                .run(&mut tx)
                .await?;
                if changed > 0 && !is_new {
                    tx.tell(ChangeKind::Room, chat.chat_id.as_str(), Some(&chat.chat_id)).await?;
                }
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

impl View {
    /// The rooms of an integration for a reader: those with unread messages first, then by the newest
    /// message; rooms that are over come last.
    ///
    /// # Errors
    /// The engine's.
    pub async fn rooms(&self, integration: &IntegrationId, reader: &Reader) -> Result<Vec<Room>, StoreError> {
        let mut read = self.db().read("list the rooms").await?;
        let query =
            q(select_room!("where r.integration_id = $2")).bind(reader.name.as_str()).bind(integration);
        let mut rooms: Vec<Room> =
            load(&mut read, query, reader).await?.into_iter().map(|(_, room)| room).collect();
        rooms.sort_by(|a, b| {
            let rank = |room: &Room| (room.status != RoomStatus::Open, room.unread == 0);
            rank(a)
                .cmp(&rank(b))
                .then(b.mentioned.cmp(&a.mentioned))
                .then(b.last_message_at.cmp(&a.last_message_at))
                .then_with(|| a.chat_id.cmp(&b.chat_id))
        });
        Ok(rooms)
    }

    /// One room for a reader, and its integration.
    ///
    /// # Errors
    /// The engine's.
    pub async fn room(
        &self,
        chat: &ChatId,
        reader: &Reader,
    ) -> Result<Option<(IntegrationId, Room)>, StoreError> {
        let mut read = self.db().read("look at the room").await?;
        let query = q(select_room!("where r.chat_id = $2")).bind(reader.name.as_str()).bind(chat);
        Ok(load(&mut read, query, reader).await?.pop())
    }
}

impl Store {
    /// A room of which nothing was listed yet is known from `from` on: with it, or with whatever it is
    /// complete to already.
    ///
    /// # Errors
    /// The engine's.
    pub async fn know_room_from(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        from: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write("mark the room").await?;
        absorb::ensure_room(&mut tx, integration, chat, "").await?;
        q("update room set complete_to = $2 where chat_id = $1 and complete_to is null")
            .bind(chat)
            .bind(from)
            .run(&mut tx)
            .await?;
        tx.commit().await
    }

    /// Changes what a room is; `false` when there is no such room.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_status(&self, chat: &ChatId, status: RoomStatus) -> Result<bool, StoreError> {
        let mut tx = self.db().write("change the room").await?;
        event::change_room(&mut tx, chat, None, Some(status)).await?;
        let is_there = q("select 1 from room where chat_id = $1").bind(chat).one(&mut tx).await?.is_some();
        tx.commit().await?;
        Ok(is_there)
    }

    /// Changes the kind of a room; `false` when there is no such room.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_kind(&self, chat: &ChatId, kind: RoomKind) -> Result<bool, StoreError> {
        let mut tx = self.db().write("change the room").await?;
        let changed = q("update room set kind = $2 where chat_id = $1")
            .bind(chat)
            .bind(kind_word(kind))
            .run(&mut tx)
            .await?;
        if changed > 0 {
            tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await?;
        }
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Replaces the members of a room by what the platform lists, and remembers their names.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_members(
        &self,
        chat: &ChatId,
        people: Vec<(OpenId, String)>,
    ) -> Result<(), StoreError> {
        let known: HashMap<OpenId, String> = {
            let mut read = self.db().read("read the room's members").await?;
            members_of(&mut read, chat)
                .await?
                .into_iter()
                .map(|member| (member.open_id, member.name))
                .collect()
        };
        let listed: HashMap<&OpenId, &str> = people.iter().map(|(id, name)| (id, name.as_str())).collect();
        let gone: Vec<&OpenId> = known.keys().filter(|id| !listed.contains_key(id)).collect();
        let news: Vec<(&OpenId, &str)> = listed
            .iter()
            .filter(|(id, name)| known.get(*id).map(String::as_str) != Some(**name))
            .map(|(id, name)| (*id, *name))
            .collect();
        let upsert = Bulk::rows(
            "insert into room_member (chat_id, open_id, name)",
            3,
            " on conflict (chat_id, open_id) do update set name = excluded.name",
        );
        for chunk in news.chunks(CHUNK_ROWS) {
            let mut tx = self.db().write("store the room's members").await?;
            let values = chunk.iter().flat_map(|(id, name)| [chat.into(), (*id).into(), (*name).into()]);
            upsert.run(&mut tx, values.collect()).await?;
            let names: Vec<(String, Option<String>)> = chunk
                .iter()
                .filter(|(_, name)| !name.is_empty())
                .map(|(id, name)| (id.to_string(), Some((*name).to_owned())))
                .collect();
            person::put(&mut tx, &names).await?;
            tx.commit().await?;
        }
        let mut tx = self.db().write("store the room's members").await?;
        let count = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        let recounted =
            q("update room set member_count = $2 where chat_id = $1 and coalesce(member_count, -1) <> $2")
                .bind(chat)
                .bind(count)
                .run(&mut tx)
                .await?;
        let remove = Bulk::list_after(1, "delete from room_member where chat_id = $1 and open_id in", "");
        let values: Vec<Value> =
            std::iter::once(chat.into()).chain(gone.iter().map(|id| (*id).into())).collect();
        remove.run(&mut tx, values).await?;
        if recounted > 0 || !gone.is_empty() || !news.is_empty() {
            tx.tell(ChangeKind::Room, chat.as_str(), Some(chat)).await?;
        }
        tx.commit().await
    }
}

impl View {
    /// The members of a room, by name.
    ///
    /// # Errors
    /// The engine's.
    pub async fn room_members(&self, chat: &ChatId) -> Result<Vec<RoomMember>, StoreError> {
        let mut read = self.db().read("read the room's members").await?;
        members_of(&mut read, chat).await
    }
}

async fn members_of(conn: &mut Conn, chat: &ChatId) -> Result<Vec<RoomMember>, StoreError> {
    let rows = q("select m.open_id, m.name, l.member_id is not null from room_member m
        left join room r on r.chat_id = m.chat_id
        left join member_link l on l.integration_id = r.integration_id and l.open_id = m.open_id
        where m.chat_id = $1 order by m.name, m.open_id")
    .bind(chat)
    .all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RoomMember {
                open_id: row.parse(0, "open_id")?,
                name: row.string(1)?,
                is_linked: row.flag(2)?,
            })
        })
        .collect()
}

/// Accounts of one reader that are looked for among the mentions: nobody has more at one integration.
const ACCOUNTS: usize = 3;

/// Rooms with what the reader has not read.
async fn load(
    conn: &mut Conn,
    mut query: Query,
    reader: &Reader,
) -> Result<Vec<(IntegrationId, Room)>, StoreError> {
    let accounts = reader.open_ids.iter().map(OpenId::as_str).chain(std::iter::repeat(""));
    for account in accounts.take(ACCOUNTS) {
        query = query.bind(account);
    }
    query.all(conn).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(IntegrationId, Room), StoreError> {
    let kind = if row.text(4)? == kind_word(RoomKind::WarRoom) { RoomKind::WarRoom } else { RoomKind::Group };
    let unread = row.count(7)?;
    let room = Room {
        chat_id: row.parse(0, "chat_id")?,
        name: row.string(2)?,
        description: row.string(3)?,
        kind,
        status: RoomStatus::parse(row.text(5)?),
        member_count: row.opt_int(6)?.map(|count| u32::try_from(count).unwrap_or(0)),
        unread,
        mentioned: unread > 0 && row.flag(10)?,
        last_message_at: row.opt_at(8)?,
        complete_to: row.opt_at(9)?,
    };
    Ok((row.parse(1, "integration id")?, room))
}
