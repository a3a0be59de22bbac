//! Rooms: the list, who is in them, and finding one by what a person types.

use std::time::Duration;

use crate::{
    core::{
        error::{Fault, Kind},
        ids::{ChatId, IntegrationId, OpenId},
        permit::{Class, Feature},
        room::{Room, RoomKind, RoomMember, RoomStatus},
    },
    feishu::{Ask, ChatInfo},
    store::{ChatRow, Place as StorePlace},
};

use super::{
    deck::{Answer, Deck, Told},
    view::*,
};

/// How old the member list of a room may be when the room is opened.
const MEMBERS_FRESH: Duration = Duration::from_secs(600);
/// Most pages of a listing: 5,000 members of a chat, 10,000 chats.
const MOST_PAGES: usize = 100;
/// Longest wait for permits where a person looks on.
pub(super) const PERSON_PATIENCE: Duration = Duration::from_secs(20);

impl Deck {
    /// The rooms that are followed, from the store: unread first.
    ///
    /// # Errors
    /// The store's.
    pub async fn rooms(&self, integration: &IntegrationId) -> Answer<Vec<Room>> {
        let reader = self.reader_at(integration).await?;
        let mut rooms = self.inner.store.rooms(integration, &reader).await.told()?;
        rooms.retain(|room| self.is_followed(room));
        Ok(rooms)
    }

    /// Whether `[live] rooms` lets a room be ingested and filled.
    pub(super) fn is_followed(&self, room: &Room) -> bool {
        match self.inner.settings.followed {
            Followed::All => true,
            Followed::WarRooms => room.kind == RoomKind::WarRoom,
        }
    }

    /// One room.
    ///
    /// # Errors
    /// NotFound or the store's.
    pub async fn room(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<Room> {
        let reader = self.reader_at(integration).await?;
        match self.inner.store.room(chat, &reader).await.told()? {
            Some((of, room)) if of == *integration => Ok(room),
            _ => Err(no_room(chat.as_str())),
        }
    }

    /// Asks the platform which group chats the bot is in.
    ///
    /// # Errors
    /// The platform's or the store's.
    pub async fn refresh_rooms(&self, integration: &IntegrationId) -> Answer<RoomsRefreshed> {
        let ask = Ask::new(Class::Person, Feature::Live).within(PERSON_PATIENCE);
        let done = self.list_chats(integration, ask).await;
        if let Err(fault) = done {
            return self.logged("room.refresh", integration, Err(fault)).await;
        }
        Ok(RoomsRefreshed { rooms: self.rooms(integration).await?, refreshed_at: self.inner.clock.now() })
    }

    /// Lists the chats of the bot into the store. Rooms that are no longer listed stay: the bot may have been
    /// taken out, and history is worth keeping.
    pub(super) async fn list_chats(&self, integration: &IntegrationId, ask: Ask) -> Answer<()> {
        let store = self.keeping().await?;
        let client = self.client(integration).await?;
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = client.chats(ask, token).await.told()?;
            if let Some(tenant) = page.items.iter().find_map(|chat| chat.tenant_key.clone()) {
                self.learn_tenant(integration, &tenant).await?;
            }
            let rows = page.items.into_iter().map(chat_row).collect();
            store.upsert_chats(integration, rows).await.told()?;
            token = page.page_token;
            if !page.has_more || token.is_none() {
                break;
            }
        }
        let now = self.shared_now().await?.ms().to_string();
        store.put_ui("larkdeck", &listed_key(integration), Some(&now)).await.told()
    }

    /// Asks the platform about one room: its name, its description, whether it is still there.
    pub(super) async fn look_up_room(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        class: Class,
    ) -> Answer<RoomStatus> {
        let client = self.client(integration).await?;
        let ask = Ask::new(class, Feature::Live).within(PERSON_PATIENCE);
        let row = chat_row(client.chat(ask, chat).await.told()?);
        let status = row.status.unwrap_or(RoomStatus::Open);
        self.keeping().await?.upsert_chats(integration, vec![row]).await.told()?;
        Ok(status)
    }

    pub(super) async fn learn_tenant(
        &self,
        integration: &IntegrationId,
        tenant: &crate::core::ids::TenantKey,
    ) -> Answer<()> {
        let app = self.app_of(integration).await?;
        if app.tenant.as_ref() != Some(tenant) {
            let store = self.keeping().await?;
            store.set_app_facts(integration, Some(tenant), None, None).await.told()?;
            self.inner.permits.set_tenant(&app.key, tenant).await?;
        }
        Ok(())
    }

    /// The room that `text` names: a chat_id, a name, or a part of a name that only one has.
    ///
    /// # Errors
    /// NotFound where none has it, Usage where several have.
    pub async fn resolve_room(&self, integration: &IntegrationId, text: &str) -> Answer<Room> {
        let reader = self.reader_at(integration).await?;
        let rooms = self.inner.store.rooms(integration, &reader).await.told()?;
        pick_room(rooms, text.trim())
    }

