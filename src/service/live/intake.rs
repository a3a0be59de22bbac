//! One way into the store for every event, whichever way it came: committed, each thing once, and what
//! follows from it.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    core::{
        ids::{ChatId, IntegrationId},
        integration::AppSummary,
        message::{SenderKind, Via},
        operation::NewOperation,
        permit::Class,
        room::{Room, RoomKind},
        time::Timestamp,
    },
    feishu::event::{self, ChatType, Event},
    store::{Incoming, IngestItem},
};

use super::{
    super::{
        deck::{Answer, Deck, Told, lock},
        history::owned,
        view::Followed,
    },
    rhythm::Skew,
};

/// How old the list of War Rooms may be when an event of an unknown room comes.
const WAR_ROOMS_FRESH: Duration = Duration::from_secs(5);

/// What the events of one integration are put into.
pub(in crate::service) struct Intake {
    deck: Deck,
    integration: IntegrationId,
    app: AppSummary,
    pub(super) skew: Mutex<Skew>,
    /// Rooms that have a mark up to which they are complete.
    pub(super) marked: Mutex<HashSet<ChatId>>,
    /// Rooms that are ingested where not all are, and when they were looked at.
    war_rooms: Mutex<(Option<Instant>, HashSet<ChatId>)>,
    /// Whether an event has come here: the first is logged, as the proof of the way it came.
    has_taken: AtomicBool,
}

impl Intake {
    pub(in crate::service) fn new(deck: Deck, integration: IntegrationId, app: AppSummary) -> Self {
        Self {
            deck,
            integration,
            app,
            skew: Mutex::default(),
            marked: Mutex::default(),
            war_rooms: Mutex::default(),
            has_taken: AtomicBool::new(false),
        }
    }

    /// Commits an event. For callbacks, the answer that the person who pressed gets. What few events need has a place
    /// of its own in memory: the rest of this is moved about with every one.
    ///
    /// # Errors
    /// The store's: then it is not stored, and the platform has to send it again.
    pub(in crate::service) async fn take(
        &self,
        incoming: event::Incoming,
        via: Via,
    ) -> Answer<Option<Value>> {
        let note = Note::of(&incoming.event);
        let (event_id, what, press) = self.what_of(incoming).await?;
        let item = IngestItem { integration: self.integration.clone(), event_id, via, what };
        let outcomes = self.deck.keeping().await?.ingest(vec![item]).await.told()?;
        // A recall or a reaction changes what is there; whatever was here already has had its consequences.
        let is_first = outcomes.iter().any(|outcome| *outcome != crate::store::Ingested::Duplicate);
        if is_first {
            self.after(note).await;
        }
        if !self.has_taken.swap(true, Ordering::Relaxed) {
            let mut row = NewOperation::ok("live.first_event", self.app.key.to_string());
            row.reason =
                Some(format!("by {}", if via == Via::Webhook { "webhook" } else { "long connection" }));
            Box::pin(self.deck.log(row)).await;
        }
        match press {
            Some(press) => Box::pin(self.deck.press(&self.integration, press, is_first)).await.map(Some),
            None => Ok(None),
        }
    }

    /// The event's id for the store, what of it is kept, and the press that it is.
    async fn what_of(
        &self,
        incoming: event::Incoming,
    ) -> Answer<(Option<String>, Incoming, Option<Box<event::CardAction>>)> {
        let mut event_id = Some(incoming.event_id).filter(|id| !id.is_empty());
        let mut press = None;
        let what = match incoming.event {
            // Rooms are group chats.
            Event::Message { chat_type: ChatType::P2p, .. } => Incoming::Seen,
            Event::Message { message, .. } if !self.is_followed(&message.chat_id).await? => Incoming::Seen,
            Event::Message { message, .. } => {
                let (message, own) = owned(*message, &self.app);
                Incoming::Message { message, own }
            }
            Event::ChatDisbanded { chat_id, .. } => Incoming::ChatDisbanded { chat_id },
            // What the event calls the name may be the bot's: the room is looked up for its own.
            Event::BotAdded { chat_id, mut name } => {
                if self.app.bot_name.as_ref() == Some(&name) {
                    name.clear();
                }
                Incoming::BotAdded { chat_id, name }
            }
            Event::BotRemoved { chat_id, .. } => Incoming::BotRemoved { chat_id },
            Event::MembersAdded { chat_id, people } => Incoming::MembersAdded {
                chat_id,
                people: people.into_iter().map(|person| (person.open_id, person.name)).collect(),
            },
            Event::MembersLeft { chat_id, people } => Incoming::MembersLeft {
                chat_id,
                people: people.into_iter().map(|person| person.open_id).collect(),
            },
            Event::ChatUpdated { chat_id, name, description } => {
                Incoming::ChatUpdated { chat_id, name, description }
            }
            Event::MessageRecalled { chat_id, message_id, .. } => Incoming::Recalled { chat_id, message_id },
            Event::Reaction { message_id, emoji, is_added, operator, .. } => {
                Incoming::Reaction { message_id, emoji, operator: operator.id, added: is_added }
            }
            Event::CardAction(action) => {
                // The old callback has no id of its own, and a press may be told by both: its token is its own.
                if !action.token.is_empty() {
                    event_id = Some(id_of_press(&action));
                }
                press = Some(action);
                Incoming::Seen
            }
            // Read marks are of one-to-one chats alone, and those are no rooms.
            Event::MessageRead { .. } | Event::UserUpdated { .. } | Event::Unknown => Incoming::Seen,
        };
        Ok((event_id, what, press))
    }

