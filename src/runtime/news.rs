//! What the console learns without asking: changes of the store, and of the call budget.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{Runtime, answer::is_open, lock};
use crate::{
    app::event::{Event, FeedBatch, RoomNews},
    core::{
        health::StoreHealth,
        ids::{ChatId, IntegrationId},
        integration::Live,
    },
    service::{self, IntegrationView, LiveMode},
};

/// News come at most so often; what is faster is gathered. The first is told at once.
const NEWS_PAUSE: Duration = Duration::from_millis(33);
/// The same where more lines come than anybody can read one by one.
const DENSE_PAUSE: Duration = Duration::from_millis(80);
/// Messages for each [`NEWS_PAUSE`] from which on that is so.
const DENSE_MESSAGES: u128 = 2;
/// The age of the last event is told at most so often.
const EVENT_PAUSE: Duration = Duration::from_secs(2);
/// How long to wait after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The budget is told at most so often.
const QUOTA_PAUSE: Duration = Duration::from_secs(1);
/// Messages of one batch: more than any screen shows at once.
const MOST_MESSAGES: u32 = 200;

/// Follows the store.
pub(super) async fn feed(runtime: Runtime) {
    let deck = &runtime.inner.deck;
    let mut lives = HashMap::new();
    live(&runtime, &mut lives).await;
    role(&runtime).await;
    let head = loop {
        match deck.head().await {
            Ok(head) => break head,
            Err(fault) => {
                runtime.tell(Event::Noticed(Box::new(fault))).await;
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    };
    let mut follow = deck.follow(head);
    let mut is_away = false;
    // When the last event came changes with every one: that is told a moment later, for all of them.
    let mut due: Option<Instant> = None;
    let mut told_at: Option<Instant> = None;
    loop {
        let batch = follow.next_for(|| runtime.focus().room, MOST_MESSAGES);
        let next = match due {
            Some(at) if at <= Instant::now() => None,
            Some(at) => tokio::time::timeout_at(at, batch).await.ok(),
            None => Some(batch.await),
        };
        match next {
            None => {
                live(&runtime, &mut lives).await;
                due = None;
            }
            Some(Ok(batch)) => {
                is_away = false;
                if batch.live || batch.integrations || batch.reload {
                    live(&runtime, &mut lives).await;
                    due = None;
                } else if !batch.rooms.is_empty() {
                    due = due.or_else(|| Some(Instant::now() + EVENT_PAUSE));
                }
                if batch.integrations || batch.reload {
                    role(&runtime).await;
                }
                let open = runtime.focus().room;
                let news = news(batch, open.as_ref());
                let lines = news.room.as_ref().map_or(0, |room| room.messages.len());
                runtime.tell(Event::FeedArrived(Box::new(news))).await;
                let now = Instant::now();
                let since = told_at.replace(now).map_or(Duration::MAX, |at| now - at);
                tokio::time::sleep(pause_after(lines, since)).await;
            }
            Some(Err(fault)) => {
                // Told once, not each second.
                if !std::mem::replace(&mut is_away, true) {
                    runtime.tell(Event::Noticed(Box::new(fault))).await;
                }
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// How long to gather after so many lines, which came in the time since the batch before.
fn pause_after(lines: usize, since: Duration) -> Duration {
    let is_dense = lines as u128 * NEWS_PAUSE.as_micros() >= DENSE_MESSAGES * since.as_micros();
    if is_dense { DENSE_PAUSE } else { NEWS_PAUSE }
}

/// What of a batch the console shows.
fn news(batch: service::FeedBatch, open: Option<&ChatId>) -> FeedBatch {
    let room = open.and_then(|chat| room_news(&batch, chat));
    FeedBatch {
        integrations: batch.integrations,
        members: batch.members,
        rooms: !batch.rooms.is_empty() || !batch.messages.is_empty(),
        operations: batch.operations,
        names: batch.people,
        is_reload: batch.reload,
        room,
    }
}

fn room_news(batch: &service::FeedBatch, chat: &ChatId) -> Option<RoomNews> {
    let mut messages: Vec<_> =
        batch.messages.iter().filter(|message| message.body.chat_id == *chat).cloned().collect();
    messages.sort_by(|a, b| a.place().cmp(&b.place()));
    let seams: Vec<_> = batch.seams.iter().filter(|seam| seam.chat_id == *chat).cloned().collect();
    let outgoing: Vec<_> = batch.outgoing.iter().filter(|own| own.chat_id == *chat).cloned().collect();
    let members = batch.people || batch.facts.iter().any(|room| is_open(Some(chat), room));
    let left_out = batch.left_out.as_ref().filter(|(room, _)| room == chat).map_or(0, |(_, count)| *count);
    if messages.is_empty() && seams.is_empty() && outgoing.is_empty() && !members {
        return None;
    }
    Some(RoomNews { chat_id: chat.clone(), messages, left_out, seams, outgoing, members })
}

/// Tells the role of this console: roles are told as integrations are.
async fn role(runtime: &Runtime) {
    match runtime.inner.deck.role().await {
        Ok(role) => runtime.tell(Event::RoleChanged(role)).await,
        Err(fault) => runtime.tell(Event::Noticed(Box::new(fault))).await,
    }
}

/// Tells the connections that changed, and takes part in those that are new.
async fn live(runtime: &Runtime, told: &mut HashMap<IntegrationId, Live>) {
    let views = match runtime.inner.deck.integrations().await {
        Ok(views) => views,
        Err(fault) => return runtime.tell(Event::Noticed(Box::new(fault))).await,
    };
    runtime.join_live(&views);
    for view in views {
        let (integration, live) = (view.integration.id, view.live);
        if told.get(&integration) != Some(&live) {
            told.insert(integration.clone(), live.clone());
            runtime.tell(Event::LiveChanged { integration, live: Box::new(live) }).await;
        }
    }
}

/// Follows the call budget of the integration in use.
pub(super) async fn quota(runtime: Runtime) {
    let mut changes = runtime.inner.deck.watch_quota();
    while changes.changed().await.is_ok() {
        if let Some(integration) = runtime.focus().integration {
            match runtime.inner.deck.quota(&integration).await {
                Ok(report) => runtime.tell(Event::QuotaChanged(Box::new(report))).await,
                // The pane asks by itself and shows the fault; here nobody looks.
                Err(fault) => tracing::debug!(%fault, "the call budget"),
            }
        }
        tokio::time::sleep(QUOTA_PAUSE).await;
    }
}

/// Follows how the store is reached.
pub(super) async fn store_health(runtime: Runtime) {
    let mut changes = runtime.inner.deck.store_health();
    let mut told = StoreHealth::default();
    loop {
        let health = *changes.borrow_and_update();
        if health != told {
            runtime.tell(Event::StoreReached(health)).await;
            told = health;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

impl Runtime {
    /// Takes part in the connections of all integrations that have one.
    pub(super) fn join_live(&self, views: &[IntegrationView]) {
        let mut live = lock(&self.inner.live);
        for view in views.iter().filter(|view| view.integration.app.is_some()) {
            let id = &view.integration.id;
            if !live.contains_key(id) {
                live.insert(id.clone(), self.inner.deck.go_live(id, LiveMode::TakePart));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        ids::Seq,
        message::{Message, NewMessage, Sender, SenderKind, Via},
        time::Timestamp,
    };

    fn message(n: i64, chat: &str) -> Message {
        let body = NewMessage {
            chat_id: chat.parse().unwrap(),
            message_id: format!("om_{n:04}").parse().unwrap(),
            root_id: None,
            parent_id: None,
            thread_id: None,
            sender: Sender { id: "ou_1".into(), name: None, kind: SenderKind::User },
            msg_type: "text".into(),
            content: String::new(),
            mentions: Vec::new(),
            created_at: Timestamp::from_ms(n),
            updated_at: None,
            edited: false,
            recalled: false,
        };
        Message { seq: Seq(n), body, via: Via::Live, reactions: Vec::new() }
    }

    #[test]
    fn what_was_left_out_of_a_flood_is_told_with_its_room() {
        let chat: ChatId = "oc_1".parse().unwrap();
        let mut messages: Vec<Message> = (0..5).rev().map(|n| message(n, "oc_1")).collect();
        messages.push(message(999, "oc_2"));
        let left_out = Some((chat.clone(), 300));
        let batch = service::FeedBatch { messages, left_out, ..service::FeedBatch::default() };
        let room = news(batch.clone(), Some(&chat)).room.unwrap();
        assert_eq!((room.messages.len(), room.left_out), (5, 300));
        assert_eq!(room.messages.first().unwrap().seq, Seq(0));
        assert_eq!(room.messages.last().unwrap().seq, Seq(4));
        let other: ChatId = "oc_2".parse().unwrap();
        assert_eq!(news(batch, Some(&other)).room.unwrap().left_out, 0);
    }

    #[test]
    fn lines_that_nobody_can_read_one_by_one_are_gathered_longer() {
        let second = Duration::from_secs(1);
        assert_eq!(pause_after(0, Duration::from_millis(33)), NEWS_PAUSE);
        assert_eq!(pause_after(1, Duration::MAX), NEWS_PAUSE, "the first");
        assert_eq!(pause_after(20, second), NEWS_PAUSE);
        assert_eq!(pause_after(100, second), DENSE_PAUSE);
    }

    #[test]
    fn other_rooms_only_change_the_list() {
        let chat: ChatId = "oc_1".parse().unwrap();
        let batch =
            service::FeedBatch { messages: vec![message(1, "oc_2")], ..service::FeedBatch::default() };
        let news = news(batch, Some(&chat));
        assert!(news.rooms && news.room.is_none());
    }
}
