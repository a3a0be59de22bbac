//! Repairing rooms after a gap: what the platform has and the store lacks, page by page with its mark.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    core::{
        error::{Fault, Kind},
        ids::ThreadId,
        operation::NewOperation,
        permit::{Class, Feature},
        room::{Missing, Room, RoomStatus},
        time::Timestamp,
    },
    feishu::{Ask, Client, Container, Listing, Order},
    store::{Anchor, FillKind, FillPage, Ingested, NewSeam},
};

use super::{
    super::{
        deck::{Answer, Told, lock},
        history::owned,
        room::listed_key,
    },
    gap::{complete_after, day_budget, leaves_seam, missing, seam_start, start_second},
    silence::{RHYTHM_MESSAGES, Silence, is_unusual},
    sink::Sink,
};

/// The list of chats is asked for again after so long.
const LIST_FRESH: Duration = Duration::from_secs(6 * 3600);
/// Rooms that were never listed and get their newest page on the first connect; others when opened.
const FIRST_PAGES: usize = 20;
/// Most pages of one room's gap: 10,000 messages.
const MOST_PAGES: usize = 200;
/// Threads of a room that are listed after a gap.
const MOST_THREADS: usize = 10;
/// Threads with a message since then are listed.
const THREAD_AGE: Duration = Duration::from_secs(24 * 3600);
/// A message that the store lacks so long after it was written was missed.
const MISSED_AFTER: Duration = Duration::from_secs(20);
/// Whose the count of the day is: the store's, not a person's.
const OWNER: &str = "larkdeck";

/// The fills of one holding: one at a time, the latest wish counts.
pub(super) struct Filler {
    work: Arc<Work>,
    running: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
}

struct Work {
    sink: Arc<Sink>,
    client: Client,
    /// All followed rooms are complete to here, and the connection stood since.
    filled_to: Mutex<Option<Timestamp>>,
    silence: Mutex<Silence>,
    /// Since when something may be missing, where a connection of this holding was lost.
    lost_at: Mutex<Option<Timestamp>>,
}

/// Calls of fills on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct DayUse {
    day: i64,
    calls: u64,
}

impl Filler {
    pub(super) fn new(sink: Arc<Sink>, client: Client) -> Self {
        let silence = Silence::new(sink.deck.inner.clock.now()).into();
        let work = Work { sink, client, filled_to: Mutex::default(), silence, lost_at: Mutex::default() };
        Self { work: Arc::new(work), running: None }
    }

    /// Up to where all rooms are complete, once a fill has finished.
    pub(super) fn filled_to(&self) -> Option<Timestamp> {
        *lock(&self.work.filled_to)
    }

    /// Repairs all rooms up to `connected_at`, on the platform's clock. A fill under way ends. `lost_at`: the
    /// last sign of life of the connection before.
    pub(super) fn start(&mut self, connected_at: Timestamp, lost_at: Option<Timestamp>) {
        if let Some(lost_at) = lost_at {
            lock(&self.work.lost_at).get_or_insert(lost_at);
        }
        if let Some((cancel, _)) = self.running.take() {
            cancel.cancel();
        }
        let cancel = self.work.sink.held.lost.child_token();
        let (work, token) = (Arc::clone(&self.work), cancel.clone());
        let task = tokio::spawn(async move {
            token.run_until_cancelled(work.fill_all(connected_at)).await;
        });
        self.running = Some((cancel, task));
    }

    pub(super) async fn stop(&mut self) {
        if let Some((cancel, task)) = self.running.take() {
            cancel.cancel();
            _ = task.await;
        }
    }

    /// Whether the most active room has a message that should have come and did not.
    pub(super) async fn finds_unknown(&self) -> bool {
        match self.work.look_for_unknown().await {
            Ok(found) => found,
            Err(fault) => {
                tracing::warn!(%fault, "deafness not looked into");
                false
            }
        }
    }
}

impl Filler {
    /// Looks a room up that is silent for longer than usual: one at most.
    pub(super) async fn look_at_silence(&self) {
        if let Err(fault) = self.work.look_at_silence().await {
            tracing::warn!(%fault, "silent room not looked up");
        }
    }
}

impl Work {
    async fn look_at_silence(&self) -> Answer<()> {
        let (deck, integration) = (&self.sink.deck, &self.sink.integration);
        let rooms = deck.rooms(integration).await?;
        let now = deck.inner.clock.now();
        let candidates = lock(&self.silence).candidates(&rooms, now);
        for (chat, last) in candidates {
            let newest = deck.inner.store.history(&chat, &Anchor::Latest, RHYTHM_MESSAGES).await.told()?;
            let written: Vec<Timestamp> = newest.iter().map(|message| message.body.created_at).collect();
            if !is_unusual(&written, now) {
                continue;
            }
            lock(&self.silence).looked(chat.clone(), last);
            self.spend().await?;
            if deck.look_up_room(integration, &chat, Class::Fill).await? != RoomStatus::Open {
                let mut row = NewOperation::ok("room.disbanded", chat.as_str());
                row.reason = Some("found when the room fell silent".to_owned());
                deck.log(row).await;
            }
            return Ok(());
        }
        Ok(())
    }

