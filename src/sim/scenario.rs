//! What lives on a simulator: people, rooms, rates, limits, faults, clock. Data in TOML.

use serde::{Deserialize, Serialize};

use super::SimError;

/// A scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
}

/// What a fault does to a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FaultKind {
    /// The connection closes without an answer.
    Drop,
}

/// A fault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Scenario {
    /// Lives by itself: chats, messages, fragments, card presses.
    pub fn living() -> Result<Self, SimError> {
        Self::parse("default", "")
    }

    /// The demo's six rooms.
    pub fn demo() -> Result<Self, SimError> {
        Self::parse("demo", "")
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// It is not TOML, or has a key that is not known.
    pub fn parse(name: &str, text: &str) -> Result<Self, SimError> {
        toml::from_str(text).map_err(|source| SimError::Scenario { name: name.to_owned(), source })
    }
}
