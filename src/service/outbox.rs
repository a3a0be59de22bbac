//! Sending: committed before the call, tried again under the same uuid, never sent twice.

use std::time::Duration;

use crate::{
    core::{
        error::{Fault, Kind, Problem},
        ids::{IntegrationId, MessageId},
        message::{Message, NewMessage, Via},
        operation::NewOperation,
        permit::{Class, Feature},
        role::Right,
        room::{Outgoing, OutgoingState, RoomMember, RoomStatus},
    },
    feishu::{Ask, Client, FeishuError, ReceiverKind, Reply, SendMessage},
    store::{Incoming, IngestItem, NewOutgoing, OutboxRow, Store},
};

use super::{
    deck::{Answer, Deck, Told, fresh_id},
    room::PERSON_PATIENCE,
    view::Draft,
};

/// How long a living author tries: the platform knows the uuid for an hour.
const RETRY_FOR: Duration = Duration::from_secs(50 * 60);
/// How long a command waits before it says that it could not be sent.
const COMMAND_RETRY_FOR: Duration = Duration::from_secs(45);
/// Largest text message, bytes (`feishu/limits` 3), less what surrounds it.
const MAX_TEXT_BYTES: usize = 149 * 1024;
/// "The same message is being sent": the first call is still under way (`feishu/im`).
const BEING_SENT: i64 = 230_049;
/// Pause before the first retry; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);
const OPERATION: &str = "room.send";

/// What came of the tries.
enum Sent {
    Yes(Box<NewMessage>),
    No(Fault),
    /// It may be in the room or not.
    Unknown(Fault),
}

/// Pages of reactions that are looked through for the bot's own.
const MOST_REACTION_PAGES: usize = 10;

impl Deck {
    /// Commits a message to the outbox and returns; it is sent in the background.
    ///
    /// # Errors
    /// Usage for an empty or too long text, NotFound for the room, Refused for a room that is over or when
    /// read-only, or the store's.
    pub async fn send(&self, integration: &IntegrationId, draft: Draft) -> Answer<Outgoing> {
        let outgoing = self.queue(integration, draft).await?;
        self.send_later(outgoing.uuid.clone());
        Ok(outgoing)
    }

    /// The same, and waits for what came of it.
    ///
    /// # Errors
    /// As [`Deck::send`]; what the platform said; Offline with "unknown" where nobody can say whether it
    /// arrived.
    pub async fn send_and_wait(&self, integration: &IntegrationId, draft: Draft) -> Answer<Message> {
        let outgoing = self.queue(integration, draft).await?;
        // In a task of its own: a caller that gives up must not leave a call without its result.
        let (deck, uuid) = (self.clone(), outgoing.uuid.clone());
        let task = self.inner.tasks.spawn(async move { deck.drive(&uuid, COMMAND_RETRY_FOR).await });
        let message_id =
            task.await.map_err(|error| Fault::new(Kind::Bug, format!("sending died: {error}")))??;
        let message = self.inner.store.message(&message_id).await.told()?;
        message.ok_or_else(|| {
            Fault::new(Kind::Bug, format!("the sent message {message_id} is not in the store"))
        })
    }

    /// Sends a message again that failed.
    ///
    /// # Errors
    /// Refused where it has not failed or when read-only, or the store's.
    pub async fn retry_send(&self, integration: &IntegrationId, uuid: &str) -> Answer<Outgoing> {
        _ = integration;
        let store = self.gate(Right::Respond, OPERATION, uuid).await?;
        if !store.requeue_outgoing(uuid).await.told()? {
            return Err(Fault::new(Kind::Refused, "only a message that failed is sent again").with_hint(
                "Where it is unknown, look at the room first; then discard it and write it anew.",
            ));
        }
        self.send_later(uuid.to_owned());
        self.outbox_row(uuid).await.map(|row| row.outgoing)
    }

