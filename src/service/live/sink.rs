//! Events of the long connection on their way into the store: parsed, committed, and only then acknowledged.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::{
    core::{ids::IntegrationId, integration::AppSummary, message::Via, permit::BoxFuture, time::Timestamp},
    feishu::{
        event,
        socket::{AckReply, EventSink},
    },
};

use super::{
    super::deck::{Deck, lock},
    intake::Intake,
    lease::Held,
    rhythm::Rhythm,
};

/// What the events of one holding are put into.
pub(super) struct Sink {
    pub(super) deck: Deck,
    pub(super) integration: IntegrationId,
    pub(super) app: AppSummary,
    pub(super) held: Arc<Held>,
    pub(super) rhythm: Mutex<Rhythm>,
    /// When the last event was committed: what the connection has proved.
    pub(super) heard_at: Mutex<Option<Timestamp>>,
    pub(super) intake: Intake,
}

impl EventSink for Sink {
    fn accept<'a>(&'a self, payload: Bytes) -> BoxFuture<'a, AckReply> {
        Box::pin(async move {
            let incoming = match event::parse(&payload) {
                Ok(incoming) => incoming,
                Err(error) => {
                    // Sent again, it would be no better.
                    tracing::warn!(%error, bytes = payload.len(), "event not understood");
                    return AckReply::Ok;
                }
            };
            self.take(incoming).await
        })
    }
}

impl Sink {
    async fn take(&self, incoming: event::Incoming) -> AckReply {
        let clock = &self.deck.inner.clock;
        lock(&self.rhythm).event(clock.instant());
        let done = self.intake.take(incoming, Via::Live).await;
        // Without the lease another process may have listed the gap already: it is not ours to acknowledge.
        if !self.held.is_valid(clock.instant()) {
            return AckReply::Failed;
        }
        if done.is_ok() {
            *lock(&self.heard_at) = Some(clock.now());
        }
        match done {
            Ok(None) => AckReply::Ok,
            Ok(Some(answer)) => AckReply::Data(answer),
            Err(fault) => {
                tracing::error!(%fault, "event not stored; the platform will send it again");
                AckReply::Failed
            }
        }
    }
}