    async fn fill_all(&self, connected_at: Timestamp) {
        if let Err(fault) = self.try_fill_all(connected_at).await {
            tracing::warn!(%fault, "rooms not repaired");
            let target = self.sink.app.key.to_string();
            self.sink.deck.log(NewOperation::failed("live.fill", target, &fault)).await;
        }
    }

    async fn try_fill_all(&self, connected_at: Timestamp) -> Answer<()> {
        let (deck, integration) = (&self.sink.deck, &self.sink.integration);
        self.list_chats_if_stale().await?;
        let mut rooms = deck.rooms(integration).await?;
        self.sink.intake.knows(&rooms);
        rooms.retain(|room| room.status == RoomStatus::Open);
        rooms.sort_by_key(|room| std::cmp::Reverse(room.last_message_at));
        let mut first_pages = 0;
        for room in &rooms {
            let done = match room.complete_to {
                Some(from) => self.fill_room(room, from, connected_at).await,
                None if first_pages < FIRST_PAGES => {
                    first_pages += 1;
                    self.first_page(room, connected_at).await
                }
                None => {
                    self.commit(room, Vec::new(), Some(connected_at), None, FillKind::Older).await.map(drop)
                }
            };
            match done {
                Ok(()) => {}
                // This room alone: the bot is out of it, or it is gone.
                Err(fault) if matches!(fault.kind, Kind::Remote | Kind::NotFound) => {
                    deck.log(NewOperation::failed("room.fill", room.chat_id.as_str(), &fault)).await;
                }
                Err(fault) => return Err(fault),
            }
        }
        *lock(&self.filled_to) = Some(connected_at);
        *lock(&self.lost_at) = None;
        Ok(())
    }

    async fn list_chats_if_stale(&self) -> Answer<()> {
        let (deck, integration) = (&self.sink.deck, &self.sink.integration);
        let listed = deck.inner.store.get_ui(OWNER, &listed_key(integration)).await.told()?;
        let listed_at = listed.and_then(|at| at.parse().ok()).map(Timestamp::from_ms);
        if let Some(at) = listed_at
            && deck.shared_now().await?.since(at) < LIST_FRESH
        {
            return Ok(());
        }
        self.spend().await?;
        deck.list_chats(integration, ask()).await
    }

    /// A room that was never listed: its newest messages, as read.
    async fn first_page(&self, room: &Room, connected_at: Timestamp) -> Answer<()> {
        self.spend().await?;
        let listing = Listing::new(Container::Chat(room.chat_id.clone()), Order::Descending);
        let page = self.client.messages(ask(), listing).await.told()?;
        self.commit(room, page.items, Some(connected_at), None, FillKind::Older).await.map(drop)
    }

    async fn fill_room(&self, room: &Room, from: Timestamp, connected_at: Timestamp) -> Answer<()> {
        // What is too old to be kept is not asked for either.
        let from = self.sink.deck.kept_from().await?.map_or(from, |kept| from.max(kept));
        let mut listing = Listing::new(Container::Chat(room.chat_id.clone()), Order::Ascending);
        listing.start_s = Some(start_second(from));
        let (mut mark, mut recovered, mut oldest) = (from, 0, None);
        let mut threads: Vec<ThreadId> = Vec::new();
        for _ in 0..MOST_PAGES {
            self.spend().await?;
            let page = self.client.messages(ask(), listing.clone()).await.told()?;
            threads.extend(page.items.iter().filter_map(|message| message.thread_id.clone()));
            let last = page.items.iter().map(|message| message.created_at).max();
            let is_last = !page.has_more || page.page_token.is_none();
            mark = complete_after(mark, last, is_last, connected_at);
            let written: Vec<Timestamp> = page.items.iter().map(|message| message.created_at).collect();
            let stored = self.commit(room, page.items, Some(mark), None, FillKind::Gap).await?;
            let new = written.into_iter().zip(stored).filter(|(_, one)| one.is_new());
            for (written_at, _) in new {
                recovered += 1;
                oldest = oldest.or(Some(written_at));
            }
            listing.page_token = page.page_token;
            if is_last {
                break;
            }
        }
        let (in_threads, has_all) = self.fill_threads(room, threads).await?;
        recovered += in_threads;
        let start = seam_start(from, *lock(&self.lost_at), oldest);
        self.leave_seam(room, start, connected_at, recovered, missing(has_all, connected_at > from)).await?;
        self.sink.deck.keeping().await?.reconcile_outgoing(&room.chat_id).await.told().map(drop)
    }

