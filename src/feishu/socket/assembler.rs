//! Puts the fragments of large events together, in whatever order they come, within bounds.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::frame::Frame;

/// So long after its first fragment an incomplete event is given up; the platform sends it again.
const KEEP_FOR: Duration = Duration::from_secs(10);
/// Most fragments of one event.
const PARTS_MAX: usize = 1024;
/// Most events that are incomplete at once.
const EVENTS_MAX: usize = 256;
/// Most bytes of all incomplete events together.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What came of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// The whole payload: the frame's own, or the last fragment made it whole.
    Whole(Bytes),
    /// More fragments must come. No ack.
    Partial,
    /// The fragment's numbers make no sense, or there is no room. No ack.
    Refused(&'static str),
}

/// Holds fragments until their event is whole.
#[derive(Debug, Default)]
pub struct Assembler {
    events: HashMap<String, Parts>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Parts {
    parts: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
    since: Instant,
}

impl Assembler {
    /// Takes the payload of `frame`, which arrived at `now`.
    pub fn take(&mut self, frame: &Frame, now: Instant) -> Assembled {
        let payload = frame.payload.clone().unwrap_or_default();
        let (Some(sum), Some(seq)) = (number(frame, "sum", 1), number(frame, "seq", 0)) else {
            return Assembled::Refused("sum or seq is no number");
        };
        if sum == 0 || seq >= sum || sum > PARTS_MAX {
            return Assembled::Refused("sum and seq make no sense");
        }
        if sum == 1 {
            return Assembled::Whole(payload);
        }
        let id = match frame.header("message_id") {
            Some(id) if !id.is_empty() && id.len() <= 256 => id,
            _ => return Assembled::Refused("a fragment without message_id"),
        };
        self.sweep(now);
        if self.held_bytes + payload.len() > BYTES_MAX {
            return Assembled::Refused("too many bytes in incomplete events");
        }
        if !self.events.contains_key(id) && self.events.len() >= EVENTS_MAX {
            return Assembled::Refused("too many incomplete events");
        }
        self.insert(id, sum, seq, payload, now)
    }

    fn insert(&mut self, id: &str, sum: usize, seq: usize, payload: Bytes, now: Instant) -> Assembled {
        let event = self.events.entry(id.to_owned()).or_insert_with(|| Parts {
            parts: vec![None; sum],
            missing: sum,
            bytes: 0,
            since: now,
        });
        if event.parts.len() != sum {
            return Assembled::Refused("fragments disagree on their number");
        }
        let Some(place) = event.parts.get_mut(seq) else {
            return Assembled::Refused("sum and seq make no sense");
        };
        if place.is_none() {
            event.missing -= 1;
            event.bytes += payload.len();
            self.held_bytes += payload.len();
            // A copy of its own: a slice would keep the whole frame that it came in.
            *place = Some(Bytes::copy_from_slice(&payload));
        }
        if event.missing > 0 {
            return Assembled::Partial;
        }
        let Some(event) = self.events.remove(id) else { return Assembled::Partial };
        self.held_bytes -= event.bytes;
        let mut whole = BytesMut::with_capacity(event.bytes);
        for part in event.parts.into_iter().flatten() {
            whole.extend_from_slice(&part);
        }
        Assembled::Whole(whole.freeze())
    }

    /// Gives up what stayed incomplete for too long.
    pub fn sweep(&mut self, now: Instant) {
        let held_bytes = &mut self.held_bytes;
        self.events.retain(|id, event| {
            let is_fresh = now.saturating_duration_since(event.since) <= KEEP_FOR;
            if !is_fresh {
                *held_bytes -= event.bytes;
                tracing::warn!(id = %crate::core::text::SafeText::line(id), missing = event.missing, "fragments of an event did not come: it is left to its repetition");
            }
            is_fresh
        });
    }

    /// Events that are incomplete now.
    pub fn pending(&self) -> usize {
        self.events.len()
    }
}

fn number(frame: &Frame, key: &str, absent: usize) -> Option<usize> {
    match frame.header(key) {
        None | Some("") => Some(absent),
        Some(text) => text.parse().ok(),
    }
}
