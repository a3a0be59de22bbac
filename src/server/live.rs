//! The gateway's part in the live connections: one for every integration that has an app, for as long as it
//! has one.

use std::{collections::HashMap, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    core::ids::IntegrationId,
    service::{Answer, Deck, IntegrationChanges, LiveHandle, LiveMode},
};

/// After the store failed to tell what changed.
const RETRY: Duration = Duration::from_secs(2);

/// The parts that are taken, until they are stopped.
pub(super) struct TakingPart {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl TakingPart {
    /// Takes part for the integrations that there are, and then for those that come.
    pub(super) async fn start(deck: Deck, mode: LiveMode) -> Answer<Self> {
        let changes = deck.integration_changes().await?;
        let mut parts = HashMap::new();
        match_parts(&deck, mode, &mut parts).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(follow(deck, mode, changes, parts, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Hands every connection over.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        // A task that died has nothing left to hand over.
        _ = self.task.await;
    }
}

async fn follow(
    deck: Deck,
    mode: LiveMode,
    mut changes: IntegrationChanges,
    mut parts: HashMap<IntegrationId, LiveHandle>,
    stop: CancellationToken,
) {
    loop {
        let changed = tokio::select! {
            changed = changes.next() => changed,
            () = stop.cancelled() => break,
        };
        let done = match changed {
            Ok(()) => match_parts(&deck, mode, &mut parts).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            tracing::warn!(%fault, "changes of integrations not followed");
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stop.cancelled() => break,
            }
        }
    }
    futures_util::future::join_all(parts.into_values().map(LiveHandle::stop)).await;
}

/// Takes part where it does not yet, and leaves where the integration is gone; takes in changed keys.
async fn match_parts(
    deck: &Deck,
    mode: LiveMode,
    parts: &mut HashMap<IntegrationId, LiveHandle>,
) -> Answer<()> {
    let views = deck.integrations().await?;
    let with_app: Vec<IntegrationId> = views
        .into_iter()
        .filter(|view| view.integration.app.is_some())
        .map(|view| view.integration.id)
        .collect();
    deck.renew_doors().await?;
    parts.retain(|id, _| with_app.contains(id));
    for id in with_app {
        parts.entry(id.clone()).or_insert_with(|| deck.go_live(&id, mode));
    }
    Ok(())
}
