//! The hand on a running simulator, for tests, benches and the demo.

mod login;
mod scene;
mod webhook;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    Fault, SimError,
    people::IdType,
    press::Toast,
    shared::Shared,
    social::Draft,
    world::{Actor, World},
};

pub use self::{login::PersonChange, scene::Leaving};

/// Who says what, where.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Speech {
    /// Chat id or name; empty: the first chat.
    pub chat: String,
    /// open_id or name; empty: any member of the chat.
    pub who: String,
    /// `text`, `post`, `image` …; empty: `text`.
    pub msg_type: String,
    /// What is said: plain words for `text`, otherwise the content's JSON.
    pub text: String,
    /// Message replied to.
    pub reply_to: Option<String>,
    /// Whether the reply opens or continues a thread.
    pub in_thread: bool,
    /// Sent as at least so many fragments, whatever its size.
    pub fragments: u32,
}

/// What came back for a card press.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CardPress {
    /// Code of the acknowledgement or HTTP status; `None`: none within 3 s, or nobody connected.
    pub code: Option<i64>,
    /// The body that the handler answered: toast, card.
    pub answer: Option<serde_json::Value>,
    /// What the person read.
    pub toast: Option<Toast>,
    /// The code that the person's client shows instead, such as 200340.
    pub error: Option<i64>,
    /// Whether the answer put another card in the place of the old one.
    pub is_card_changed: bool,
    /// The token for delayed updates that the callback carried; empty where none was sent.
    pub token: String,
}

/// Calls of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Endpoint, `app`, `send`, `receiver oc_…`, `card …` or `patch om_…`.
    pub name: String,
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that were refused because of a limit.
    pub over: u64,
    /// Most calls that arrived in any sliding window: (window in seconds, calls, limit).
    pub windows: Vec<(u64, u32, u32)>,
}

/// All counters at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// By endpoint and by target.
    pub kinds: Vec<Counter>,
    /// Calls that the month counts.
    pub month_counted: u64,
    /// Calls that it does not.
    pub month_exempt: u64,
    /// Calls over any limit.
    pub over: u64,
    /// Requests by endpoint, also those that a fault struck before they were looked at.
    pub requests: BTreeMap<String, u64>,
    /// Events that were acknowledged.
    pub acked: u64,
    /// Events that were pushed, repetitions included.
    pub pushed: u64,
    /// Events given up, or waiting for their repetition.
    pub unacked: u64,
    /// Open long connections.
    pub connections: usize,
}

/// The hand on a running simulator.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

