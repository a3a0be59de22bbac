//! The live connection: one process holds it, all follow the store (`Deck::follow`).
//!
//! The keeper takes the lease where nobody has it or its holder is dead, keeps the socket up, repairs the
//! gaps, and tells the store how it stands, so that every console shows the same.

mod fill;
mod gap;
pub(super) mod intake;
mod keeper;
mod lease;
pub(super) mod names;
mod rhythm;
mod silence;
#[cfg(test)]
mod silence_test;
mod sink;

use tokio_util::sync::CancellationToken;

use crate::core::ids::IntegrationId;

use super::{deck::Deck, view::LiveMode};

/// A part in the live connection of an integration. Dropping it ends that part as well, without waiting.
#[derive(Debug)]
pub struct LiveHandle {
    cancel: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Deck {
    /// Takes part in the live connection of an integration. Needs a tokio runtime.
    pub fn go_live(&self, integration: &IntegrationId, mode: LiveMode) -> LiveHandle {
        self.report_ring();
        let cancel = self.inner.closing.child_token();
        let task = (mode != LiveMode::FollowOnly).then(|| {
            let keeper = keeper::Keeper::new(self.clone(), integration.clone(), mode, cancel.clone());
            self.inner.tasks.spawn(keeper.run())
        });
        LiveHandle { cancel, task }
    }
}

impl LiveHandle {
    /// Hands the connection over and waits until that is done.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        if let Some(task) = self.task.take() {
            // A task that died has nothing left to hand over: the others see its beat stand still.
            _ = task.await;
        }
    }
}

impl Drop for LiveHandle {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