    /// Who is in a room, as far as the store knows.
    ///
    /// # Errors
    /// The store's.
    pub async fn room_members(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<Vec<RoomMember>> {
        _ = integration;
        self.inner.store.room_members(chat).await.told()
    }

    /// What a person opening a room wants to be fresh: who is in it, and the newest messages where the store
    /// has none. Asks the platform at most once in ten minutes a room.
    ///
    /// # Errors
    /// Permission for a viewer, the platform's, or the store's.
    pub async fn open_room(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<()> {
        let what = format!("members/{chat}");
        if !self.is_due(&what, MEMBERS_FRESH) {
            return Ok(());
        }
        let done = self.bring_up_to_date(integration, chat).await;
        if done.is_err() {
            self.not_asked(&what);
        }
        done
    }

    async fn bring_up_to_date(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<()> {
        let store = self.keeping().await?;
        let room = self.room(integration, chat).await?;
        if room.status != RoomStatus::Open {
            return Ok(());
        }
        if room.last_message_at.is_none() {
            self.fetch_older(integration, chat, None).await?;
        }
        let client = self.client(integration).await?;
        let ask = Ask::new(Class::Person, Feature::Live).within(PERSON_PATIENCE);
        let mut people: Vec<(OpenId, String)> = Vec::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = client.chat_members(ask, chat, token).await.told()?;
            people.extend(page.items.into_iter().map(|member| (member.open_id, member.name)));
            token = page.page_token;
            if !page.has_more || token.is_none() {
                break;
            }
        }
        let count = u32::try_from(people.len()).ok();
        store.set_room_members(chat, people).await.told()?;
        let row = ChatRow {
            chat_id: chat.clone(),
            name: None,
            description: None,
            status: None,
            member_count: count,
        };
        store.upsert_chats(integration, vec![row]).await.told()
    }

    /// Everything up to `place` is read by this reader. Allowed in read-only mode; of viewers nothing is kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark_read(&self, chat: &ChatId, place: &Place) -> Answer<()> {
        let Some(store) = self.keeping_or_viewer().await? else { return Ok(()) };
        store.mark_read(&self.inner.reader, chat, &store_place(place)).await.told()
    }
}

pub(super) fn listed_key(integration: &IntegrationId) -> String {
    format!("chats_listed/{integration}")
}

pub(super) fn store_place(place: &Place) -> StorePlace {
    StorePlace { at: place.0, message_id: place.1.clone() }
}

fn chat_row(chat: ChatInfo) -> ChatRow {
    ChatRow {
        chat_id: chat.chat_id,
        name: Some(chat.name),
        description: Some(chat.description),
        status: Some(if chat.chat_status.is_disbanded() { RoomStatus::Disbanded } else { RoomStatus::Open }),
        member_count: chat.user_count,
    }
}

fn no_room(text: &str) -> Fault {
    Fault::new(Kind::NotFound, format!("there is no room {text:?}"))
        .with_hint("`larkdeck room list` shows them; the bot has to be in the chat.")
}

fn pick_room(rooms: Vec<Room>, text: &str) -> Answer<Room> {
    if text.is_empty() {
        return Err(Fault::new(Kind::Usage, "name a room"));
    }
    if let Some(room) = rooms.iter().find(|room| room.chat_id.as_str() == text) {
        return Ok(room.clone());
    }
    let wanted = text.to_lowercase();
    let with = |is_it: &dyn Fn(&str) -> bool| -> Vec<Room> {
        rooms.iter().filter(|room| is_it(&room.name.to_lowercase())).cloned().collect()
    };
    let mut found = with(&|name| name == wanted);
    if found.is_empty() {
        found = with(&|name| name.contains(&wanted));
    }
    if found.len() > 1 {
        let names: Vec<String> =
            found.iter().take(5).map(|room| format!("{} ({})", room.name, room.chat_id)).collect();
        let more = if found.len() > 5 { " …" } else { "" };
        let message = format!("{text:?} names several rooms: {}{more}", names.join(", "));
        return Err(Fault::new(Kind::Usage, message).with_hint("Use the chat_id, or more of the name."));
    }
    found.pop().ok_or_else(|| no_room(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(id: &str, name: &str) -> Room {
        Room {
            chat_id: id.parse().unwrap(),
            name: name.into(),
            description: String::new(),
            kind: RoomKind::Group,
            status: RoomStatus::Open,
            member_count: None,
            unread: 0,
            mentioned: false,
            last_message_at: None,
            complete_to: None,
        }
    }

    #[test]
    fn rooms_are_found_as_people_name_them() {
        let rooms = vec![room("oc_1", "Payments"), room("oc_2", "Payments EU"), room("oc_3", "支付网关")];
        let pick = |text: &str| pick_room(rooms.clone(), text).map(|room| room.chat_id.to_string());
        assert_eq!(pick("oc_2").unwrap(), "oc_2");
        assert_eq!(pick("payments").unwrap(), "oc_1");
        assert_eq!(pick("EU").unwrap(), "oc_2");
        assert_eq!(pick("网关").unwrap(), "oc_3");
        assert_eq!(pick("pay").unwrap_err().kind, Kind::Usage);
        assert_eq!(pick("nowhere").unwrap_err().kind, Kind::NotFound);
    }
}