fn unknown(what: &'static str, name: &str) -> SimError {
    SimError::Unknown { what, name: name.to_owned() }
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Says something in a chat; the answer is the message id.
    ///
    /// # Errors
    /// No such chat, person or message.
    pub fn say(&self, speech: &Speech) -> Result<String, SimError> {
        self.shared.act(|world| world.speak(speech))
    }

    /// Pushes an event made elsewhere to the app under test; `event` is its inner object.
    pub fn push_event(&self, event_type: &str, event: serde_json::Value) {
        self.shared.act(|world| world.emit(0, event_type, event, 0));
    }

    /// Pushes the event of a message once more, with an event id of its own.
    ///
    /// # Errors
    /// No such message.
    pub fn repeat(&self, message_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.message_index.get(message_id).copied();
            no.map(|no| world.tell(no, 0)).ok_or_else(|| unknown("message", message_id))
        })
    }

    /// Takes a message back, as its author.
    ///
    /// # Errors
    /// No such message.
    pub fn recall(&self, message_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.message_index.get(message_id).copied();
            no.map(|no| world.recall(no, "message_owner")).ok_or_else(|| unknown("message", message_id))
        })
    }

    /// Disbands a chat, with its event.
    ///
    /// # Errors
    /// No such chat.
    pub fn disband(&self, chat: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.find_chat(chat).ok_or_else(|| unknown("chat", chat))?;
            let owner = world.chats.get(no).map_or(Actor::System, |chat| chat.owner);
            world.disband(no, owner, false);
            Ok(())
        })
    }

    /// Disbands a chat and keeps its history: no event tells of it.
    ///
    /// # Errors
    /// No such chat.
    pub fn disband_silently(&self, chat: &str) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.find_chat(chat).ok_or_else(|| unknown("chat", chat))?;
            let owner = world.chats.get(no).map_or(Actor::System, |chat| chat.owner);
            world.disband(no, owner, true);
            Ok(())
        })
    }

    /// Brings the app into a chat, or takes it out, with its event.
    ///
    /// # Errors
    /// No such chat.
    pub fn set_in_chat(&self, chat: &str, is_in: bool) -> Result<(), SimError> {
        self.shared.act(|world| {
            let no = world.find_chat(chat).ok_or_else(|| unknown("chat", chat))?;
            let owner = world.chats.get(no).map_or(Actor::System, |chat| chat.owner);
            world.set_bot(no, 0, owner, is_in);
            Ok(())
        })
    }

    /// Presses the first button of a card that the app has sent; empty: its newest card.
    ///
    /// # Errors
    /// The app has sent no such card, or nobody has that name.
    pub async fn press(&self, message_id: &str, who: &str) -> Result<CardPress, SimError> {
        let no = self.shared.peek(|world| match message_id {
            "" => world.pressable().last().copied(),
            id => world.message_index.get(id).copied(),
        });
        let no = no.ok_or_else(|| unknown("card", message_id))?;
        let person = match who {
            "" => None,
            name => Some(
                self.shared.peek(|world| world.someone(0, name)).ok_or_else(|| unknown("person", name))?,
            ),
        };
        self.shared.press(no, person).await.ok_or_else(|| unknown("card", message_id))
    }

    /// Ids and names of all chats, oldest first.
    pub fn chats(&self) -> Vec<(String, String)> {
        self.shared.peek(|world| world.chats.iter().map(|it| (it.id.clone(), it.name().to_owned())).collect())
    }

    /// Messages of a chat as (message id, type, content), oldest first, replies in threads too.
    pub fn messages(&self, chat: &str) -> Vec<(String, String, String)> {
        self.shared.peek(|world| {
            let Some(no) = world.find_chat(chat) else { return Vec::new() };
            let here = world.messages.iter().filter(|message| message.chat == no);
            here.map(|it| (it.id.clone(), it.msg_type.clone(), it.content.clone())).collect()
        })
    }

    /// The tenant's people as a file that `member import` takes: name, email, phone.
    pub fn members_csv(&self) -> String {
        let people = self.shared.peek(|world| Arc::clone(&world.people));
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut csv = "name,email,phone\n".to_owned();
        for person in people.iter() {
            let fields = [Some(person.name.as_str()), person.email.as_deref(), person.mobile.as_deref()];
            csv.push_str(&fields.map(|field| quote(field.unwrap_or_default())).join(","));
            csv.push('\n');
        }
        csv
    }

    /// Drops every long connection, without a closing frame.
    pub fn drop_connections(&self) {
        self.shared.peek(|world| world.hub.drop_all());
    }

    /// Connections stay open, but no pong and no event passes any more; or all is well again.
    pub fn set_deaf(&self, is_deaf: bool) {
        self.shared.peek(|world| world.hub.is_deaf = is_deaf);
    }

    /// Adds a fault.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.peek(|world| world.plan.fault.push(fault));
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.shared.peek(|world| world.plan.fault.clear());
    }

    /// Makes every token invalid at once.
    pub fn revoke_tokens(&self) {
        self.shared.peek(|world| world.apps.iter_mut().for_each(|app| app.tokens.revoke()));
    }

    /// Grants a scope to the app under test, or takes it.
    pub fn set_scope(&self, scope: &str, is_granted: bool) {
        self.shared.peek(|world| {
            let Some(app) = world.apps.first_mut() else { return };
            if is_granted {
                app.scopes.insert(scope.to_owned());
            } else {
                app.scopes.remove(scope);
            }
        });
    }

    /// Sets the calls that the month has counted, and its limit.
    pub fn set_month(&self, used: u64, limit: Option<u64>) {
        self.shared.peek(|world| {
            world.month.counted = used;
            world.month.limit = limit;
        });
    }

    /// The platform's clock, in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.shared.peek(|world| world.clock.now_ms())
    }

    /// The counters now.
    pub fn counters(&self) -> Counters {
        self.shared.peek(|world| Counters {
            kinds: world.rates.counters(),
            month_counted: world.month.counted,
            month_exempt: world.month.exempt,
            over: world.rates.over(),
            requests: world.requests.clone(),
            acked: world.hub.acked,
            pushed: world.hub.pushed,
            unacked: world.hub.unacked,
            connections: *world.hub.count.borrow(),
        })
    }

    /// Waits until there are so many long connections; false when it did not come to that in time.
    pub async fn wait_connections(&self, count: usize, patience: Duration) -> bool {
        let mut changes = self.shared.peek(|world| world.hub.count.subscribe());
        tokio::time::timeout(patience, changes.wait_for(|now| *now == count)).await.is_ok_and(|it| it.is_ok())
    }

    /// The ids of messages whose event is acknowledged from now on, as that happens.
    pub fn acknowledged(&self) -> mpsc::UnboundedReceiver<String> {
        let (told, acknowledged) = mpsc::unbounded_channel();
        self.shared.peek(|world| world.hub.told = Some(told));
        acknowledged
    }

    /// Waits until every event is acknowledged; false when it did not come to that in time.
    pub async fn wait_acked(&self, patience: Duration) -> bool {
        let all = async {
            while self.shared.peek(|world| world.hub.unacked) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }
}

