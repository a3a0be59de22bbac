//! Events on their way into the store: parsed, committed, and only then acknowledged.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use crate::{
    core::{
        ids::{ChatId, IntegrationId},
        integration::AppSummary,
        message::{SenderKind, Via},
        operation::NewOperation,
        permit::BoxFuture,
        room::RoomKind,
        time::Timestamp,
    },
    feishu::{
        event::{self, ChatType, Event},
        socket::{AckReply, EventSink},
    },
    store::{FillKind, FillPage, Incoming, IngestItem},
};

use super::{
    super::{
        deck::{Deck, lock},
        history::owned,
        view::Followed,
    },
    lease::Held,
    rhythm::{Rhythm, Skew},
};

/// What the events of one holding are put into.
pub(super) struct Sink {
    pub(super) deck: Deck,
    pub(super) integration: IntegrationId,
    pub(super) app: AppSummary,
    pub(super) held: Arc<Held>,
    pub(super) rhythm: Mutex<Rhythm>,
    pub(super) skew: Mutex<Skew>,
    /// Rooms that have a mark up to which they are complete.
    pub(super) marked: Mutex<HashSet<ChatId>>,
    /// Rooms that are ingested where not all are.
    pub(super) war_rooms: Mutex<HashSet<ChatId>>,
}

impl EventSink for Sink {
    fn accept<'a>(&'a self, payload: Bytes) -> BoxFuture<'a, AckReply> {
        Box::pin(async move {
            let incoming = match event::parse(&payload) {
                Ok(incoming) => incoming,
                Err(error) => {
                    // Sent again, it would be no better.
                    tracing::warn!(%error, bytes = payload.len(), "event not understood");
                    return AckReply::Ok;
                }
            };
            self.take(incoming).await
        })
    }
}

impl Sink {
    async fn take(&self, incoming: event::Incoming) -> AckReply {
        let deck = &self.deck;
        lock(&self.rhythm).event(deck.inner.clock.instant());
        let via = Via::Live;
        let event_id = Some(incoming.event_id).filter(|id| !id.is_empty());
        let note = Note::of(&incoming.event);
        let what = self.what_of(incoming.event);
        let item = IngestItem { integration: self.integration.clone(), event_id, via, what };
        let done = deck.inner.store.ingest(vec![item]).await;
        // Without the lease another process may have listed the gap already: it is not ours to acknowledge.
        if !self.held.is_valid(deck.inner.clock.instant()) {
            return AckReply::Failed;
        }
        match done {
            Ok(outcomes) => {
                if outcomes.iter().any(|outcome| outcome.is_new()) {
                    self.after(note).await;
                }
                AckReply::Ok
            }
            Err(error) => {
                tracing::error!(%error, "event not stored; the platform will send it again");
                AckReply::Failed
            }
        }
    }

    fn what_of(&self, event: Event) -> Incoming {
        match event {
            // Rooms are group chats.
            Event::Message { chat_type: ChatType::P2p, .. } => Incoming::Seen,
            Event::Message { message, .. } if !self.is_followed(&message.chat_id) => Incoming::Seen,
            Event::Message { message, .. } => {
                let (message, own) = owned(*message, &self.app);
                Incoming::Message { message, own }
            }
            Event::ChatDisbanded { chat_id, .. } => Incoming::ChatDisbanded { chat_id },
            Event::BotAdded { chat_id, name } => Incoming::BotAdded { chat_id, name },
            Event::BotRemoved { chat_id, .. } => Incoming::BotRemoved { chat_id },
            Event::MembersAdded { chat_id, people } => Incoming::MembersAdded {
                chat_id,
                people: people.into_iter().map(|person| (person.open_id, person.name)).collect(),
            },
            Event::MembersLeft { chat_id, people } => Incoming::MembersLeft {
                chat_id,
                people: people.into_iter().map(|person| person.open_id).collect(),
            },
            Event::ChatUpdated { chat_id, name, .. } => Incoming::ChatUpdated { chat_id, name },
            Event::MessageRecalled { chat_id, message_id, .. } => Incoming::Recalled { chat_id, message_id },
            Event::Reaction { message_id, emoji, is_added, operator, .. } => {
                Incoming::Reaction { message_id, emoji, operator: operator.id, added: is_added }
            }
            Event::MessageRead { .. } | Event::UserUpdated { .. } | Event::CardAction(_) | Event::Unknown => {
                Incoming::Seen
            }
        }
    }

