//! A chat that is disbanded with its history kept sends no event (`feishu/events` 6): its room just falls
//! silent. So a room that is quiet for longer than its rhythm lets expect is looked up, once for each silence.

use std::{collections::HashMap, time::Duration};

use crate::core::{
    ids::ChatId,
    room::{Room, RoomStatus},
    time::Timestamp,
};

/// Silence that is never looked into.
const SHORTEST: Duration = Duration::from_secs(10 * 60);
/// Silence that is always looked into.
const LONGEST: Duration = Duration::from_secs(160 * 60);
/// Silence so many times the usual gap is looked into.
const USUAL_GAPS: u32 = 8;
/// Messages that a room's rhythm is taken from.
pub(super) const RHYTHM_MESSAGES: u32 = 20;

/// Which silences were looked into.
#[derive(Debug)]
pub(super) struct Silence {
    since: Timestamp,
    looked_into: HashMap<ChatId, Timestamp>,
}

impl Silence {
    /// Watches from `now` on. Rooms that have long been silent then are let be: a restart asks nothing.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { since: now.minus(LONGEST), looked_into: HashMap::new() }
    }

    /// Rooms whose silence may be worth a look, longest silent first, each with its last message.
    pub(super) fn candidates(&self, rooms: &[Room], now: Timestamp) -> Vec<(ChatId, Timestamp)> {
        let is_candidate = |room: &&Room| room.status == RoomStatus::Open;
        let mut found: Vec<(ChatId, Timestamp)> = rooms
            .iter()
            .filter(is_candidate)
            .filter_map(|room| Some((room.chat_id.clone(), room.last_message_at?)))
            .filter(|(_, last)| *last >= self.since && now.since(*last) >= SHORTEST)
            .filter(|(chat, last)| self.looked_into.get(chat) != Some(last))
            .collect();
        found.sort_by_key(|(_, last)| *last);
        found
    }

    /// The silence after `last` is looked into now: not again.
    pub(super) fn looked(&mut self, chat: ChatId, last: Timestamp) {
        self.looked_into.insert(chat, last);
    }
}

/// Whether a room with these messages is silent for longer than usual.
pub(super) fn is_unusual(written_at: &[Timestamp], now: Timestamp) -> bool {
    let (Some(first), Some(last)) = (written_at.iter().min(), written_at.iter().max()) else { return false };
    let gaps = u32::try_from(written_at.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let patience = match last.since(*first).checked_div(gaps) {
        Some(usual) => (usual * USUAL_GAPS).clamp(SHORTEST, LONGEST),
        None => LONGEST,
    };
    now.since(*last) >= patience
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::room::RoomKind;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(minutes * 60_000)
    }

    fn room(id: &str, last: Option<i64>, status: RoomStatus) -> Room {
        Room {
            chat_id: id.parse().unwrap(),
            name: id.into(),
            description: String::new(),
            kind: RoomKind::Group,
            status,
            member_count: None,
            unread: 0,
            mentioned: false,
            last_message_at: last.map(at),
            complete_to: None,
        }
    }

    #[test]
    fn silence_is_measured_against_the_rooms_own_rhythm() {
        let busy: Vec<Timestamp> = (0..20).map(at).collect();
        assert!(!is_unusual(&busy, at(28)));
        assert!(is_unusual(&busy, at(29)));
        let slow: Vec<Timestamp> = (0..5).map(|n| at(n * 15)).collect();
        assert!(!is_unusual(&slow, at(60 + 119)));
        assert!(is_unusual(&slow, at(60 + 120)));
        assert!(!is_unusual(&[at(0)], at(159)));
        assert!(is_unusual(&[at(0)], at(160)));
        assert!(!is_unusual(&[], at(1000)));
    }

    #[test]
    fn each_silence_is_looked_into_once() {
        let mut silence = Silence::new(at(1000));
        let rooms = [
            room("oc_long_gone", Some(800), RoomStatus::Open),
            room("oc_quiet", Some(995), RoomStatus::Open),
            room("oc_over", Some(995), RoomStatus::Disbanded),
            room("oc_never", None, RoomStatus::Open),
        ];
        assert_eq!(silence.candidates(&rooms, at(1004)), []);
        let found = silence.candidates(&rooms, at(1005));
        assert_eq!(found, [("oc_quiet".parse().unwrap(), at(995))]);
        silence.looked(found[0].0.clone(), found[0].1);
        assert_eq!(silence.candidates(&rooms, at(2000)), []);
        let rooms = [room("oc_quiet", Some(1010), RoomStatus::Open)];
        assert_eq!(silence.candidates(&rooms, at(1020)).len(), 1, "it spoke again, and fell silent again");
    }
}
