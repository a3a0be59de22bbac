//! The call budget's news.

use tokio::sync::watch;

use super::deck::Deck;

impl Deck {
    /// Changes whenever the call budget does, at most about once a second.
    pub fn watch_quota(&self) -> watch::Receiver<u64> {
        self.inner.permits.watch()
    }
}
