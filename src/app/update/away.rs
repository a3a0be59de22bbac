//! The store does not answer for a while. The header says so; what could not be loaded is loaded by itself once it is
//! back, and only what a person asked for is answered in so many words.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::EffectId,
        model::{Level, Load},
    },
    core::{
        error::{Fault, Kind},
        health::StoreHealth,
        lang::{Phrase, phrase},
    },
};

impl Turn<'_> {
    pub(super) fn set_store(&mut self, health: StoreHealth) {
        let is_back = self.m.is_store_away() && health.away_since.is_none();
        self.m.store = health;
        self.m.touch();
        if is_back {
            self.load_what_waits();
        }
    }

    /// Whether something failed for no other reason than that the store is away.
    pub(super) fn is_of_away_store(&self, fault: &Fault) -> bool {
        fault.is_store_away || (fault.kind == Kind::Storage && self.m.is_store_away())
    }

    /// Something failed because the store is away.
    pub(super) fn fail_for_now(&mut self, id: EffectId, topic: Topic, mut fault: Box<Fault>) {
        fault.is_store_away = true;
        let waits = Load::Failed(fault.clone());
        match &topic {
            Topic::Integrations => self.m.integrations.load = waits,
            Topic::Members => self.m.users.load = waits,
            Topic::Rooms => self.m.rooms.load = waits,
            Topic::Quota => self.m.quota.load = waits,
            Topic::Log => self.m.log.load = waits,
            Topic::Window(chat) => self.with_room(chat, |room| room.load = waits),
            Topic::People(chat) => self.with_room(chat, |room| room.people_load = waits),
            Topic::Thread(chat) => self.with_room(chat, |room| {
                if let Some(thread) = &mut room.thread {
                    thread.load = waits;
                }
            }),
            Topic::Consoles | Topic::Open | Topic::Names(_) => {}
            // Asked for again with the next key, or when the room is settled.
            Topic::Older(_) | Topic::Newer(_) | Topic::Fetch(_) | Topic::OlderLog | Topic::Cancel => return,
            Topic::Read => return self.forget_mark(),
            Topic::Session => return self.keep_again(),
            Topic::Save => return self.save_failed(fault),
            Topic::Plan | Topic::Link => return self.link_failed(fault),
            Topic::Send(_) => {
                self.send_failed(id);
                self.m.last_fault = Some(fault);
                return self.toast(Level::Warn, NOT_SENT);
            }
            _ => {
                if let Topic::Check(of) = &topic {
                    self.check_failed(of);
                }
                self.m.last_fault = Some(fault);
                return self.toast(Level::Warn, NOT_DONE);
            }
        }
        self.m.last_fault = Some(fault);
        self.m.waiting.insert(topic);
        if !self.m.is_store_away() {
            self.load_what_waits();
        }
    }

    fn load_what_waits(&mut self) {
        for topic in std::mem::take(&mut self.m.waiting) {
            self.m.busy.want(topic);
        }
    }
}

const NOT_SENT: Phrase = phrase(
    "Not sent: the store does not answer. What you wrote is still there.",
    "未发送：存储无响应。你写的内容仍在输入框中。",
);
const NOT_DONE: Phrase = phrase("Not done: the store does not answer.", "未执行：存储无响应。");
