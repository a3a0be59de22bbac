//! Names of people and bots, as the platform last told them.

use super::{Store, StoreError};
use crate::core::time::Timestamp;

/// A name of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// open_id, or app_id of a bot.
    pub id: String,
    /// Foreign text; `None`: the platform was asked and did not tell.
    pub name: Option<String>,
    /// When it was last asked or told.
    pub known_at: Timestamp,
}

impl Store {
    /// Remembers names; `None` remembers that the platform would not tell.
    ///
    /// # Errors
    /// The engine's.
    pub async fn put_people(&self, people: Vec<(String, Option<String>)>) -> Result<(), StoreError> {
        let _ = people;
        Err(StoreError::Closed)
    }

    /// What is known of these ids; unknown ones are left out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn people(&self, ids: &[String]) -> Result<Vec<Person>, StoreError> {
        let _ = ids;
        Err(StoreError::Closed)
    }
}
