//! Transcripts: from the store, and from the platform where the store has no more.

use std::time::Duration;

use crate::{
    core::{
        ids::{ChatId, IntegrationId, MessageId, ThreadId},
        integration::AppSummary,
        message::{Message, NewMessage},
        permit::{Class, Feature},
        room::Seam,
        time::Timestamp,
    },
    feishu::{Ask, Container, Listing, Order},
    store::{Anchor, FillKind, FillPage},
};

use super::{
    deck::{Answer, Deck, Told},
    room::{PERSON_PATIENCE, store_place},
    view::*,
};

/// Pages asked for in one go before the person is asked to scroll on.
const MOST_PAGES: usize = 4;
/// Messages of a thread that are shown.
const THREAD_LIMIT: u32 = 500;
/// How old a thread may be when it is opened: its replies are in no listing of the chat.
const THREAD_FRESH: Duration = Duration::from_secs(60);
const ALWAYS: Timestamp = Timestamp::from_ms(i64::MIN);
const FOREVER: Timestamp = Timestamp::from_ms(i64::MAX);

impl Deck {
    /// A part of a room's transcript, from the store.
    ///
    /// # Errors
    /// The store's.
    pub async fn transcript(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        anchor: TranscriptAnchor,
        limit: u32,
    ) -> Answer<TranscriptPage> {
        _ = integration;
        let store = &self.inner.store;
        let is_forward = matches!(anchor, TranscriptAnchor::After(_));
        let is_latest = anchor == TranscriptAnchor::Latest;
        let anchor = match &anchor {
            TranscriptAnchor::Latest => Anchor::Latest,
            TranscriptAnchor::Before(place) => Anchor::Before(store_place(place)),
            TranscriptAnchor::After(place) => Anchor::After(store_place(place)),
        };
        let limit = limit.clamp(1, 5_000);
        let mut messages = store.history(chat, &anchor, limit + 1).await.told()?;
        // One more than asked for tells whether there are more.
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = messages.len() > most;
        if has_more && is_forward {
            messages.truncate(most);
        } else if has_more {
            messages.remove(0);
        }
        let has_older = is_forward || has_more;
        let has_newer = !is_latest && (!is_forward || has_more);
        let at = |message: Option<&Message>| message.map(|message| message.body.created_at);
        let from = at(messages.first()).filter(|_| has_older).unwrap_or(ALWAYS);
        let to = at(messages.last()).filter(|_| has_newer).unwrap_or(FOREVER);
        let outgoing =
            if has_newer { Vec::new() } else { store.pending_outgoing(Some(chat)).await.told()? };
        let mark = store.read_mark(&self.inner.reader, chat).await.told()?;
        Ok(TranscriptPage {
            chat_id: chat.clone(),
            seams: store.seams(chat, from, to).await.told()?,
            outgoing: outgoing.into_iter().map(|row| row.outgoing).collect(),
            read_to: mark.map(|place| (place.at, place.message_id)),
            messages,
            has_older,
            has_newer,
        })
    }

    /// Where gaps of a room were repaired, or could not be, within a time.
    ///
    /// # Errors
    /// The store's.
    pub async fn seams(
        &self,
        chat: &ChatId,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Answer<Vec<Seam>> {
        let (from, to) = (since.unwrap_or(ALWAYS), until.unwrap_or(FOREVER));
        self.inner.store.seams(chat, from, to).await.told()
    }

    /// The newest messages of a room since an instant, oldest first, for commands; `limit` 0 is all.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(
        &self,
        chat: &ChatId,
        since: Option<Timestamp>,
        limit: usize,
    ) -> Answer<Vec<Message>> {
        const PAGE: u32 = 500;
        let mut parts: Vec<Vec<Message>> = Vec::new();
        let (mut anchor, mut count) = (Anchor::Latest, 0);
        loop {
            let page = self.inner.store.history(chat, &anchor, PAGE).await.told()?;
            let Some(first) = page.first() else { break };
            let place = (first.body.created_at, first.body.message_id.clone());
            count += page.len();
            parts.push(page);
            if (limit > 0 && count >= limit) || since.is_some_and(|since| place.0 < since) {
                break;
            }
            anchor = Anchor::Before(store_place(&place));
        }
        let mut all: Vec<Message> = parts.into_iter().rev().flatten().collect();
        all.retain(|message| since.is_none_or(|since| message.body.created_at >= since));
        if limit > 0 && all.len() > limit {
            all.drain(..all.len() - limit);
        }
        Ok(all)
    }