    /// Removes a message that failed or is unknown from the outbox.
    ///
    /// # Errors
    /// Refused while it is on its way or when read-only, or the store's.
    pub async fn discard_send(&self, integration: &IntegrationId, uuid: &str) -> Answer<()> {
        _ = integration;
        let store = self.gate(Right::Respond, "room.send.discard", uuid).await?;
        if store.discard_outgoing(uuid).await.told()? {
            return Ok(());
        }
        Err(Fault::new(Kind::Refused, "the message is on its way, or no longer in the outbox"))
    }

    /// Adds a reaction of the bot to a message.
    ///
    /// # Errors
    /// Read-only, the platform's, or the store's.
    pub async fn react(&self, integration: &IntegrationId, message: &MessageId, emoji: &str) -> Answer<()> {
        const OPERATION: &str = "message.react";
        let store = self.gate(Right::Respond, OPERATION, message).await?;
        let done = self.try_react(store, integration, message, emoji.trim()).await;
        self.logged(OPERATION, message, done).await
    }

    async fn try_react(
        &self,
        store: &Store,
        integration: &IntegrationId,
        message: &MessageId,
        emoji: &str,
    ) -> Answer<()> {
        if emoji.is_empty() {
            return Err(Fault::new(Kind::Usage, "name a reaction, such as THUMBSUP or OK"));
        }
        let client = self.client(integration).await?;
        let ask = Ask::new(Class::Person, Feature::Send).within(PERSON_PATIENCE);
        let reaction = client.add_reaction(ask, message, emoji).await.told()?;
        let operator = client.app().app_id.to_string();
        keep_reaction(store, integration, message, reaction.emoji, operator, true).await
    }

    /// Takes the bot's own reaction to a message back.
    ///
    /// # Errors
    /// NotFound where the bot has no such reaction; read-only, the platform's, or the store's.
    pub async fn unreact(&self, integration: &IntegrationId, message: &MessageId, emoji: &str) -> Answer<()> {
        const OPERATION: &str = "message.unreact";
        let store = self.gate(Right::Respond, OPERATION, message).await?;
        let done = self.try_unreact(store, integration, message, emoji.trim()).await;
        self.logged(OPERATION, message, done).await
    }

    async fn try_unreact(
        &self,
        store: &Store,
        integration: &IntegrationId,
        message: &MessageId,
        emoji: &str,
    ) -> Answer<()> {
        let client = self.client(integration).await?;
        let ask = || Ask::new(Class::Person, Feature::Send).within(PERSON_PATIENCE);
        let me = client.app().app_id.to_string();
        let mut token = None;
        // The platform takes a reaction back by an id, which no event has told.
        for _ in 0..MOST_REACTION_PAGES {
            let page = client.reactions(ask(), message, token).await.told()?;
            let own = page.items.into_iter().find(|one| one.operator.id == me && one.emoji == emoji);
            if let Some(own) = own {
                client.delete_reaction(ask(), message, &own.reaction_id).await.told()?;
                return keep_reaction(store, integration, message, own.emoji, me, false).await;
            }
            token = page.page_token.filter(|_| page.has_more);
            if token.is_none() {
                break;
            }
        }
        Err(Fault::new(Kind::NotFound, format!("the bot has no reaction {emoji} on {message}")))
    }

    async fn queue(&self, integration: &IntegrationId, draft: Draft) -> Answer<Outgoing> {
        let store = self.gate(Right::Respond, OPERATION, &draft.chat_id).await?;
        let done = self.try_queue(store, integration, &draft).await;
        match done {
            Ok(outgoing) => Ok(outgoing),
            Err(fault) => self.logged(OPERATION, &draft.chat_id, Err(fault)).await,
        }
    }

    async fn try_queue(&self, store: &Store, integration: &IntegrationId, draft: &Draft) -> Answer<Outgoing> {
        if draft.text.trim().is_empty() {
            return Err(Fault::new(Kind::Usage, "there is nothing to send"));
        }
        if draft.text.len() > MAX_TEXT_BYTES {
            return Err(Fault::new(Kind::Usage, format!("the text has {} bytes", draft.text.len()))
                .with_hint("Feishu takes at most 150 KB: send it in parts, or as a file."));
        }
        let room = self.room(integration, &draft.chat_id).await?;
        if room.status != RoomStatus::Open {
            return Err(Fault::new(
                Kind::Refused,
                format!("the room {} is {}", room.name, room.status.as_str()),
            ));
        }
        self.app_of(integration).await?;
        let new = NewOutgoing {
            uuid: fresh_id()?,
            integration: integration.clone(),
            chat_id: draft.chat_id.clone(),
            reply_to: draft.reply_to.clone(),
            in_thread: draft.in_thread,
            text: draft.text.clone(),
            author: self.inner.reader.clone(),
        };
        store.queue_outgoing(new).await.told()
    }

