//! Life on its own: rooms talk, bots answer, somebody presses a button, the network drops.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Map, json};

use super::{
    SimError,
    people::CAST,
    scenario::{RoomPlan, Temper},
    script::{Line, Script, card_content},
    shared::Shared,
    social::Draft,
    world::{Actor, World},
};

/// A room that lives.
#[derive(Debug)]
pub(super) struct Room {
    chat: usize,
    plan: RoomPlan,
    script: Script,
    /// Next line, and how many were said.
    next: usize,
    count: u64,
    /// Messages of the lines that have a name.
    named: HashMap<String, usize>,
}

impl World {
    /// Opens the rooms of the scenario, with their past.
    pub(super) fn open_rooms(&mut self) -> Result<Vec<Room>, SimError> {
        let plans = self.plan.room.clone();
        plans.into_iter().map(|plan| self.open_room(plan)).collect()
    }

    fn open_room(&mut self, plan: RoomPlan) -> Result<Room, SimError> {
        let script = Script::load(&plan.script)?;
        let cast: Vec<Actor> = script.cast().into_iter().filter_map(|name| self.actor(name)).collect();
        let mut people: Vec<usize> = Vec::new();
        for actor in &cast {
            if let Actor::Person(no) = actor {
                people.push(*no);
            }
        }
        let wanted = usize::try_from(plan.members).unwrap_or(0).min(self.people.len());
        let mut no = self.dice.below(CAST.len());
        while people.len() < wanted {
            if !people.contains(&no) {
                people.push(no);
            }
            no = (no + 1) % self.people.len().max(1);
        }
        let owner = people.first().map_or(Actor::System, |no| Actor::Person(*no));
        let me = Actor::App(0);
        let mut facts = Map::new();
        facts.insert("name".to_owned(), json!(plan.name));
        facts.insert("description".to_owned(), json!(plan.description));
        let en = if plan.name_en.is_empty() { &plan.name } else { &plan.name_en };
        facts.insert("i18n_names".to_owned(), json!({"zh_cn": plan.name, "en_us": en, "ja_jp": ""}));
        if plan.topic {
            facts.insert("group_message_type".to_owned(), json!("thread"));
        }
        let chat =
            if plan.app_owns { self.open_chat(me, me, facts) } else { self.open_chat(owner, owner, facts) };
        self.join(chat, &people, owner, false);
        if plan.with_app {
            self.set_bot(chat, 0, owner, true);
        }
        for actor in cast {
            if let Actor::App(bot) = actor {
                self.set_bot(chat, bot, owner, true);
            }
        }
        self.outbox.clear();
        let mut room = Room { chat, plan, script, next: 0, count: 0, named: HashMap::new() };
        self.tell_past(&mut room);
        Ok(room)
    }

    /// Says the lines of the past, evenly over its time and with the last one shortly before now.
    fn tell_past(&mut self, room: &mut Room) {
        let lines = i64::from(room.plan.history);
        let over_ms = i64::from(room.plan.history_minutes) * 60_000;
        let now_ms = self.clock.now_ms();
        if let Some(chat) = self.chats.get_mut(room.chat) {
            chat.created_ms = now_ms - over_ms - 60_000;
        }
        for at in 0..lines {
            let jitter = i64::try_from(self.dice.below(900)).unwrap_or(0);
            let at_ms = now_ms - over_ms * (lines - at) / lines.max(1) + jitter - 1000;
            room.say_next(self, Some(at_ms));
        }
    }
}

impl Room {
    /// Says the next line; the answer is the message and the line.
    fn say_next(&mut self, world: &mut World, at_ms: Option<i64>) -> Option<(usize, Line)> {
        if self.script.line.is_empty() || !world.chats.get(self.chat)?.is_open() {
            return None;
        }
        let line = self.script.line.get(self.next)?.clone();
        self.next = (self.next + 1) % self.script.line.len();
        if self.next == 1 {
            // A dialogue that begins again replies to its own new lines.
            self.named.clear();
        }
        self.count += 1;
        let parent = self.named.get(&line.re).copied();
        let no = world.say_line(self.chat, &line, parent, at_ms, self.count);
        if !line.id.is_empty() {
            self.named.insert(line.id.clone(), no);
        }
        if at_ms.is_some()
            && let Some(last) = line.answer.last()
        {
            world.redraw_answer(no, &line, last, false);
        }
        Some((no, line))
    }

    async fn live(mut self, shared: Arc<Shared>) {
        let every = Duration::from_millis(self.plan.every_ms.max(10));
        let first = shared.peek(|world| world.dice.between(0, self.plan.every_ms.max(10)));
        tokio::time::sleep(Duration::from_millis(first)).await;
        loop {
            let lines = if self.plan.temper == Temper::Flood { self.plan.burst.max(1) } else { 1 };
            for _ in 0..lines {
                let said = shared.act(|world| self.say_next(world, None));
                let Some((no, line)) = said else { return };
                if !line.answer.is_empty() {
                    grow(&shared, no, &line, self.plan.echo_updates).await;
                }
                if line.recall {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    shared.act(|world| world.recall(no, "message_owner"));
                }
            }
            let share = shared.peek(|world| world.dice.between(60, 140));
            tokio::time::sleep(every * u32::try_from(share).unwrap_or(100) / 100).await;
        }
    }
}

/// Time between two states of a card that grows.
const GROWTH: Duration = Duration::from_millis(700);

