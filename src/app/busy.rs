//! Which effects are outstanding. Tests wait on it instead of guessing; the model asks it before asking
//! for the same thing twice.

use std::{collections::BTreeMap, time::Duration};

use super::effect::EffectId;
use crate::core::{
    ids::{ChatId, IntegrationId},
    time::Timestamp,
};

/// What an outstanding effect is for: how its answer finds its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The list of integrations.
    Integrations,
    /// Making an integration the current one.
    Use,
    /// The form being saved.
    Save,
    /// An integration being removed.
    Remove(IntegrationId),
    /// A check of credentials.
    Check(IntegrationId),
    /// War Room being switched.
    WarRoom(IntegrationId),
    /// A window of members.
    Members,
    /// One member in full.
    Member,
    /// A press being judged.
    Press,
    /// A plan for linking.
    Plan,
    /// A run of linking.
    Link,
    /// Stopping a run.
    Cancel,
    /// Links being removed or undone.
    Unlink,
    /// An invitation being made.
    Invite,
    /// The list of rooms.
    Rooms,
    /// The list of rooms, from the platform.
    RefreshRooms,
    /// Following a room.
    Open,
    /// The newest messages of a room, or those around a place: replaces the window.
    Window(ChatId),
    /// Messages before the window.
    Older(ChatId),
    /// Messages after the window.
    Newer(ChatId),
    /// Messages from the platform.
    Fetch(ChatId),
    /// A thread.
    Thread(ChatId),
    /// The people of a room.
    People(ChatId),
    /// Names of senders who had none when their messages were loaded.
    Names(ChatId),
    /// A message being queued.
    Send(ChatId),
    /// An outgoing message being retried or discarded.
    Outgoing(ChatId),
    /// A reaction.
    React,
    /// A reaction being taken back.
    Unreact,
    /// A read mark.
    Read,
    /// The call budget.
    Quota,
    /// The newest operations.
    Log,
    /// Operations before the window.
    OlderLog,
    /// Who is connected.
    Consoles,
    /// The session being kept.
    Session,
    /// Read-only being lifted.
    Access,
}

/// How often a list is loaded again while the store keeps changing.
const RELOAD_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reload {
    last_at: Option<Timestamp>,
    is_wanted: bool,
}

/// Outstanding effects and loads that are due later.
#[derive(Debug, Clone, Default)]
pub struct Busy {
    next: u64,
    open: BTreeMap<EffectId, Topic>,
    reloads: BTreeMap<Topic, Reload>,
}

impl Busy {
    /// Whether nothing is outstanding.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.reloads.values().all(|reload| !reload.is_wanted)
    }

    /// Whether an effect for `topic` is outstanding.
    pub fn has(&self, topic: &Topic) -> bool {
        self.open.values().any(|open| open == topic)
    }

    /// The outstanding effect for `topic`.
    pub fn id_of(&self, topic: &Topic) -> Option<EffectId> {
        self.open.iter().find(|(_, open)| *open == topic).map(|(id, _)| *id)
    }

    /// A new id for an effect about `topic`.
    pub fn begin(&mut self, topic: Topic) -> EffectId {
        self.next += 1;
        let id = EffectId(self.next);
        self.open.insert(id, topic);
        id
    }

    /// The effect is answered: what it was for, or `None` when it is not known or is long forgotten.
    pub fn end(&mut self, id: EffectId) -> Option<Topic> {
        self.open.remove(&id)
    }

    /// Forgets outstanding effects about `topic`: their answers come too late.
    pub fn forget(&mut self, topic: &Topic) {
        self.open.retain(|_, open| open != topic);
    }

    /// `topic` has to be loaded again soon.
    pub fn want(&mut self, topic: Topic) {
        self.reloads.entry(topic).or_default().is_wanted = true;
    }

    /// `topic` has to be loaded again at once, however short ago it was.
    pub fn want_now(&mut self, topic: Topic) {
        self.reloads.insert(topic, Reload { last_at: None, is_wanted: true });
    }

    /// The topics to load again now: wanted, none outstanding, and not too soon after the last time.
    pub fn due(&mut self, now: Timestamp) -> Vec<Topic> {
        let mut due = Vec::new();
        for (topic, reload) in &mut self.reloads {
            let is_open = self.open.values().any(|open| open == topic);
            let is_soon = reload.last_at.is_some_and(|at| at <= now && now < at.plus(RELOAD_EVERY));
            if reload.is_wanted && !is_open && !is_soon {
                *reload = Reload { last_at: Some(now), is_wanted: false };
                due.push(topic.clone());
            }
        }
        due
    }

    /// When the next wanted load is due; `None` when none waits for time alone.
    pub fn next_due(&self) -> Option<Timestamp> {
        let waits = |(topic, _): &(&Topic, &Reload)| !self.open.values().any(|open| open == *topic);
        self.reloads
            .iter()
            .filter(|(_, reload)| reload.is_wanted)
            .filter(waits)
            .filter_map(|(_, reload)| reload.last_at.map(|at| at.plus(RELOAD_EVERY)))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_topic_is_loaded_at_once_and_then_not_too_often() {
        let mut busy = Busy::default();
        busy.want(Topic::Rooms);
        assert_eq!(busy.due(at(1000)), [Topic::Rooms]);
        let id = busy.begin(Topic::Rooms);
        busy.want(Topic::Rooms);
        assert!(busy.due(at(2000)).is_empty(), "one is outstanding");
        assert_eq!(busy.end(id), Some(Topic::Rooms));
        assert!(busy.due(at(1100)).is_empty(), "too soon");
        assert_eq!(busy.next_due(), Some(at(1250)));
        assert_eq!(busy.due(at(1250)), [Topic::Rooms]);
        assert_eq!(busy.next_due(), None);
        assert!(busy.is_idle());
    }

    #[test]
    fn a_clock_that_went_back_does_not_stop_loading() {
        let mut busy = Busy::default();
        busy.want(Topic::Log);
        assert_eq!(busy.due(at(9_000_000)), [Topic::Log]);
        busy.want(Topic::Log);
        assert_eq!(busy.due(at(1000)), [Topic::Log]);
    }

    #[test]
    fn answers_are_taken_once() {
        let mut busy = Busy::default();
        let id = busy.begin(Topic::Quota);
        assert_eq!(busy.end(id), Some(Topic::Quota));
        assert_eq!(busy.end(id), None);
    }
}