    /// Asks the platform for what was written before `before`, or for the newest when `None`, until it brings
    /// something new. What is too old to be kept is answered and not stored.
    ///
    /// # Errors
    /// The platform's or the store's.
    pub async fn fetch_older(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        before: Option<Place>,
    ) -> Answer<Fetched> {
        let store = self.keeping().await?;
        let client = self.client(integration).await?;
        let app = self.app_of(integration).await?;
        let room = self.room(integration, chat).await?;
        let ask = Ask::new(Class::Person, Feature::History).within(PERSON_PATIENCE);
        let asked_at = self.inner.clock.now();
        let mut listing = Listing::new(Container::Chat(chat.clone()), Order::Descending);
        // The end is inclusive and whole seconds: the second of `before` is listed again.
        listing.end_s = before.as_ref().map(|place| place.0.ms().div_euclid(1000));
        let kept_from = self.kept_from().await?;
        let mut fetched = Fetched { has_more: true, ..Fetched::default() };
        for page_number in 0..MOST_PAGES {
            let page = client.messages(ask, listing.clone()).await.told()?;
            // The newest page of a room that was never listed is where knowledge of it begins.
            let is_beginning = page_number == 0 && before.is_none() && room.complete_to.is_none();
            let newest = page.items.iter().map(|message| message.created_at).max();
            let complete_to =
                is_beginning.then(|| newest.unwrap_or_else(|| asked_at.minus(Duration::from_secs(30))));
            let names: Vec<String> = page.items.iter().map(|message| message.sender.id.clone()).collect();
            let is_kept = |message: &NewMessage| kept_from.is_none_or(|from| message.created_at >= from);
            let (kept, passing): (Vec<_>, Vec<_>) = page.items.into_iter().partition(is_kept);
            fetched.passing.extend(passing);
            let stored = store
                .fill_page(FillPage {
                    integration: integration.clone(),
                    chat_id: chat.clone(),
                    messages: kept.into_iter().map(|message| owned(message, &app)).collect(),
                    complete_to,
                    seam: None,
                    kind: FillKind::Older,
                })
                .await
                .told()?;
            self.want_names(integration, names);
            fetched.stored += stored.iter().filter(|one| one.is_new()).count();
            fetched.has_more = page.has_more && page.page_token.is_some();
            listing.page_token = page.page_token;
            if fetched.stored > 0 || !fetched.passing.is_empty() || !fetched.has_more {
                break;
            }
        }
        store.reconcile_outgoing(chat).await.told()?;
        fetched.kept_from = kept_from.filter(|_| !fetched.passing.is_empty());
        fetched.passing.sort_by(|a, b| (a.created_at, &a.message_id).cmp(&(b.created_at, &b.message_id)));
        Ok(fetched)
    }

    /// A thread or a reply tree with its first message, oldest first, from the store. What the platform has of
    /// a thread beyond that is asked for in the background and arrives by the feed.
    ///
    /// # Errors
    /// The store's.
    pub async fn thread(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        thread: &ThreadKey,
    ) -> Answer<Vec<Message>> {
        match thread {
            ThreadKey::Root(root) => self.inner.store.replies(chat, root, THREAD_LIMIT).await.told(),
            ThreadKey::Thread(thread) => {
                let may_ask = self.keeping_or_viewer().await?.is_some();
                if may_ask && self.is_due(&format!("thread/{thread}"), THREAD_FRESH) {
                    let (deck, integration) = (self.clone(), integration.clone());
                    let (chat, thread) = (chat.clone(), thread.clone());
                    self.inner.tasks.spawn(async move {
                        let ask = Ask::new(Class::Person, Feature::History).within(PERSON_PATIENCE);
                        let work = deck.fill_thread(&integration, &chat, &thread, ask, FillKind::Older);
                        let closing = deck.inner.closing.cancelled();
                        let done = tokio::select! { done = work => done, () = closing => return };
                        if let Err(fault) = done {
                            tracing::warn!(%thread, %fault, "thread not listed");
                        }
                    });
                }
                self.inner.store.thread(chat, thread, THREAD_LIMIT).await.told()
            }
        }
    }

    /// Lists a thread newest first until a message that the store has. Answers how many were new, and whether
    /// a known one was reached.
    pub(super) async fn fill_thread(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        thread: &ThreadId,
        ask: Ask,
        kind: FillKind,
    ) -> Answer<(usize, bool)> {
        let store = self.keeping().await?;
        let client = self.client(integration).await?;
        let app = self.app_of(integration).await?;
        let mut listing = Listing::new(Container::Thread(thread.clone()), Order::Descending);
        let mut count = 0;
        for _ in 0..MOST_PAGES {
            let page = client.messages(ask, listing.clone()).await.told()?;
            let ids: Vec<MessageId> = page.items.iter().map(|message| message.message_id.clone()).collect();
            let is_known = !self.inner.store.messages(&ids).await.told()?.is_empty();
            let names: Vec<String> = page.items.iter().map(|message| message.sender.id.clone()).collect();
            let stored = store
                .fill_page(FillPage {
                    integration: integration.clone(),
                    chat_id: chat.clone(),
                    messages: page.items.into_iter().map(|message| owned(message, &app)).collect(),
                    complete_to: None,
                    seam: None,
                    kind,
                })
                .await
                .told()?;
            self.want_names(integration, names);
            count += stored.iter().filter(|one| one.is_new()).count();
            listing.page_token = page.page_token;
            // The first message of the thread is in the chat's own listing: alone it proves nothing.
            if !page.has_more || listing.page_token.is_none() || (is_known && kind == FillKind::Gap) {
                return Ok((count, true));
            }
        }
        Ok((count, false))
    }
}

/// A message and whether the app's own bot wrote it.
pub(super) fn owned(message: NewMessage, app: &AppSummary) -> (NewMessage, bool) {
    let id = message.sender.id.as_str();
    let is_own = !id.is_empty() && (id == app.key.app_id.as_str() || Some(id) == app.bot_open_id.as_deref());
    (message, is_own)
}
