//! What people and bots do with each other: write, recall, react, gather, leave. Every act tells the apps
//! that may hear of it.

use serde_json::{Map, Value, json};

use super::world::{Actor, Chat, Mentioned, Message, Reaction, World};

/// A message that is about to be written.
#[derive(Debug)]
pub(super) struct Draft {
    /// Number of the chat.
    pub(super) chat: usize,
    /// Who writes.
    pub(super) sender: Actor,
    /// `text` …
    pub(super) msg_type: String,
    /// As it is received.
    pub(super) content: String,
    /// As it was sent.
    pub(super) original: String,
    /// Mentions.
    pub(super) mentions: Vec<Mentioned>,
    /// Message replied to.
    pub(super) parent: Option<usize>,
    /// Whether the reply goes into a thread.
    pub(super) in_thread: bool,
    /// Card entity that it shows.
    pub(super) card_id: Option<String>,
    /// When; `None`: now.
    pub(super) at_ms: Option<i64>,
    /// Whether apps are told: not of the past.
    pub(super) is_told: bool,
    /// At least so many fragments.
    pub(super) fragments: usize,
}

impl Draft {
    /// A message of now, in words.
    pub(super) fn text(chat: usize, sender: Actor, text: &str) -> Self {
        Self::new(chat, sender, "text", json!({"text": text}).to_string())
    }

    /// A message of now.
    pub(super) fn new(chat: usize, sender: Actor, msg_type: &str, content: String) -> Self {
        Self {
            chat,
            sender,
            msg_type: msg_type.to_owned(),
            original: content.clone(),
            content,
            mentions: Vec::new(),
            parent: None,
            in_thread: false,
            card_id: None,
            at_ms: None,
            is_told: true,
            fragments: 0,
        }
    }
}

const GROUP_ALL: &[&str] = &["im:message.group_msg"];
const GROUP_AT: &[&str] = &["im:message.group_at_msg", "im:message.group_at_msg:readonly"];
const P2P: &[&str] = &["im:message.p2p_msg", "im:message.p2p_msg:readonly"];
const CHAT: &[&str] = &["im:chat", "im:chat:read", "im:chat:readonly"];
const CHAT_BOTS: &[&str] = &["im:chat", "im:chat.members:bot_access", "im:chat:readonly"];
const CHAT_MEMBERS: &[&str] = &["im:chat", "im:chat.members:read", "im:chat:readonly"];
const READ: &[&str] = &["im:message", "im:message:readonly"];
const REACTIONS: &[&str] = &["im:message.reactions:read", "im:message:readonly"];

impl World {
    /// The apps in a chat that can be told something.
    pub(super) fn ears(&self, chat: usize, scopes: &[&str]) -> Vec<usize> {
        let Some(chat) = self.chats.get(chat) else { return Vec::new() };
        let hears =
            |app: &usize| self.apps.get(*app).is_some_and(|it| it.is_callable) && self.grants(*app, scopes);
        chat.bots.iter().copied().filter(hears).collect()
    }

    /// Writes a message; the answer is its number.
    pub(super) fn write(&mut self, draft: Draft) -> usize {
        if let (Actor::Person(person), true) = (draft.sender, draft.is_told) {
            self.read_all(draft.chat, person);
        }
        let no = self.messages.len();
        let id = self.new_id("om_");
        let at_ms = draft.at_ms.unwrap_or_else(|| self.clock.now_ms());
        let is_topic =
            self.chats.get(draft.chat).is_some_and(|chat| chat.fact("group_message_type") == "thread");
        let (root, parent, thread) = self.place(&draft, no, is_topic, at_ms);
        let message = Message {
            id: id.clone(),
            chat: draft.chat,
            root,
            parent,
            thread: thread.clone(),
            sender: draft.sender,
            msg_type: draft.msg_type,
            content: draft.content,
            original: draft.original,
            mentions: draft.mentions,
            created_ms: at_ms,
            updated_ms: at_ms,
            is_deleted: false,
            edits: 0,
            reactions: Vec::new(),
            card_id: draft.card_id,
        };
        self.message_index.insert(id, no);
        if let Some((_, messages)) = thread.as_ref().and_then(|id| self.threads.get_mut(id)) {
            messages.insert((at_ms, no));
        }
        if let Some(chat) = self.chats.get_mut(draft.chat) {
            chat.active_ms = chat.active_ms.max(at_ms);
            // Replies inside a thread are listed with the thread alone.
            if thread.is_none() || root.is_none() {
                chat.timeline.insert((at_ms, no));
            }
        }
        if let Some(entity) = message.card_id.as_ref().and_then(|id| self.cards.get_mut(id)) {
            entity.message = Some(no);
        }
        self.messages.push(message);
        if draft.is_told {
            self.tell(no, draft.fragments);
        }
        no
    }

