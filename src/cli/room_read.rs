//! `larkdeck room history`, and how a message is printed.

use serde_json::{Value, json};

use super::{error::CliError, output::Output, room::resolve, setup::Context};
use crate::{
    core::{
        error::Kind,
        ids::{ChatId, IntegrationId},
        lang::Lang,
        message::Message,
        readable::readable,
        time::Timestamp,
    },
    service::{Deck, Place, TranscriptAnchor},
};

/// Messages that are read at a time.
const PAGE: u32 = 200;

/// An instant that the command line names.
pub(super) fn instant(context: &Context, text: &str) -> Result<Timestamp, CliError> {
    Timestamp::parse(text, context.out.zone()).ok_or_else(|| {
        CliError::new(Kind::Usage, format!("{text:?} is no time"))
            .hint("Write RFC 3339, such as 2026-11-22T03:12:00+08:00, or a date, such as 2026-11-22.")
    })
}

pub(super) async fn history(
    context: &mut Context,
    room: &str,
    since: Option<&str>,
    limit: u32,
    fetch: bool,
) -> Result<(), CliError> {
    let since = since.map(|text| instant(context, text)).transpose()?;
    let (deck, view) = context.integration(None).await?;
    let room = resolve(&deck, &view.integration.id, room).await?;
    let wanted = Wanted { since, limit: if limit == 0 { usize::MAX } else { limit as usize } };
    let reading = Reading { deck: &deck, integration: &view.integration.id, chat: &room.chat_id, wanted };
    let mut messages = reading.newest().await?;
    if fetch && reading.fetch(context, &messages).await? {
        messages = reading.newest().await?;
    }
    let lang = context.setup.loaded.lang;
    for message in messages.iter().rev() {
        print(&mut context.out, message, lang)?;
    }
    Ok(())
}

/// Which messages are asked for.
#[derive(Clone, Copy)]
struct Wanted {
    since: Option<Timestamp>,
    limit: usize,
}

impl Wanted {
    /// Whether `messages`, newest first, are all that is asked for.
    fn is_met(&self, messages: &[Message]) -> bool {
        let reaches_back =
            |message: &Message| self.since.is_some_and(|since| message.body.created_at < since);
        messages.len() >= self.limit || messages.last().is_some_and(reaches_back)
    }
}

struct Reading<'a> {
    deck: &'a Deck,
    integration: &'a IntegrationId,
    chat: &'a ChatId,
    wanted: Wanted,
}

impl Reading<'_> {
    /// What the store has of the wanted messages, newest first.
    async fn newest(&self) -> Result<Vec<Message>, CliError> {
        let mut found = Vec::new();
        let mut anchor = TranscriptAnchor::Latest;
        loop {
            let page = self.deck.transcript(self.integration, self.chat, anchor, PAGE).await?;
            found.extend(page.messages.into_iter().rev());
            let Some(oldest) = found.last().filter(|_| page.has_older && !self.wanted.is_met(&found)) else {
                break;
            };
            anchor = TranscriptAnchor::Before(place(oldest));
        }
        if let Some(since) = self.wanted.since {
            found.retain(|message| message.body.created_at >= since);
        }
        found.truncate(self.wanted.limit);
        Ok(found)
    }

    /// Asks the platform for what lies before the messages the store has, as far as it is wanted. Whether
    /// anything new came.
    async fn fetch(&self, context: &Context, have: &[Message]) -> Result<bool, CliError> {
        let mut have = have.to_vec();
        let mut is_new = false;
        // First the newest: the store may have been away for a while.
        let mut before: Option<Place> = None;
        loop {
            let fetched = self.deck.fetch_older(self.integration, self.chat, before.clone()).await?;
            is_new |= fetched.stored > 0;
            have = if fetched.stored > 0 { self.newest().await? } else { have };
            let oldest = have.last().map(place);
            let is_stuck = oldest.is_none() || oldest == before;
            if !fetched.has_more || is_stuck || self.wanted.is_met(&have) || context.cancel.is_cancelled() {
                return Ok(is_new);
            }
            before = oldest;
        }
    }
}

fn place(message: &Message) -> Place {
    (message.body.created_at, message.body.message_id.clone())
}

/// Prints a message: as one object, or as a person reads it.
pub(super) fn print(out: &mut Output, message: &Message, lang: Lang) -> Result<(), CliError> {
    if out.is_json() {
        let object = message_json(out, message, lang);
        return out.object(&object);
    }
    let body = &message.body;
    let sender = body.sender.name.as_deref().unwrap_or(&body.sender.id);
    let mark = match (body.recalled, body.edited) {
        (true, _) => " (recalled)",
        (false, true) => " (edited)",
        (false, false) => "",
    };
    let text = text(message, lang);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    out.line(&format!("{}  {sender}{mark}: {first}", out.time(Some(body.created_at))))?;
    for line in lines {
        out.line(&format!("    {line}"))?;
    }
    Ok(())
}

/// What a person reads of a message.
fn text(message: &Message, lang: Lang) -> String {
    let body = &message.body;
    let name =
        |id: &str| body.mentions.iter().find(|mention| mention.id == id).map(|mention| mention.name.clone());
    readable(&body.msg_type, &body.content, &body.mentions, &name, lang)
}

fn message_json(out: &Output, message: &Message, lang: Lang) -> Value {
    let body = &message.body;
    json!({
        "seq": message.seq,
        "chat_id": body.chat_id,
        "message_id": body.message_id,
        "root_id": body.root_id,
        "parent_id": body.parent_id,
        "thread_id": body.thread_id,
        "sender": { "id": body.sender.id, "name": body.sender.name, "kind": body.sender.kind },
        "type": body.msg_type,
        "text": text(message, lang),
        "content": body.content,
        "mentions": body.mentions,
        "created_at": out.time_json(Some(body.created_at)),
        "edited": body.edited,
        "recalled": body.recalled,
        "via": message.via,
    })
}