async fn grow(shared: &Arc<Shared>, no: usize, line: &Line, is_echoed: bool) {
    let Some(last) = line.answer.last() else { return };
    // The answer comes a few words at a time, as a model writes it.
    let mut ends: Vec<usize> = last.char_indices().map(|(at, _)| at).skip(1).step_by(24).collect();
    ends.push(last.len());
    for step in line.answer.iter().take(line.answer.len() - 1).skip(1) {
        tokio::time::sleep(GROWTH).await;
        shared.act(|world| world.redraw_answer(no, line, step, is_echoed));
    }
    for end in ends {
        tokio::time::sleep(GROWTH).await;
        let words = last.get(..end).unwrap_or(last);
        shared.act(|world| world.redraw_answer(no, line, words, is_echoed));
    }
}

impl World {
    fn redraw_answer(&mut self, no: usize, line: &Line, words: &str, is_echoed: bool) {
        let now_ms = self.clock.now_ms();
        let Some(message) = self.messages.get_mut(no) else { return };
        message.content = card_content(line.card.as_deref().unwrap_or_default(), words);
        message.original.clone_from(&message.content);
        message.updated_ms = message.updated_ms.max(now_ms.min(message.created_ms + 600_000));
        if is_echoed {
            self.tell(no, 0);
        }
    }
}

async fn every(shared: Arc<Shared>, ms: u64, mut act: impl FnMut(&mut World) + Send + 'static) {
    if ms == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(ms));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        shared.act(&mut act);
    }
}

/// Starts everything that happens by itself.
pub(super) fn start(shared: &Arc<Shared>, rooms: Vec<Room>) {
    let plan = shared.peek(|world| world.plan.life.clone());
    for room in rooms {
        if let Some(seconds) = room.plan.disband_after_s {
            let (task, chat) = (Arc::clone(shared), room.chat);
            shared.spawn(async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds.max(0.0))).await;
                task.act(|world| {
                    let owner = world.chats.get(chat).map_or(Actor::System, |chat| chat.owner);
                    world.disband(chat, owner, false);
                });
            });
        }
        if room.plan.temper != Temper::Silent {
            shared.spawn(room.live(Arc::clone(shared)));
        }
    }
    shared.spawn(every(Arc::clone(shared), plan.fragment_every_ms, say_at_length));
    shared.spawn(every(Arc::clone(shared), plan.drop_every_ms, |world| world.hub.drop_all()));
    shared.spawn(every(Arc::clone(shared), plan.repeat_every_ms, |world| {
        let last = world.messages.len().checked_sub(1);
        if let Some(last) = last {
            world.tell(last, 0);
        }
    }));
    if plan.press_every_ms > 0 {
        shared.spawn(press_on(Arc::clone(shared), plan.press_every_ms));
    }
    if plan.answer_after_ms > 0 {
        shared.spawn(answer_on(Arc::clone(shared), plan.answer_after_ms));
    }
}

/// Somebody pastes a log that does not fit into one fragment.
fn say_at_length(world: &mut World) {
    let open: Vec<usize> = (0..world.chats.len())
        .filter(|no| world.chats.get(*no).is_some_and(|chat| chat.is_open() && chat.has(Actor::App(0))))
        .collect();
    let Some(chat) = world.dice.pick(&open).copied() else { return };
    let members = world.chats.get(chat).map(|chat| chat.members.clone()).unwrap_or_default();
    let Some(who) = world.dice.pick(&members).copied() else { return };
    let mut text = "完整日志如下 / full log below:\n".to_owned();
    for line in 0..24 {
        let ms = world.dice.between(200, 4800);
        text.push_str(&format!(
            "03:{line:02}:17.{:03} WARN gateway upstream=acquirer-b latency={ms}ms 重试 {}\n",
            ms % 1000,
            line % 4
        ));
    }
    let mut draft = Draft::text(chat, Actor::Person(who), text.trim_end());
    draft.fragments = 3;
    world.write(draft);
}

async fn press_on(shared: Arc<Shared>, ms: u64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(ms));
    loop {
        ticks.tick().await;
        let card = shared.peek(|world| {
            let cards = world.pressable();
            world.dice.pick(&cards).copied()
        });
        if let Some(no) = card {
            shared.press(no, None).await;
        }
    }
}

/// What people say to the app when it has written something.
const REPLIES: [&str; 6] =
    ["收到", "got it, thanks", "看到了，正在处理", "on it", "好的 👌", "thanks, checking now"];

async fn answer_on(shared: Arc<Shared>, ms: u64) {
    let mut seen = shared.peek(|world| world.messages.len());
    let mut ticks = tokio::time::interval(Duration::from_millis(ms.max(50)));
    loop {
        ticks.tick().await;
        shared.act(|world| {
            let new: Vec<(usize, usize)> = (seen..world.messages.len())
                .filter_map(|no| world.messages.get(no).map(|it| (no, it)))
                .filter(|(_, it)| it.sender == Actor::App(0))
                .map(|(no, it)| (no, it.chat))
                .collect();
            seen = world.messages.len();
            for (no, chat) in new {
                let members = world.chats.get(chat).map(|chat| chat.members.clone()).unwrap_or_default();
                let Some(who) = world.dice.pick(&members).copied().map(Actor::Person) else { continue };
                if world.dice.happens(0.4) {
                    world.react(no, who, "OK", true);
                } else {
                    let words = world.dice.pick(&REPLIES).copied().unwrap_or_default();
                    let mut draft = Draft::text(chat, who, words);
                    draft.parent = Some(no);
                    world.write(draft);
                }
            }
        });
    }
}
