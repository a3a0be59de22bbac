//! What people do with their accounts and their eyes: change, read, take an invitation back.

use serde_json::{Map, Value, json};

use super::{
    people::Person,
    world::{Actor, World},
};

const READ: &[&str] = &["im:message", "im:message:readonly"];
const CONTACT: &[&str] = &[
    "contact:contact.base:readonly",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
    "contact:contact:readonly_as_app",
];

/// The members of `new` that are not the same in `old`, as they were.
fn changed(new: &Map<String, Value>, old: &Map<String, Value>) -> Map<String, Value> {
    let was = |(key, value): (&String, &Value)| {
        let old = old.get(key).cloned().unwrap_or_default();
        (old != *value).then(|| (key.clone(), old))
    };
    new.iter().filter_map(was).collect()
}

impl World {
    /// The account as an event shows it to `app`.
    fn account(&self, app: usize, person: usize) -> Map<String, Value> {
        let mut account = match self.user_object(app, person) {
            Some(Value::Object(account)) => account,
            _ => Map::new(),
        };
        account.remove("mobile_visible");
        account
    }

    /// Changes an account, and tells the apps that may know of it.
    pub(super) fn change_person(&mut self, person: usize, change: impl FnOnce(&mut Person)) {
        let ears: Vec<usize> = (0..self.apps.len())
            .filter(|app| self.apps.get(*app).is_some_and(|it| it.is_callable) && self.grants(*app, CONTACT))
            .collect();
        let before: Vec<(usize, Map<String, Value>)> =
            ears.into_iter().map(|app| (app, self.account(app, person))).collect();
        std::sync::Arc::make_mut(&mut self.people).change(person, change);
        if self.people.get(person).is_none_or(|it| it.is_out_of_range) {
            return;
        }
        for (app, old) in before {
            let new = self.account(app, person);
            let old = changed(&new, &old);
            if !old.is_empty() {
                self.emit(app, "contact.user.updated_v3", json!({"object": new, "old_object": old}), 0);
            }
        }
    }

    /// Somebody reads what an app wrote in their chat with it. Groups do not tell this.
    pub(super) fn read_all(&mut self, chat: usize, person: usize) {
        let Some(it) = self.chats.get(chat).filter(|it| it.fact("chat_mode") == "p2p") else { return };
        let unread: Vec<(usize, String)> = (it.read_to..self.messages.len())
            .filter_map(|no| self.messages.get(no))
            .filter(|message| message.chat == chat)
            .filter_map(|message| match message.sender {
                Actor::App(app) => Some((app, message.id.clone())),
                _ => None,
            })
            .collect();
        let (read_to, now_ms) = (self.messages.len(), self.clock.now_ms());
        if let Some(it) = self.chats.get_mut(chat) {
            it.read_to = read_to;
        }
        for app in self.ears(chat, READ) {
            let ids: Vec<&str> =
                unread.iter().filter(|(whose, _)| *whose == app).map(|(_, id)| id.as_str()).collect();
            if ids.is_empty() {
                continue;
            }
            let event = json!({
                "reader": {
                    "reader_id": self.id_object(app, person), "read_time": now_ms.to_string(),
                    "tenant_key": self.tenant(),
                },
                "message_id_list": ids,
            });
            self.emit(app, "im.message.message_read_v1", event, 0);
        }
    }

    /// Takes back that people were brought into a chat.
    pub(super) fn withdraw(&mut self, chat: usize, people: &[usize], by: Actor) {
        self.leave(chat, people, by, "im.chat.member.user.withdrawn_v1");
    }
}
