//! Windows of a transcript: entries made ready to show, merged in order, and laid out in rows.

use std::collections::{HashMap, VecDeque};

use jiff::tz::TimeZone;

use crate::{
    app::model::{Divider, Item, ItemBody, ItemKey, LineRow, MessageItem},
    core::{
        ids::MessageId,
        lang::{Lang, Phrase, phrase},
        message::{Message, SenderKind},
        room::{Outgoing, OutgoingState, Seam},
        text::{SafeText, truncate, wrap},
        time::Timestamp,
    },
};

/// Messages of the same sender within so long stand under one name.
const TOGETHER_MS: i64 = 3 * 60_000;
/// Cells of what a quote shows of a message.
const EXCERPT_CELLS: usize = 60;

/// What it takes to make entries ready to show.
pub(super) struct Maker {
    /// The zone of days.
    pub(super) zone: TimeZone,
    /// Language of the screen.
    pub(super) lang: Lang,
    /// Who the own bot is: app_id and open_id.
    pub(super) own: Vec<String>,
}

/// The first line of `text`, cut.
pub(super) fn excerpt(text: &SafeText) -> SafeText {
    let line = text.as_str().lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    SafeText::line(&truncate(line.trim(), EXCERPT_CELLS))
}

impl Maker {
    /// A message ready to show, without rows yet.
    pub(super) fn message(&self, message: &Message) -> Item {
        let body = &message.body;
        let key = ItemKey::Fixed { at: body.created_at, message_id: Some(body.message_id.clone()), seq: 0 };
        let own = |id: &str| self.own.iter().any(|known| known == id);
        let sender = SafeText::line(&body.sender.shown(self.lang));
        let text = if body.recalled {
            RECALLED.get(self.lang).to_owned()
        } else {
            super::transcript::readable(message, self.lang)
        };
        let item = MessageItem {
            message_id: body.message_id.clone(),
            created_at: body.created_at,
            is_own: body.sender.kind == SenderKind::Bot && own(&body.sender.id),
            mentions_us: body.mentions.iter().any(|mention| mention.id == "all" || own(&mention.id)),
            sender_id: body.sender.id.clone(),
            sender_kind: body.sender.kind,
            msg_type: body.msg_type.clone(),
            sender,
            is_named: body.sender.known_name().is_some() || body.sender.kind == SenderKind::System,
            text: SafeText::block(text.trim_end_matches('\n')),
            quote: None,
            parent_id: body.parent_id.clone(),
            root_id: body.root_id.clone(),
            thread_id: body.thread_id.clone(),
            is_edited: body.edited,
            is_recalled: body.recalled,
            reactions: message.reactions.clone(),
            replies: None,
        };
        Item { key, body: ItemBody::Message(Box::new(item)), rows: Vec::new(), continues: false }
    }

    /// A seam ready to show.
    pub(super) fn seam(&self, seam: &Seam) -> Item {
        let key = ItemKey::Fixed { at: seam.from, message_id: None, seq: seam.seq.0 };
        Item { key, body: ItemBody::Seam(seam.clone()), rows: vec![LineRow::Seam], continues: false }
    }

    /// An own message on its way, ready to show.
    pub(super) fn outgoing(&self, outgoing: &Outgoing) -> Item {
        let key = ItemKey::Outgoing { at: outgoing.queued_at, uuid: outgoing.uuid.clone() };
        let text = SafeText::block(&without_tags(&outgoing.text));
        Item {
            key,
            body: ItemBody::Outgoing(Box::new(outgoing.clone()), text),
            rows: Vec::new(),
            continues: false,
        }
    }

    /// Quotes and answers of all entries: whoever they refer to may have come or gone.
    pub(super) fn relate(&self, items: &mut VecDeque<Item>) {
        let mut known: HashMap<MessageId, (SafeText, SafeText)> = HashMap::new();
        let mut replies: HashMap<MessageId, (u32, SafeText, Timestamp)> = HashMap::new();
        for message in items.iter().filter_map(Item::message) {
            if let Some(root) = message.root_id.as_ref().or(message.parent_id.as_ref()) {
                let entry = replies.entry(root.clone());
                let entry = entry.or_insert((0, message.sender.clone(), message.created_at));
                *entry = (entry.0 + 1, message.sender.clone(), message.created_at);
                for id in [message.parent_id.as_ref(), message.root_id.as_ref()].into_iter().flatten() {
                    known.entry(id.clone()).or_default();
                }
            }
        }
        if known.is_empty() && items.iter().filter_map(Item::message).all(|message| message.replies.is_none())
        {
            return;
        }
        for message in items.iter().filter_map(Item::message) {
            if let Some(slot) = known.get_mut(&message.message_id) {
                *slot = (message.sender.clone(), excerpt(&message.text));
            }
        }
        for item in items.iter_mut() {
            let ItemBody::Message(message) = &mut item.body else { continue };
            message.replies = replies.get(&message.message_id).cloned();
            let answered = message.parent_id.as_ref().or(message.root_id.as_ref());
            message.quote = answered.map(|id| match known.get(id) {
                Some((sender, text)) if !sender.as_str().is_empty() => {
                    SafeText::line(&format!("{sender}: {text}"))
                }
                _ => SafeText::line(EARLIER.get(self.lang)),
            });
        }
    }

