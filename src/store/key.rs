//! The key ring that seals the secrets of a store.

use std::path::PathBuf;

use super::StoreError;
use crate::core::{secret::Secret, time::Timestamp};

/// Where the ring comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file, made on first use where no secret of the store is sealed yet.
    File(PathBuf),
    /// The text of a ring, or one key, from an environment variable.
    Text(Secret),
    /// The output of a command: program and arguments.
    Command(Vec<String>),
    /// A key of this process alone: for a throw-away store.
    Ephemeral,
}

/// A key of the ring, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: String,
    /// When it was made, where that is known.
    pub created_at: Option<Timestamp>,
    /// Whether it seals what is written now.
    pub is_current: bool,
}

/// The keys of a store.
#[derive(Debug)]
pub struct KeyRing {
    source: KeySource,
}

impl KeyRing {
    /// Reads the ring. A file that does not exist is an empty ring: the first secret that is sealed makes it.
    /// `store` tells whose group may read the file.
    ///
    /// # Errors
    /// [`StoreError::KeyExposed`], [`StoreError::KeyFile`], [`StoreError::KeySource`].
    pub fn load(source: KeySource, store: Option<&super::StoreUrl>) -> Result<Self, StoreError> {
        let _ = store;
        Ok(Self { source })
    }

    /// Where the ring is, for people.
    pub fn origin(&self) -> String {
        match &self.source {
            KeySource::File(path) => path.display().to_string(),
            _ => String::new(),
        }
    }

    /// Its keys, oldest first.
    pub fn list(&self) -> Vec<KeyInfo> {
        Vec::new()
    }

    /// Makes a new key in the ring file; it seals nothing until [`super::Store::use_key`]. Returns its id.
    ///
    /// # Errors
    /// [`StoreError::KeyFile`], or [`StoreError::KeySource`] where the ring is no file.
    pub fn add(&mut self, at: Timestamp) -> Result<String, StoreError> {
        let _ = at;
        Err(StoreError::Closed)
    }
}

impl super::Store {
    /// The keys of the ring.
    ///
    /// # Errors
    /// Those of reading the ring.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        Err(StoreError::Closed)
    }

    /// Makes a new key in the ring file; it seals nothing until [`super::Store::use_key`]. Returns its id.
    ///
    /// # Errors
    /// [`StoreError::KeyFile`], or [`StoreError::KeySource`] where the ring is no file.
    pub async fn add_key(&self) -> Result<String, StoreError> {
        Err(StoreError::Closed)
    }

    /// Seals every secret with this key, in one transaction, and makes it the current one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], [`StoreError::KeyLost`], or the engine's: then nothing has changed.
    pub async fn use_key(&self, id: &str) -> Result<(), StoreError> {
        let _ = id;
        Err(StoreError::Closed)
    }

    /// Takes a key out of the ring file.
    ///
    /// # Errors
    /// [`StoreError::KeyInUse`] where it is the current one or a secret is sealed with it.
    pub async fn drop_key(&self, id: &str) -> Result<(), StoreError> {
        let _ = id;
        Err(StoreError::Closed)
    }
}