    fn send_later(&self, uuid: String) {
        let deck = self.clone();
        self.inner.tasks.spawn(async move {
            if let Err(fault) = deck.drive(&uuid, RETRY_FOR).await {
                tracing::warn!(uuid, %fault, "message not sent");
            }
        });
    }

    async fn outbox_row(&self, uuid: &str) -> Answer<OutboxRow> {
        let row = self.inner.store.outgoing(uuid).await.told()?;
        row.ok_or_else(|| Fault::new(Kind::NotFound, format!("there is no outgoing message {uuid}")))
    }

    /// Sends an outbox row of this process and writes down what came of it.
    async fn drive(&self, uuid: &str, patience: Duration) -> Answer<MessageId> {
        let row = self.outbox_row(uuid).await?;
        // It was let in when it was queued: whatever becomes of the author's role, its end is written down.
        let store = self.keeping().await?;
        store.set_outgoing(uuid, &OutgoingState::Sending).await.told()?;
        let sent = match self.client(&row.integration).await {
            Ok(client) => self.try_until(&client, &row, patience).await,
            Err(fault) => Sent::No(fault),
        };
        let target = row.outgoing.chat_id.as_str();
        let (state, fault) = match sent {
            Sent::Yes(message) => {
                let message_id = message.message_id.clone();
                store.outgoing_sent(uuid, *message).await.told()?;
                self.log(NewOperation::ok(OPERATION, target)).await;
                return Ok(message_id);
            }
            Sent::No(fault) => (OutgoingState::Failed { reason: fault.message.clone() }, fault),
            Sent::Unknown(fault) => {
                let fault = Fault {
                    message: format!("unknown whether the message arrived: {}", fault.message),
                    ..fault
                };
                (OutgoingState::Unknown, fault.with_hint("Look at the room before you send it again."))
            }
        };
        store.set_outgoing(uuid, &state).await.told()?;
        self.logged(OPERATION, target, Err(fault)).await
    }