    /// The rows of the entry at `index`. The text is wrapped again only where `wraps` says so.
    pub(super) fn lay_out(&self, items: &mut VecDeque<Item>, index: usize, page: &Page<'_>, wraps: bool) {
        let before = index.checked_sub(1).and_then(|before| items.get(before));
        let Some(item) = items.get(index) else { return };
        let mut rows = Vec::new();
        if before.is_none_or(|before| self.day(before) != self.day(item)) {
            rows.push(LineRow::Day);
        }
        if is_first_unread(before, item, page) {
            rows.push(LineRow::Unread);
        }
        let continues = rows.is_empty() && before.is_some_and(|before| belongs(before, item));
        let old = (!wraps && !item.rows.is_empty()).then_some(&item.rows);
        let texts = |text: &SafeText| match old {
            Some(rows) => {
                rows.iter().filter(|row| matches!(row, LineRow::Text(_))).cloned().collect::<Vec<_>>()
            }
            None => wrap(text.as_str(), usize::from(page.cells)).into_iter().map(LineRow::Text).collect(),
        };
        match &item.body {
            ItemBody::Message(message) => {
                if message.quote.is_some() && !before.is_some_and(|before| is_answered_by(before, message)) {
                    rows.push(LineRow::Quote);
                }
                rows.extend(texts(&message.text));
                if !message.reactions.is_empty() {
                    rows.push(LineRow::Reactions);
                }
                // A lone answer stands below with its quote: nothing is gained by announcing it.
                let is_thread = message.thread_id.is_some();
                if message.replies.as_ref().is_some_and(|(count, ..)| is_thread || *count > 1) {
                    rows.push(LineRow::Replies);
                }
            }
            ItemBody::Seam(_) => rows.push(LineRow::Seam),
            ItemBody::Outgoing(outgoing, text) => {
                rows.extend(texts(text));
                if matches!(outgoing.state, OutgoingState::Failed { .. } | OutgoingState::Unknown) {
                    rows.push(LineRow::State);
                }
            }
        }
        if let Some(item) = items.get_mut(index) {
            item.continues = continues;
            item.rows = rows;
        }
    }

    /// Lays out all entries.
    pub(super) fn lay_out_all(&self, items: &mut VecDeque<Item>, page: &Page<'_>, wraps: bool) {
        for index in 0..items.len() {
            self.lay_out(items, index, page, wraps);
        }
    }

    fn day(&self, item: &Item) -> jiff::civil::Date {
        at_of(&item.key).in_zone(&self.zone).date()
    }
}

/// What the rows of a window depend on.
pub(super) struct Page<'a> {
    /// Cells of a line of text.
    pub(super) cells: u16,
    /// Where the unread messages began.
    pub(super) divider: Option<&'a Divider>,
    /// There are entries before the first.
    pub(super) has_older: bool,
}

/// When an entry is from.
pub(super) const fn at_of(key: &ItemKey) -> Timestamp {
    match key {
        ItemKey::Fixed { at, .. } | ItemKey::Outgoing { at, .. } => *at,
    }
}

fn is_first_unread(before: Option<&Item>, item: &Item, page: &Page<'_>) -> bool {
    let Some(divider) = page.divider else { return false };
    match &divider.after {
        Some(after) => item.key > *after && before.map_or(!page.has_older, |before| before.key <= *after),
        None => before.is_none() && !page.has_older,
    }
}

/// Whether `before`, the entry right above, is what `message` answers or another answer to the same: then the
/// eye needs no quote.
fn is_answered_by(before: &Item, message: &MessageItem) -> bool {
    let Some(before) = before.message() else { return false };
    let answered = message.parent_id.as_ref().or(message.root_id.as_ref());
    let is_sibling = before.root_id.is_some() && before.root_id == message.root_id;
    answered == Some(&before.message_id) || (is_sibling && message.parent_id == message.root_id)
}

fn belongs(before: &Item, item: &Item) -> bool {
    let (Some(before), Some(item)) = (before.message(), item.message()) else { return false };
    before.sender_id == item.sender_id
        && before.sender == item.sender
        && item.quote.is_none()
        && before.sender_kind != SenderKind::System
        && item.created_at.ms().saturating_sub(before.created_at.ms()) < TOGETHER_MS
}

/// The text without the tags of mentions, as a person reads it.
pub(super) fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("<at user_id=\"") {
        let named = tail.split_once("\">").and_then(|(_, tail)| tail.split_once("</at>"));
        let Some((name, tail)) = named else { break };
        out.push_str(head);
        out.push('@');
        out.push_str(name);
        rest = tail;
    }
    out.push_str(rest);
    out
}

const RECALLED: Phrase = phrase("(recalled)", "（已撤回）");
const EARLIER: Phrase = phrase("an earlier message", "更早的消息");