    fn is_followed(&self, chat: &ChatId) -> bool {
        match self.deck.inner.settings.followed {
            Followed::All => true,
            Followed::WarRooms => lock(&self.war_rooms).contains(chat),
        }
    }

    /// What follows from an event that was new. Nothing here holds the acknowledgement up for a network.
    async fn after(&self, note: Note) {
        let deck = &self.deck;
        match note {
            Note::Message { chat, sender, written_at } => {
                lock(&self.skew).saw(written_at.ms(), deck.inner.clock.now().ms());
                deck.want_names(&self.integration, sender);
                self.mark(&chat, written_at).await;
            }
            Note::BotAdded(chat) => {
                self.mark(&chat, deck.inner.clock.now()).await;
                let (deck, integration) = (deck.clone(), self.integration.clone());
                deck.clone().inner.tasks.spawn(async move {
                    let closing = deck.inner.closing.cancelled();
                    let opened = tokio::select! { done = deck.open_room(&integration, &chat) => done, () = closing => return };
                    if let Err(fault) = opened {
                        tracing::warn!(%chat, %fault, "new room not brought up to date");
                    }
                });
            }
            Note::Disbanded(chat) => deck.log(NewOperation::ok("room.disbanded", chat.as_str())).await,
            Note::BotRemoved(chat) => deck.log(NewOperation::ok("room.bot_removed", chat.as_str())).await,
            Note::Renamed(open_id, name) => {
                if let Err(error) = deck.inner.store.put_people(vec![(open_id, Some(name))]).await {
                    tracing::warn!(%error, "name not stored");
                }
            }
            Note::Nothing => {}
        }
    }

    /// A room that was never listed is known from its first event on.
    async fn mark(&self, chat: &ChatId, from: Timestamp) {
        if !lock(&self.marked).insert(chat.clone()) {
            return;
        }
        let page = FillPage {
            integration: self.integration.clone(),
            chat_id: chat.clone(),
            messages: Vec::new(),
            complete_to: Some(from),
            seam: None,
            kind: FillKind::Older,
        };
        if let Err(error) = self.deck.inner.store.fill_page(page).await {
            tracing::warn!(%chat, %error, "room not marked");
            lock(&self.marked).remove(chat);
        }
    }

    /// Takes in what the store knows of the rooms.
    pub(super) fn knows(&self, rooms: &[crate::core::room::Room]) {
        let marked = rooms.iter().filter(|room| room.complete_to.is_some()).map(|room| room.chat_id.clone());
        lock(&self.marked).extend(marked);
        let war = rooms.iter().filter(|room| room.kind == RoomKind::WarRoom).map(|room| room.chat_id.clone());
        *lock(&self.war_rooms) = war.collect();
    }
}

/// What has to be done after an event, once it is committed.
enum Note {
    Message { chat: ChatId, sender: Option<String>, written_at: Timestamp },
    BotAdded(ChatId),
    BotRemoved(ChatId),
    Disbanded(ChatId),
    Renamed(String, String),
    Nothing,
}

impl Note {
    fn of(event: &Event) -> Self {
        match event {
            Event::Message { message, chat_type: ChatType::Group } => Self::Message {
                chat: message.chat_id.clone(),
                sender: (message.sender.kind == SenderKind::User && message.sender.name.is_none())
                    .then(|| message.sender.id.clone()),
                written_at: message.created_at,
            },
            Event::BotAdded { chat_id, .. } => Self::BotAdded(chat_id.clone()),
            Event::BotRemoved { chat_id, .. } => Self::BotRemoved(chat_id.clone()),
            Event::ChatDisbanded { chat_id, .. } => Self::Disbanded(chat_id.clone()),
            Event::UserUpdated { open_id, name: Some(name), .. } => {
                Self::Renamed(open_id.to_string(), name.clone())
            }
            _ => Self::Nothing,
        }
    }
}