    /// Replies inside threads are not in the chat's listing.
    async fn fill_threads(&self, room: &Room, mut threads: Vec<ThreadId>) -> Answer<(usize, bool)> {
        let deck = &self.sink.deck;
        let since = deck.inner.clock.now().minus(THREAD_AGE);
        threads.extend(deck.inner.store.active_threads(&room.chat_id, since).await.told()?);
        // Those of the gap itself first, then the liveliest: what there are too many of is left out at the end.
        let mut known = HashSet::new();
        threads.retain(|thread| known.insert(thread.clone()));
        let (mut recovered, mut has_all) = (0, threads.len() <= MOST_THREADS);
        for thread in threads.iter().take(MOST_THREADS) {
            self.spend().await?;
            let integration = &self.sink.integration;
            match deck.fill_thread(integration, &room.chat_id, thread, ask(), FillKind::Gap).await {
                Ok((count, is_whole)) => {
                    recovered += count;
                    has_all &= is_whole;
                }
                Err(fault) if fault.kind == Kind::QuotaExhausted => return Err(fault),
                Err(fault) => {
                    tracing::warn!(%thread, %fault, "thread not repaired");
                    has_all = false;
                }
            }
        }
        Ok((recovered, has_all))
    }

    async fn leave_seam(
        &self,
        room: &Room,
        from: Timestamp,
        to: Timestamp,
        recovered: usize,
        missing: Missing,
    ) -> Answer<()> {
        if !leaves_seam(from, to, recovered, missing) {
            return Ok(());
        }
        let recovered = u32::try_from(recovered).unwrap_or(u32::MAX);
        let seam = NewSeam { from, to: to.max(from), recovered, missing };
        self.commit(room, Vec::new(), None, Some(seam), FillKind::Gap).await.map(drop)
    }

    async fn commit(
        &self,
        room: &Room,
        messages: Vec<crate::core::message::NewMessage>,
        complete_to: Option<Timestamp>,
        seam: Option<NewSeam>,
        kind: FillKind,
    ) -> Answer<Vec<Ingested>> {
        let deck = &self.sink.deck;
        if !self.sink.held.is_valid(deck.inner.clock.instant()) {
            return Err(Fault::new(Kind::Refused, "the lease is another's: it repairs the rooms"));
        }
        let senders: Vec<String> = messages.iter().map(|message| message.sender.id.clone()).collect();
        let page = FillPage {
            integration: self.sink.integration.clone(),
            chat_id: room.chat_id.clone(),
            messages: messages.into_iter().map(|message| owned(message, &self.sink.app)).collect(),
            complete_to,
            seam,
            kind,
        };
        let stored = deck.keeping().await?.fill_page(page).await.told()?;
        lock(&self.sink.intake.marked).insert(room.chat_id.clone());
        deck.want_names(&self.sink.integration, senders);
        Ok(stored)
    }

    async fn look_for_unknown(&self) -> Answer<bool> {
        let (deck, integration) = (&self.sink.deck, &self.sink.integration);
        let rooms = deck.rooms(integration).await?;
        let open = rooms.iter().filter(|room| room.status == RoomStatus::Open);
        let Some(room) = open.max_by_key(|room| room.last_message_at) else { return Ok(false) };
        self.spend().await?;
        let mut listing = Listing::new(Container::Chat(room.chat_id.clone()), Order::Descending);
        listing.page_size = 10;
        let page = self.client.messages(ask(), listing).await.told()?;
        let now = Timestamp::from_ms(lock(&self.sink.intake.skew).platform_ms(deck.inner.clock.now().ms()));
        for message in page.items.iter().filter(|message| now.since(message.created_at) > MISSED_AFTER) {
            if deck.inner.store.message(&message.message_id).await.told()?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes one call from the day's share of the month; what is over it waits for the person.
    async fn spend(&self) -> Answer<()> {
        let deck = &self.sink.deck;
        let Some(budget) = day_budget(deck.inner.settings.month_limit) else { return Ok(()) };
        let key = format!("fills/{}", self.sink.integration);
        let day = deck.shared_now().await?.ms().div_euclid(24 * 3600 * 1000);
        let note = deck.inner.store.get_ui(OWNER, &key).await.told()?;
        let mut used: DayUse = note.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default();
        if used.day != day {
            used = DayUse { day, calls: 0 };
        }
        if used.calls >= budget {
            let message = format!(
                "the rooms are not repaired further today: {budget} calls are their share of the month"
            );
            return Err(Fault::new(Kind::Refused, message).with_hint(
                "Open a room and scroll back to fetch its messages, or raise [quota] month_limit.",
            ));
        }
        used.calls += 1;
        let note = serde_json::to_string(&used).map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
        deck.keeping().await?.put_ui(OWNER, &key, Some(&note)).await.told()
    }
}

const fn ask() -> Ask {
    Ask::new(Class::Fill, Feature::Live)
}
