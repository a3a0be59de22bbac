//! The store's changes in order, put together for a console or `room tail`.

use std::time::{Duration, Instant};

use crate::{
    core::{
        ids::{ChatId, MemberId, MessageId, Seq},
        room::Seam,
        time::Timestamp,
    },
    store::{Anchor, Change, ChangeKind, StoreError, Watch},
};

use super::{
    deck::{Answer, Deck, Told},
    view::FeedBatch,
};

/// Changes that one batch covers.
const WINDOW: u32 = 1_000;
/// How often it is made sure that the store is still the same one.
const GENERATION_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at a feed that keeps growing.
const BREATH: Duration = Duration::from_millis(100);

/// The store's changes, in order. Ends never; drop it to stop.
pub struct Follow {
    deck: Deck,
    watch: Watch,
    cursor: Seq,
    generation: Option<String>,
    checked_at: Option<Instant>,
    is_store_away: bool,
}

/// Tells when integrations change, whoever changes them, without reading anything else of the feed.
pub struct IntegrationChanges {
    deck: Deck,
    watch: Watch,
    cursor: Seq,
}

impl Deck {
    /// The changes of integrations from now on.
    ///
    /// # Errors
    /// The store's.
    pub async fn integration_changes(&self) -> Answer<IntegrationChanges> {
        let watch = self.inner.store.watch();
        Ok(IntegrationChanges { deck: self.clone(), watch, cursor: self.head().await? })
    }
}

impl IntegrationChanges {
    /// Waits until an integration was added, changed or removed.
    ///
    /// # Errors
    /// The store's; asking again is sound.
    pub async fn next(&mut self) -> Answer<()> {
        loop {
            let kind = ChangeKind::Integration;
            let (has_changed, head) = self.deck.inner.store.changed_since(kind, self.cursor).await.told()?;
            self.cursor = head;
            if has_changed {
                return Ok(());
            }
            self.watch.changed().await.told()?;
            // In a flood of messages the store grows with every commit: looking now and then will do.
            tokio::time::sleep(BREATH).await;
        }
    }
}

impl Deck {
    /// Everything that changes after `after`.
    pub fn follow(&self, after: Seq) -> Follow {
        Follow {
            deck: self.clone(),
            watch: self.inner.store.watch(),
            cursor: after,
            generation: None,
            checked_at: None,
            is_store_away: false,
        }
    }

    /// Up to here the feed is forgotten: who begins before it is told what is there instead of what happened.
    ///
    /// # Errors
    /// The store's.
    pub async fn feed_floor(&self) -> Answer<Seq> {
        self.inner.store.feed_floor().await.told()
    }

    /// The number after which messages written at `at` or later were learned: where a `tail --since` starts.
    ///
    /// # Errors
    /// The store's.
    pub async fn seq_at(&self, at: Timestamp) -> Answer<Seq> {
        self.inner.store.seq_at(at).await.told()
    }
}

impl Follow {
    /// Everything up to here has been reported.
    pub const fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Whether the last error was of a store that is out of reach for a while: nobody has to do anything here, and
    /// what changes meanwhile is reported once it is back.
    pub const fn is_store_away(&self) -> bool {
        self.is_store_away
    }

    /// Waits for changes and reports them. Cancel-safe: what was not returned is reported the next time.
    ///
    /// # Errors
    /// The store's; asking again is sound.
    pub async fn next(&mut self) -> Answer<FeedBatch> {
        self.next_as(|| Wish::Everything).await
    }

    /// The same for a screen: of the messages, those of the room that `open` names alone, and of these the
    /// newest `most` where there are more. A flood is not read back from the store for nobody to see. `open`
    /// is asked once the changes are known, so that nothing of a room opened meanwhile falls between two.
    ///
    /// # Errors
    /// The store's; asking again is sound.
    pub async fn next_for(&mut self, open: impl Fn() -> Option<ChatId>, most: u32) -> Answer<FeedBatch> {
        self.next_as(|| Wish::Screen { room: open(), most }).await
    }

    async fn next_as(&mut self, wish: impl Fn() -> Wish) -> Answer<FeedBatch> {
        let done = self.wait_for_batch(&wish).await;
        self.is_store_away = done.as_ref().is_err_and(StoreError::is_passing);
        done.told()
    }

    async fn wait_for_batch(&mut self, wish: &impl Fn() -> Wish) -> Result<FeedBatch, StoreError> {
        loop {
            let batch = self.collect(wish).await?;
            self.cursor = batch.cursor;
            if !batch.is_empty() {
                return Ok(batch);
            }
            self.watch.changed().await?;
        }
    }

    async fn collect(&mut self, wish: &impl Fn() -> Wish) -> Result<FeedBatch, StoreError> {
        if self.is_other_store().await? {
            let cursor = self.deck.inner.store.head().await?;
            return Ok(FeedBatch { cursor, reload: true, ..FeedBatch::default() });
        }
        let mut cursor = self.cursor;
        loop {
            let store = &self.deck.inner.store;
            let changes = match store.own_changes(cursor, WINDOW) {
                Some(changes) => changes,
                None => store.changes(cursor, WINDOW).await?,
            };
            let Some(last) = changes.last() else {
                return Ok(FeedBatch { cursor, ..FeedBatch::default() });
            };
            let end = last.seq;
            let batch = self.deck.batch_of(changes, cursor, end, &wish()).await?;
            if !batch.is_empty() {
                return Ok(batch);
            }
            cursor = end;
        }
    }

