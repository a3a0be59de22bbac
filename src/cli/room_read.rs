//! `larkdeck room history`, and how a message is printed.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{error::CliError, output::Output, room::resolve, setup::Context};
use crate::{
    core::{
        error::Kind,
        ids::{ChatId, IntegrationId, Seq},
        lang::Lang,
        message::{Message, NewMessage, Via},
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
    if fetch {
        let fetched = wanted.fetch(context, &view.integration.id, &messages).await?;
        if fetched.is_new {
            messages = wanted.stored().await?;
        }
        messages = wanted.with_passing(fetched.passing, messages);
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

    /// Asks the platform for those that the store lacks.
    async fn fetch(
        &self,
        context: &Context,
        integration: &IntegrationId,
        have: &[Message],
    ) -> Result<FromPlatform, CliError> {
        let (mut count, mut oldest) = (have.len(), have.first().map(place));
        let mut found = FromPlatform::default();
        // First the newest: the store may have been away for a while.
        let mut before: Option<Place> = None;
        loop {
            let fetched = self.deck.fetch_older(integration, self.chat, before.clone()).await?;
            if fetched.stored > 0 {
                found.is_new = true;
                let have = self.stored().await?;
                (count, oldest) = (have.len(), have.first().map(place));
            }
            // What is no longer kept is shown all the same, as long as somebody asks for it.
            if let Some(first) = fetched.passing.first() {
                oldest = Some((first.created_at, first.message_id.clone()));
                let known: HashSet<_> = found.passing.iter().map(|old| old.message_id.clone()).collect();
                let new = fetched.passing.into_iter().filter(|new| !known.contains(&new.message_id));
                let before = found.passing.len();
                found.passing.extend(new);
                count += found.passing.len() - before;
            }
            let is_enough = self.limit > 0 && count >= self.limit;
            let is_far_enough =
                self.since.is_some_and(|since| before.as_ref().is_some_and(|at| at.0 < since));
            let is_stuck = oldest.is_none() || oldest == before;
            if !fetched.has_more || is_enough || is_far_enough || is_stuck || context.cancel.is_cancelled() {
                return Ok(found);
            }
            before.clone_from(&oldest);
        }
    }

    /// What is kept, and before it what is not.
    fn with_passing(&self, passing: Vec<NewMessage>, kept: Vec<Message>) -> Vec<Message> {
        // The store has no number for them.
        let shown = |body| Message { seq: Seq(0), body, via: Via::History, reactions: Vec::new() };
        let mut all: Vec<Message> = passing.into_iter().map(shown).chain(kept).collect();
        all.retain(|message| self.since.is_none_or(|since| message.body.created_at >= since));
        all.sort_by(|a, b| a.place().cmp(&b.place()));
        if self.limit > 0 {
            all.drain(..all.len().saturating_sub(self.limit));
        }
        all
    }
}

/// What came of asking the platform.
#[derive(Default)]
struct FromPlatform {
    /// The store has more than before.
    is_new: bool,
    /// Messages from before what is kept.
    passing: Vec<NewMessage>,
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
        "seq": Some(message.seq).filter(|seq| seq.0 > 0),
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