    async fn try_until(&self, client: &Client, row: &OutboxRow, patience: Duration) -> Sent {
        let clock = &self.inner.clock;
        let deadline = clock.instant() + patience;
        let (mut pause, mut may_be_there) = (FIRST_PAUSE, false);
        let content = match self.content_of(row).await {
            Ok(content) => content,
            Err(fault) => return Sent::No(fault),
        };
        loop {
            let left = deadline.saturating_duration_since(clock.instant());
            let error = match call(client, row, &content, left).await {
                Ok(message) => return Sent::Yes(Box::new(message)),
                Err(error) => error,
            };
            may_be_there |= error.may_have_happened() || error.code() == Some(BEING_SENT);
            let fault = Fault::of(&error);
            let end = |fault| if may_be_there { Sent::Unknown(fault) } else { Sent::No(fault) };
            let Some(wait) = retry_wait(&error, pause, clock.now()) else { return end(fault) };
            let is_late = clock.instant() + wait >= deadline;
            if is_late || self.inner.closing.is_cancelled() {
                return end(fault);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.inner.closing.cancelled() => return end(fault),
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn content_of(&self, row: &OutboxRow) -> Answer<String> {
        let members = self.inner.store.room_members(&row.outgoing.chat_id).await.told()?;
        let text = with_mentions(&row.outgoing.text, &members);
        Ok(serde_json::json!({ "text": text }).to_string())
    }
}

/// The store learns at once what its own event would tell it later.
async fn keep_reaction(
    store: &Store,
    integration: &IntegrationId,
    message: &MessageId,
    emoji: String,
    operator: String,
    added: bool,
) -> Answer<()> {
    let what = Incoming::Reaction { message_id: message.clone(), emoji, operator, added };
    let item = IngestItem { integration: integration.clone(), event_id: None, via: Via::Send, what };
    store.ingest(vec![item]).await.told().map(drop)
}

/// The wait before the next try, or `None` where trying again is useless.
fn retry_wait(error: &FeishuError, pause: Duration, now: crate::core::time::Timestamp) -> Option<Duration> {
    match error.kind() {
        Kind::RateLimited { retry_at } => {
            Some(retry_at.map_or(pause, |at| at.since(now).max(Duration::from_millis(50))))
        }
        Kind::Offline | Kind::Storage => Some(pause),
        Kind::Remote if error.code() == Some(BEING_SENT) || error.may_have_happened() => Some(pause),
        _ => None,
    }
}

async fn call(
    client: &Client,
    row: &OutboxRow,
    content: &str,
    left: Duration,
) -> Result<NewMessage, FeishuError> {
    let ask = Ask::new(Class::Person, Feature::Send).within(left);
    let (chat_id, uuid) = (row.outgoing.chat_id.clone(), Some(row.outgoing.uuid.clone()));
    let (msg_type, content) = ("text".to_owned(), content.to_owned());
    match &row.outgoing.reply_to {
        Some(to) => {
            client.reply(ask, to, Reply { chat_id, msg_type, content, in_thread: row.in_thread, uuid }).await
        }
        None => {
            let receive_id = chat_id.to_string();
            let receive_id_type = ReceiverKind::ChatId;
            client.send(ask, SendMessage { receive_id, receive_id_type, msg_type, content, uuid }).await
        }
    }
}

/// `@Name` of people in the room as the platform wants mentions. The longest name wins; a name that goes
/// on, or that several have, is left as typed.
fn with_mentions(text: &str, members: &[RoomMember]) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let name_on = after.get(1..).unwrap_or_default();
        match mentioned(name_on, members) {
            Some(member) => {
                let plain: String = member.name.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
                out.push_str(&format!("<at user_id=\"{}\">{plain}</at>", member.open_id));
                rest = name_on.get(member.name.len()..).unwrap_or_default();
            }
            None => {
                out.push('@');
                rest = name_on;
            }
        }
    }
    out.push_str(rest);
    out
}

fn mentioned<'a>(text: &str, members: &'a [RoomMember]) -> Option<&'a RoomMember> {
    let is_whole = |name: &str| {
        let next = text.get(name.len()..).and_then(|rest| rest.chars().next());
        // Chinese goes on without a space after a name.
        next.is_none_or(|c| !c.is_ascii_alphanumeric())
    };
    let named = |member: &&RoomMember| {
        !member.name.trim().is_empty() && text.starts_with(member.name.as_str()) && is_whole(&member.name)
    };
    let longest = members.iter().filter(named).max_by_key(|member| member.name.len())?;
    let is_only = members.iter().filter(|member| member.name == longest.name).count() == 1;
    is_only.then_some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, name: &str) -> RoomMember {
        RoomMember { open_id: id.parse().unwrap(), name: name.into(), is_linked: false }
    }

    #[test]
    fn names_of_the_room_become_mentions() {
        let members = [
            member("ou_1", "Ann"),
            member("ou_2", "Ann Lee"),
            member("ou_3", "王芳"),
            member("ou_4", "Bo"),
            member("ou_5", "Bo"),
        ];
        let mentions = |text: &str| with_mentions(text, &members);
        assert_eq!(mentions("hi @Ann, see"), "hi <at user_id=\"ou_1\">Ann</at>, see");
        assert_eq!(mentions("@Ann Lee"), "<at user_id=\"ou_2\">Ann Lee</at>");
        assert_eq!(mentions("@王芳请看"), "<at user_id=\"ou_3\">王芳</at>请看");
        for plain in ["@Anna", "ann@ex.test", "@Bo", "@", "no mention"] {
            assert_eq!(mentions(plain), plain);
        }
    }
}