impl World {
    /// The number of an app; empty: the app under test.
    pub(super) fn app_named(&self, app_id: &str) -> Result<usize, SimError> {
        if app_id.is_empty() {
            return Ok(0);
        }
        let found = self.apps.iter().position(|app| app.is_callable && app.plan.app_id == app_id);
        found.ok_or_else(|| unknown("app", app_id))
    }

    /// A person by the open_id that `app` knows, by email or by name.
    pub(super) fn someone(&self, app: usize, text: &str) -> Option<usize> {
        self.person_by_id(app, text, IdType::Open)
            .or_else(|| self.people.by_email(text))
            .or_else(|| self.people.by_name(text))
    }

    fn speak(&mut self, speech: &Speech) -> Result<String, SimError> {
        let chat = self.find_chat(&speech.chat).ok_or_else(|| unknown("chat", &speech.chat))?;
        let sender = if speech.who.is_empty() {
            self.chats.get(chat).and_then(|chat| chat.members.first()).map(|no| Actor::Person(*no))
        } else {
            self.someone(0, &speech.who).map(Actor::Person).or_else(|| self.actor(&speech.who))
        };
        let sender = sender.ok_or_else(|| unknown("person", &speech.who))?;
        let parent = match &speech.reply_to {
            None => None,
            Some(id) => Some(self.message_index.get(id).copied().ok_or_else(|| unknown("message", id))?),
        };
        let mut mentions = Vec::new();
        let msg_type = if speech.msg_type.is_empty() { "text" } else { speech.msg_type.as_str() };
        let content = if msg_type == "text" {
            serde_json::json!({"text": self.typed(&speech.text, &mut mentions)}).to_string()
        } else {
            speech.text.clone()
        };
        let no = self.write(Draft {
            mentions,
            parent,
            in_thread: speech.in_thread,
            fragments: usize::try_from(speech.fragments).unwrap_or(0),
            ..Draft::new(chat, sender, msg_type, content)
        });
        Ok(self.messages.get(no).map(|message| message.id.clone()).unwrap_or_default())
    }
}