    /// Root, parent and thread of a draft; opens the thread where there is none yet.
    fn place(
        &mut self,
        draft: &Draft,
        no: usize,
        is_topic: bool,
        at_ms: i64,
    ) -> (Option<usize>, Option<usize>, Option<String>) {
        let parent =
            draft.parent.and_then(|no| self.messages.get(no).map(|it| (no, it.root, it.thread.clone())));
        let Some((parent, parent_root, thread)) = parent else {
            let thread = is_topic.then(|| self.new_id("omt_").chars().take(20).collect::<String>());
            if let Some(id) = &thread {
                self.threads.insert(id.clone(), (draft.chat, [(at_ms, no)].into()));
            }
            return (None, None, thread);
        };
        let root = parent_root.unwrap_or(parent);
        if thread.is_none() && !draft.in_thread {
            return (Some(root), Some(parent), None);
        }
        let thread = thread.unwrap_or_else(|| {
            let id: String = self.new_id("omt_").chars().take(20).collect();
            let first_ms = self.messages.get(parent).map_or(at_ms, |it| it.created_ms);
            self.threads.insert(id.clone(), (draft.chat, [(first_ms, parent)].into()));
            if let Some(first) = self.messages.get_mut(parent) {
                first.thread = Some(id.clone());
            }
            id
        });
        let first = self
            .threads
            .get(&thread)
            .and_then(|(_, messages)| messages.first())
            .map_or(root, |(_, first)| *first);
        (Some(first), Some(first), Some(thread))
    }

    /// Tells the apps of a chat that a message was written. None hears its own.
    pub(super) fn tell(&mut self, no: usize, fragments: usize) {
        let Some(message) = self.messages.get(no) else { return };
        let Some(chat) = self.chats.get(message.chat) else { return };
        let is_p2p = chat.fact("chat_mode") == "p2p";
        let ears = self.ears(message.chat, &[]);
        let mut events = Vec::new();
        for app in ears {
            let is_named =
                message.mentions.iter().any(|it| it.who == Actor::App(app) || it.who == Actor::System);
            let may_hear = if is_p2p {
                self.grants(app, P2P)
            } else {
                self.grants(app, GROUP_ALL) || (is_named && self.grants(app, GROUP_AT))
            };
            if may_hear && message.sender != Actor::App(app) {
                events.push((app, self.message_event(app, message)));
            }
        }
        for (app, event) in events {
            self.emit(app, "im.message.receive_v1", event, fragments);
        }
    }

    /// Takes a message back.
    pub(super) fn recall(&mut self, no: usize, recall_type: &str) {
        let now_ms = self.clock.now_ms();
        let Some(message) = self.messages.get_mut(no) else { return };
        message.is_deleted = true;
        message.updated_ms = now_ms;
        let (id, chat) = (message.id.clone(), message.chat);
        let chat_id = self.chats.get(chat).map(|chat| chat.id.clone()).unwrap_or_default();
        for app in self.ears(chat, READ) {
            let event = json!({
                "message_id": id, "chat_id": chat_id, "recall_time": now_ms.to_string(), "recall_type": recall_type,
            });
            self.emit(app, "im.message.recalled_v1", event, 0);
        }
    }

