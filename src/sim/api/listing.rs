//! The history of a chat or a thread, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Call, Refusal, Reply, Spec, make_token, page_body, read_token, refuse};
use crate::sim::world::World;

const READ: &[&str] = &["im:message", "im:message:readonly", "im:message.history:readonly"];

pub(super) const SPECS: &[Spec] = &[Spec::new("im.message.list", "GET", "im/v1/messages", READ, list)];

fn second(call: &Call, name: &str) -> Result<Option<i64>, Refusal> {
    match call.query(name) {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            // Milliseconds are the usual mistake: the platform takes seconds here, and only here.
            Ok(second) if (0..100_000_000_000).contains(&second) => Ok(Some(second)),
            _ => Err(Refusal::field(name, text, &format!("{name} must be a timestamp in seconds"))),
        },
    }
}

struct Range {
    from_ms: i64,
    to_ms: i64,
    is_ascending: bool,
    after: Option<(i64, usize)>,
    size: usize,
}

impl Range {
    /// The places of one page and whether more follow.
    fn cut(&self, timeline: &BTreeSet<(i64, usize)>) -> (Vec<(i64, usize)>, bool) {
        let fits = |place: &&(i64, usize)| {
            let (at_ms, _) = **place;
            let is_later = match self.after {
                None => true,
                Some(after) if self.is_ascending => **place > after,
                Some(after) => **place < after,
            };
            at_ms >= self.from_ms && at_ms <= self.to_ms && is_later
        };
        let low = (self.from_ms, 0);
        let high = (self.to_ms, usize::MAX);
        if low > high {
            return (Vec::new(), false);
        }
        let all = timeline.range(low..=high);
        let mut places: Vec<(i64, usize)> = if self.is_ascending {
            all.filter(fits).take(self.size + 1).copied().collect()
        } else {
            all.rev().filter(fits).take(self.size + 1).copied().collect()
        };
        let has_more = places.len() > self.size;
        places.truncate(self.size);
        (places, has_more)
    }
}

/// A page token holds the order and the last place, so new messages do not shift the pages.
fn after(call: &Call, is_ascending: bool) -> Result<Option<(i64, usize)>, Refusal> {
    let token = call.query("page_token");
    if token.is_empty() {
        return Ok(None);
    }
    let bad = || {
        refuse(230_001).saying("Your request contains an invalid request parameter, ext=invalid page_token")
    };
    let text = read_token(token).ok_or_else(bad)?;
    let mut parts = text.split('.');
    let order = parts.next().unwrap_or_default();
    let at_ms = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
    let no = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
    if (order == "a") == is_ascending { Ok(Some((at_ms, no))) } else { Err(bad()) }
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 230_006)?;
    let id = call.query("container_id");
    if id.is_empty() {
        return Err(super::missing_field("container_id"));
    }
    let is_ascending = match call.query("sort_type") {
        "" | "ByCreateTimeAsc" => true,
        "ByCreateTimeDesc" => false,
        other => return Err(Refusal::field("sort_type", other, "ByCreateTimeAsc or ByCreateTimeDesc")),
    };
    let is_chat = match call.query("container_id_type") {
        "chat" => true,
        "thread" => false,
        "" => return Err(super::missing_field("container_id_type")),
        other => return Err(Refusal::field("container_id_type", other, "chat or thread")),
    };
    let (from, to) =
        if is_chat { (second(call, "start_time")?, second(call, "end_time")?) } else { (None, None) };
    let range = Range {
        from_ms: from.map_or(i64::MIN, |second| second * 1000),
        to_ms: to.map_or(i64::MAX, |second| second * 1000 + 999),
        is_ascending,
        after: after(call, is_ascending)?,
        size: call.page_size(20, 50)?,
    };
    let (chat_no, (places, has_more)) = if is_chat {
        let no = world.chat_index.get(id).copied().ok_or_else(|| refuse(230_001))?;
        let chat = world.chats.get(no).ok_or_else(|| refuse(230_001))?;
        (no, range.cut(&chat.timeline))
    } else {
        let (no, messages) = world.threads.get(id).ok_or_else(|| refuse(230_001))?;
        (*no, range.cut(messages))
    };
    let Some(chat) = world.chats.get(chat_no) else { return Err(refuse(230_001)) };
    if !chat.bots.contains(&call.app) {
        return Err(if is_chat { refuse(230_002) } else { refuse(230_073) });
    }
    if chat.status == "dissolved" {
        return Err(refuse(232_009));
    }
    if chat.fact("chat_mode") != "p2p" && !world.grants(call.app, &["im:message.group_msg"]) {
        return Err(
            refuse(230_027).saying("Lack of necessary permissions, ext=need scope: im:message.group_msg")
        );
    }
    let form = World::card_form(call);
    let items: Vec<Value> = places
        .iter()
        .filter_map(|(_, no)| world.messages.get(*no))
        .map(|message| world.message_object(call.app, message, crate::sim::people::IdType::Open, form))
        .collect();
    let order = if is_ascending { "a" } else { "d" };
    let next =
        places.last().filter(|_| has_more).map(|(at_ms, no)| make_token(&format!("{order}.{at_ms}.{no}")));
    Ok(Reply::Data(page_body(items, next)))
}
