//! Who may do what on a store: roles, and the rights that each of them has.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a person is on a store. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks on: writes nothing and calls nothing.
    Viewer,
    /// Handles incidents: keeps the connection, writes to rooms, answers presses.
    Responder,
    /// Looks after larkdeck itself as well: integrations, members, links, rooms' settings, keys, roles.
    Admin,
}

/// Something that a process wants to write or to ask of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// What a console does by itself: connection, ingest, calls that ask, read marks, its own screen. Goes on
    /// in read-only mode.
    Keep,
    /// What a person on call does: sending, replying, reacting, pressing.
    Respond,
    /// Everything else.
    Administer,
}

impl Role {
    /// All of them, the one with the fewest rights first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Responder, Self::Admin];

    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Admin => "admin",
        }
    }

    /// Whether it has this right.
    pub fn may(self, right: Right) -> bool {
        self >= right.least()
    }
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Respond, Self::Administer];

    /// The role with the fewest rights that has it.
    pub const fn least(self) -> Role {
        match self {
            Self::Keep | Self::Respond => Role::Responder,
            Self::Administer => Role::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is not a role: viewer, responder or admin"))
    }
}

/// Stands for everybody who is not listed, where an identity is expected.
pub const EVERYBODY_ELSE: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_the_rights_of_those_below_it() {
        let rights = |role: Role| Right::ALL.map(|right| role.may(right));
        assert_eq!(rights(Role::Viewer), [false, false, false]);
        assert_eq!(rights(Role::Responder), [true, true, false]);
        assert_eq!(rights(Role::Admin), [true, true, true]);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("owner".parse::<Role>().is_err());
    }
}
