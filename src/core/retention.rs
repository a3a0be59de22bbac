//! How long what is past is kept.

use std::time::Duration;

use super::{
    role::{Right, Role},
    time::Timestamp,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long each kind of row is kept; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Messages, with what hangs on them.
    pub messages: Option<Duration>,
    /// Events that were seen, the feed, and what was sent.
    pub events: Option<Duration>,
    /// The operation log and the journal of links.
    pub log: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { messages: Some(DAY * 400), events: Some(DAY * 3), log: Some(DAY * 400) }
    }
}

impl Retention {
    /// How long a kind of rows is kept, by the name that the store counts it under.
    pub fn of(self, what: &str) -> Option<Duration> {
        match what {
            "messages" => self.messages,
            "operations" | "links" => self.log,
            _ => self.events,
        }
    }

    /// What is older than these instants may go: messages by the platform's clock, which they were written by, and
    /// the rest by the clock that all who share the store have.
    pub fn cutoffs(self, platform_now: Timestamp, store_now: Timestamp) -> Cutoffs {
        let before = |now: Timestamp, kept: Option<Duration>| kept.map(|kept| now.minus(kept));
        Cutoffs {
            messages: before(platform_now, self.messages),
            events: before(store_now, self.events),
            log: before(store_now, self.log),
        }
    }
}

/// The instants before which rows may go; `None`: none may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoffs {
    /// Of messages, on the platform's clock.
    pub messages: Option<Timestamp>,
    /// Of events, the feed, and what was sent.
    pub events: Option<Timestamp>,
    /// Of the operation log and the journal of links.
    pub log: Option<Timestamp>,
}

impl Cutoffs {
    /// What a process of this role forgets: nobody but an admin takes anything from the log.
    #[must_use]
    pub fn by(self, role: Role) -> Self {
        Self { log: self.log.filter(|_| role.may(Right::Administer)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_forgotten_by_admins() {
        let whole = Retention::default().cutoffs(Timestamp::from_ms(1), Timestamp::from_ms(2));
        assert_eq!(whole.by(Role::Admin), whole);
        assert_eq!(whole.by(Role::Responder), Cutoffs { log: None, ..whole });
    }
}