    /// Whether the cursor has become worthless: another store stands in the file, or the rows are pruned.
    async fn is_other_store(&mut self) -> Result<bool, StoreError> {
        let now = self.deck.inner.clock.instant();
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < GENERATION_EVERY;
        if self.checked_at.is_some_and(is_fresh) {
            return Ok(false);
        }
        let store = &self.deck.inner.store;
        let generation = store.generation().await?;
        let is_pruned = store.feed_floor().await? > self.cursor;
        let is_other = self.generation.as_ref().is_some_and(|known| *known != generation);
        self.generation = Some(generation);
        self.checked_at = Some(now);
        Ok(is_other || is_pruned)
    }
}

/// Which messages are wanted with their text.
enum Wish {
    Everything,
    Screen { room: Option<ChatId>, most: u32 },
}

impl Wish {
    fn takes(&self, chat: Option<&ChatId>) -> bool {
        match self {
            Self::Everything => true,
            Self::Screen { room, .. } => room.is_some() && chat == room.as_ref(),
        }
    }
}

/// What a window of changes is about, each thing once.
#[derive(Default)]
struct Wanted {
    messages: Vec<MessageId>,
    outgoing: Vec<String>,
    seams: Vec<ChatId>,
    members: Vec<MemberId>,
}

impl Deck {
    async fn batch_of(
        &self,
        changes: Vec<Change>,
        after: Seq,
        end: Seq,
        wish: &Wish,
    ) -> Result<FeedBatch, StoreError> {
        let mut batch = FeedBatch { cursor: end, ..FeedBatch::default() };
        let mut wanted = Wanted::default();
        for change in changes {
            match change.what {
                ChangeKind::Message => {
                    if wish.takes(change.chat_id.as_ref()) {
                        wanted.messages.extend(change.key.parse::<MessageId>());
                    }
                    // A flood names the same room again and again.
                    if change.chat_id.as_ref() != batch.rooms.last() {
                        batch.rooms.extend(change.chat_id);
                    }
                }
                ChangeKind::Room => batch.facts.extend(change.key.parse::<ChatId>()),
                ChangeKind::Outgoing => wanted.outgoing.push(change.key),
                ChangeKind::Seam => wanted.seams.extend(change.chat_id),
                ChangeKind::Member => {
                    batch.members = true;
                    wanted.members.extend(change.key.parse::<MemberId>());
                }
                ChangeKind::Link => batch.members = true,
                ChangeKind::Integration => batch.integrations = true,
                ChangeKind::Operation => batch.operations = true,
                ChangeKind::Live => batch.live = true,
                ChangeKind::Person => batch.people = true,
            }
        }
        if !wanted.members.is_empty() {
            self.touch_members(wanted.members).await;
        }
        wanted.messages.sort();
        wanted.messages.dedup();
        self.load_messages(&mut batch, &wanted.messages, after, wish).await?;
        self.load_rest(&mut batch, wanted.outgoing, &wanted.seams, after).await?;
        batch.rooms.extend(batch.facts.iter().cloned());
        batch.rooms.sort();
        batch.rooms.dedup();
        Ok(batch)
    }

    async fn load_messages(
        &self,
        batch: &mut FeedBatch,
        ids: &[MessageId],
        after: Seq,
        wish: &Wish,
    ) -> Result<(), StoreError> {
        let store = &self.inner.store;
        batch.messages = match wish {
            // By time: what is the newest of the batch may have been learned before the rest.
            Wish::Screen { room: Some(room), most } if u32::try_from(ids.len()).is_ok_and(|n| n > *most) => {
                let mut newest = store.history(room, &Anchor::Latest, *most).await?;
                newest.retain(|message| message.seq > after && message.seq <= batch.cursor);
                let left_out = u64::try_from(ids.len().saturating_sub(newest.len())).unwrap_or(u64::MAX);
                batch.left_out = Some((room.clone(), left_out));
                newest
            }
            _ => store.messages(ids).await?,
        };
        // What has changed again since comes with its own number, in a later batch.
        batch.messages.retain(|message| message.seq <= batch.cursor);
        batch.messages.sort_by_key(|message| message.seq);
        Ok(())
    }

    async fn load_rest(
        &self,
        batch: &mut FeedBatch,
        mut outgoing: Vec<String>,
        seams: &[ChatId],
        after: Seq,
    ) -> Result<(), StoreError> {
        let store = &self.inner.store;
        outgoing.sort();
        outgoing.dedup();
        for uuid in outgoing {
            match store.outgoing(&uuid).await? {
                Some(row) => batch.outgoing.push(row.outgoing),
                None => batch.outgoing_gone.push(uuid),
            }
        }
        let mut chats: Vec<&ChatId> = seams.iter().collect();
        chats.sort();
        chats.dedup();
        let is_new = |seam: &Seam| seam.seq > after && seam.seq <= batch.cursor;
        let (always, forever) = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        for chat in chats {
            let known = store.seams(chat, always, forever).await?;
            batch.seams.extend(known.into_iter().filter(is_new));
        }
        Ok(())
    }
}