    /// Reacts to a message; the same reaction again is the one that is there.
    pub(super) fn react(&mut self, no: usize, who: Actor, emoji: &str, is_told: bool) -> Option<Reaction> {
        let at_ms = self.clock.now_ms();
        let known = |it: &&Reaction| it.who == who && it.emoji == emoji;
        if let Some(known) = self.messages.get(no)?.reactions.iter().find(known) {
            return Some(known.clone());
        }
        let reaction = Reaction { id: self.new_id("ZCaCIjUBVVWSrm5L-"), emoji: emoji.to_owned(), who, at_ms };
        self.messages.get_mut(no)?.reactions.push(reaction.clone());
        if is_told {
            self.tell_reaction(no, &reaction, "im.message.reaction.created_v1");
        }
        Some(reaction)
    }

    /// Takes a reaction back.
    pub(super) fn unreact(&mut self, no: usize, reaction_id: &str) -> Option<Reaction> {
        let reactions = &mut self.messages.get_mut(no)?.reactions;
        let at = reactions.iter().position(|reaction| reaction.id == reaction_id)?;
        let reaction = reactions.remove(at);
        self.tell_reaction(no, &reaction, "im.message.reaction.deleted_v1");
        Some(reaction)
    }

    fn tell_reaction(&mut self, no: usize, reaction: &Reaction, event_type: &str) {
        let now_ms = self.clock.now_ms();
        let Some((id, chat)) = self.messages.get(no).map(|it| (it.id.clone(), it.chat)) else { return };
        for app in self.ears(chat, REACTIONS) {
            let event = self.reaction_event(app, &id, &reaction.emoji, reaction.who, now_ms);
            self.emit(app, event_type, event, 0);
        }
    }

    /// Opens a chat.
    pub(super) fn open_chat(&mut self, creator: Actor, owner: Actor, facts: Map<String, Value>) -> usize {
        let no = self.chats.len();
        let id = self.new_id("oc_");
        let now_ms = self.clock.now_ms();
        let mut all = Map::new();
        for key in [
            "urgent_setting",
            "video_conference_setting",
            "pin_manage_setting",
            "add_member_permission",
            "at_all_permission",
            "edit_permission",
            "join_message_visibility",
            "leave_message_visibility",
            "moderation_permission",
            "hide_member_count_setting",
        ] {
            all.insert(key.to_owned(), json!("all_members"));
        }
        let rest = json!({
            "avatar": "https://s1.example/static/avatar.png", "name": "", "description": "",
            "i18n_names": {"zh_cn": "", "en_us": "", "ja_jp": ""},
            "share_card_permission": "allowed", "group_message_type": "chat", "chat_mode": "group",
            "chat_type": "private", "chat_tag": "inner", "membership_approval": "no_approval_required",
            "restricted_mode_setting": {
                "status": false, "screenshot_has_permission_setting": "all_members",
                "download_has_permission_setting": "all_members", "message_has_permission_setting": "all_members",
            },
        });
        all.extend(rest.as_object().cloned().unwrap_or_default());
        all.extend(facts);
        self.chat_index.insert(id.clone(), no);
        self.chats.push(Chat {
            id,
            facts: all,
            owner,
            creator,
            managers: [].into(),
            members: Vec::new(),
            bots: [].into(),
            status: "normal",
            created_ms: now_ms,
            active_ms: now_ms,
            read_to: 0,
            timeline: [].into(),
        });
        no
    }

    /// Brings people into a chat; those who are in already stay.
    pub(super) fn join(&mut self, chat: usize, people: &[usize], by: Actor, is_told: bool) {
        let Some(it) = self.chats.get_mut(chat) else { return };
        let mut new = Vec::new();
        for no in people {
            if !it.members.contains(no) {
                it.members.push(*no);
                new.push(*no);
            }
        }
        if is_told && !new.is_empty() {
            self.tell_people(chat, &new, by, "im.chat.member.user.added_v1");
        }
    }

    /// Takes people out of a chat.
    pub(super) fn part(&mut self, chat: usize, people: &[usize], by: Actor) {
        self.leave(chat, people, by, "im.chat.member.user.deleted_v1");
    }

