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
        room::Seam,
        time::Timestamp,
    },
    service::{Deck, Place},
};

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
    let wanted = Wanted { deck: &deck, chat: &room.chat_id, since, limit: limit as usize };
    let mut messages = wanted.stored().await?;
    if fetch && wanted.fetch(context, &view.integration.id, &messages).await? {
        messages = wanted.stored().await?;
    }
    let lang = context.setup.loaded.lang;
    // A table of messages for machines; a person reads the lines in between as well.
    let mut seams = Vec::new();
    if !context.out.is_json() {
        let from = messages.first().map(|message| message.body.created_at).filter(|_| limit > 0).or(since);
        seams = deck.seams(&room.chat_id, from, None).await?;
    }
    let mut seams = seams.iter().peekable();
    for message in &messages {
        while let Some(seam) = seams.next_if(|seam| seam.from <= message.body.created_at) {
            print_seam(&mut context.out, seam, lang)?;
        }
        print(&mut context.out, message, lang)?;
    }
    seams.try_for_each(|seam| print_seam(&mut context.out, seam, lang))
}

/// Prints where a gap was repaired, for a person.
pub(super) fn print_seam(out: &mut Output, seam: &Seam, lang: Lang) -> Result<(), CliError> {
    let words = seam.words(lang, out.zone());
    out.line(&format!("{}  -- {words}", out.time(Some(seam.from))))
}

/// Which messages are asked for.
struct Wanted<'a> {
    deck: &'a Deck,
    chat: &'a ChatId,
    since: Option<Timestamp>,
    /// 0: all.
    limit: usize,
}

impl Wanted<'_> {
    /// What the store has of them, oldest first.
    async fn stored(&self) -> Result<Vec<Message>, CliError> {
        Ok(self.deck.history(self.chat, self.since, self.limit).await?)
    }

    /// Asks the platform for those that the store lacks. Whether anything new came.
    async fn fetch(
        &self,
        context: &Context,
        integration: &IntegrationId,
        have: &[Message],
    ) -> Result<bool, CliError> {
        let (mut count, mut oldest) = (have.len(), have.first().map(place));
        let mut is_new = false;
        // First the newest: the store may have been away for a while.
        let mut before: Option<Place> = None;
        loop {
            let fetched = self.deck.fetch_older(integration, self.chat, before.clone()).await?;
            if fetched.stored > 0 {
                is_new = true;
                let have = self.stored().await?;
                (count, oldest) = (have.len(), have.first().map(place));
            }
            let is_enough = self.limit > 0 && count >= self.limit;
            let is_far_enough =
                self.since.is_some_and(|since| before.as_ref().is_some_and(|at| at.0 < since));
            let is_stuck = oldest.is_none() || oldest == before;
            if !fetched.has_more || is_enough || is_far_enough || is_stuck || context.cancel.is_cancelled() {
                return Ok(is_new);
            }
            before.clone_from(&oldest);
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
    let sender = body.sender.shown(lang);
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