    async fn is_followed(&self, chat: &ChatId) -> Answer<bool> {
        if self.deck.inner.settings.followed == Followed::All {
            return Ok(true);
        }
        let now = self.deck.inner.clock.instant();
        {
            let (looked_at, rooms) = &*lock(&self.war_rooms);
            let is_fresh = looked_at.is_some_and(|at| now.saturating_duration_since(at) < WAR_ROOMS_FRESH);
            if rooms.contains(chat) || is_fresh {
                return Ok(rooms.contains(chat));
            }
        }
        self.knows(&Box::pin(self.deck.rooms(&self.integration)).await?);
        Ok(lock(&self.war_rooms).1.contains(chat))
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
                self.look_at_later(chat);
            }
            Note::Disbanded(chat) => {
                Box::pin(deck.log(NewOperation::ok("room.disbanded", chat.as_str()))).await;
            }
            Note::BotRemoved(chat) => {
                Box::pin(deck.log(NewOperation::ok("room.bot_removed", chat.as_str()))).await;
            }
            Note::Renamed(open_id, name) => {
                let done = match deck.keeping().await {
                    Ok(store) => Box::pin(store.put_people(vec![(open_id, Some(name))])).await.told(),
                    Err(fault) => Err(fault),
                };
                if let Err(fault) = done {
                    tracing::warn!(%fault, "name not stored");
                }
            }
            Note::Nothing => {}
        }
    }

    /// A room that the bot came into: its name, who is in it, what was said last.
    fn look_at_later(&self, chat: ChatId) {
        let (deck, integration) = (self.deck.clone(), self.integration.clone());
        self.deck.inner.tasks.spawn(async move {
            let look = async {
                deck.look_up_room(&integration, &chat, Class::Fill).await?;
                deck.open_room(&integration, &chat).await
            };
            if let Some(Err(fault)) = deck.inner.closing.run_until_cancelled(look).await {
                tracing::warn!(%chat, %fault, "new room not brought up to date");
            }
        });
    }

    /// A room that was never listed is known from its first event on.
    async fn mark(&self, chat: &ChatId, from: Timestamp) {
        if lock(&self.marked).insert(chat.clone()) {
            Box::pin(self.mark_new(chat, from)).await;
        }
    }

    async fn mark_new(&self, chat: &ChatId, from: Timestamp) {
        let done = match self.deck.keeping().await {
            Ok(store) => store.know_room_from(&self.integration, chat, from).await.told(),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            tracing::warn!(%chat, %fault, "room not marked");
            lock(&self.marked).remove(chat);
        }
    }

    /// Takes in what the store knows of the rooms.
    pub(super) fn knows(&self, rooms: &[Room]) {
        let marked = rooms.iter().filter(|room| room.complete_to.is_some()).map(|room| room.chat_id.clone());
        lock(&self.marked).extend(marked);
        let war = rooms.iter().filter(|room| room.kind == RoomKind::WarRoom).map(|room| room.chat_id.clone());
        *lock(&self.war_rooms) = (Some(self.deck.inner.clock.instant()), war.collect());
    }
}

/// The same for the new callback and the old one.
fn id_of_press(action: &event::CardAction) -> String {
    let card = action.message_id.as_ref().map_or("", |id| id.as_str());
    let presser = action.operator.as_ref().map_or("", |id| id.as_str());
    format!("card/{}/{card}/{presser}", action.token)
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