    /// Takes people out of a chat and tells it by this event.
    pub(super) fn leave(&mut self, chat: usize, people: &[usize], by: Actor, event_type: &str) {
        let Some(it) = self.chats.get_mut(chat) else { return };
        let gone: Vec<usize> = people.iter().copied().filter(|no| it.members.contains(no)).collect();
        it.members.retain(|no| !people.contains(no));
        if !gone.is_empty() {
            self.tell_people(chat, &gone, by, event_type);
        }
    }

    fn tell_people(&mut self, chat: usize, people: &[usize], by: Actor, event_type: &str) {
        for app in self.ears(chat, CHAT_MEMBERS) {
            let users: Vec<Value> = people
                .iter()
                .map(|no| {
                    let name = self.name_of(Actor::Person(*no));
                    json!({"name": name, "tenant_key": self.tenant(), "user_id": self.id_object(app, *no)})
                })
                .collect();
            let mut event = self.chat_event(app, chat, by);
            event.insert("users".to_owned(), json!(users));
            self.emit(app, event_type, Value::Object(event), 0);
        }
    }

    /// Brings a bot into a chat, or takes it out.
    pub(super) fn set_bot(&mut self, chat: usize, bot: usize, by: Actor, is_in: bool) {
        let mut event = self.chat_event(bot, chat, by);
        if self.plan.variant.bot_events_name_bot {
            event.insert("name".to_owned(), json!(self.name_of(Actor::App(bot))));
        }
        let Some(it) = self.chats.get_mut(chat) else { return };
        let is_group = it.fact("chat_mode") != "p2p";
        let has_changed = if is_in { it.bots.insert(bot) } else { it.bots.remove(&bot) };
        if has_changed
            && is_group
            && self.apps.get(bot).is_some_and(|app| app.is_callable)
            && self.grants(bot, CHAT_BOTS)
        {
            let verb = if is_in { "added" } else { "deleted" };
            self.emit(bot, &format!("im.chat.member.bot.{verb}_v1"), Value::Object(event), 0);
        }
    }

    /// Disbands a chat. With the history kept, nobody is told: only the chat's status shows it.
    pub(super) fn disband(&mut self, chat: usize, by: Actor, keeps_history: bool) {
        let tells_own = self.plan.variant.tells_own_disband;
        let mut ears = self.ears(chat, CHAT);
        ears.retain(|app| tells_own || by != Actor::App(*app));
        let Some(it) = self.chats.get_mut(chat) else { return };
        if !it.is_open() {
            return;
        }
        it.status = if keeps_history { "dissolved_save" } else { "dissolved" };
        if keeps_history {
            return;
        }
        for app in ears {
            let event = self.chat_event(app, chat, by);
            self.emit(app, "im.chat.disbanded_v1", Value::Object(event), 0);
        }
    }

    /// Changes facts of a chat.
    pub(super) fn change_chat(&mut self, chat: usize, change: &Map<String, Value>, by: Actor) {
        let Some(it) = self.chats.get_mut(chat) else { return };
        let (mut before, mut after) = (Map::new(), Map::new());
        for (key, value) in change {
            if it.facts.get(key) != Some(value) {
                before.insert(key.clone(), it.facts.get(key).cloned().unwrap_or_default());
                after.insert(key.clone(), value.clone());
                it.facts.insert(key.clone(), value.clone());
            }
        }
        if after.is_empty() {
            return;
        }
        for app in self.ears(chat, CHAT) {
            let mut event = self.chat_event(app, chat, by);
            event.remove("name");
            event.remove("i18n_names");
            event.insert("after_change".to_owned(), Value::Object(after.clone()));
            event.insert("before_change".to_owned(), Value::Object(before.clone()));
            event.insert(
                "moderator_list".to_owned(),
                json!({"added_member_list": [], "removed_member_list": []}),
            );
            self.emit(app, "im.chat.updated_v1", Value::Object(event), 0);
        }
    }
}
