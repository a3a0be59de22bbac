//! How the store is reached.

use super::time::Timestamp;

/// How the store is reached just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreHealth {
    /// Since when it does not answer; `None`: it does.
    pub away_since: Option<Timestamp>,
    /// Whether this process is woken by what others commit; otherwise it looks every 5 s.
    pub is_told: bool,
    /// Whether a newer larkdeck has brought it up to date meanwhile: this process has to make way for it.
    pub is_newer: bool,
}

impl Default for StoreHealth {
    fn default() -> Self {
        Self { away_since: None, is_told: true, is_newer: false }
    }
}
