//! Pushing an event until it is acknowledged, as often as the platform does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{hub::Ack, shared::Shared, world::World};

/// An event on its way to one app.
#[derive(Debug)]
pub(super) struct Event {
    /// Whose.
    pub(super) app: usize,
    /// The v2 envelope.
    pub(super) payload: Bytes,
    /// At least so many fragments.
    pub(super) fragments: usize,
    /// Callbacks are pushed once; who pressed waits for this.
    pub(super) callback: Option<oneshot::Sender<Option<Ack>>>,
}

impl World {
    /// Puts an event into the outbox: it leaves when the lock is given back.
    pub(super) fn emit(&mut self, app: usize, event_type: &str, event: Value, fragments: usize) {
        let payload = self.envelope(app, event_type, event);
        self.outbox.push(Event { app, payload, fragments, callback: None });
    }

    /// The v2 envelope, compact: the official Node SDK signs what it has parsed and written again.
    pub(super) fn envelope(&mut self, app: usize, event_type: &str, event: Value) -> Bytes {
        let event_id = self.dice.hex32();
        let now_ms = self.clock.now_ms();
        let create_time = if event_type == "card.action.trigger" { now_ms * 1000 } else { now_ms };
        let token = self.apps.get(app).map(|app| app.plan.verification_token.clone()).unwrap_or_default();
        let body = json!({
            "schema": "2.0",
            "header": {
                "event_id": event_id,
                "token": token,
                "create_time": create_time.to_string(),
                "event_type": event_type,
                "tenant_key": self.tenant(),
                "app_id": self.app_id(app),
            },
            "event": event,
        });
        body.to_string().into_bytes().into()
    }
}

impl Shared {
    /// Follows an event after its first push: acknowledged, or pushed again after 15 s, 5 min, 1 h, 6 h.
    pub(super) async fn see_through(
        self: Arc<Self>,
        mut event: Event,
        first: Option<(String, oneshot::Receiver<Ack>)>,
    ) {
        let (patience, pauses) = self.peek(|world| {
            let pauses: Vec<Duration> = world
                .plan
                .socket
                .redeliver_s
                .iter()
                .map(|s| world.clock.span(Duration::from_secs(*s)))
                .collect();
            (Duration::from_millis(world.plan.socket.ack_ms), pauses)
        });
        let mut attempt = first;
        let mut pauses = pauses.into_iter();
        loop {
            let ack = self.wait_for_ack(attempt, patience).await;
            let is_done = ack.as_ref().is_some_and(|ack| ack.code == 200);
            if let Some(callback) = event.callback.take() {
                // Whoever pressed may have stopped waiting.
                let _ = callback.send(ack);
                return self.count_ack(is_done);
            }
            if is_done {
                return self.count_ack(true);
            }
            let Some(pause) = pauses.next() else { return };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return,
            }
            attempt = self.peek(|world| {
                let now_ms = world.clock.now_ms();
                world.hub.push(&event, now_ms)
            });
        }
    }

    async fn wait_for_ack(
        &self,
        attempt: Option<(String, oneshot::Receiver<Ack>)>,
        patience: Duration,
    ) -> Option<Ack> {
        let (message_id, ack) = attempt?;
        let ack = tokio::time::timeout(patience, ack).await.ok().and_then(Result::ok);
        if ack.is_none() {
            self.peek(|world| world.hub.forget(&message_id));
        }
        ack
    }

    fn count_ack(&self, is_done: bool) {
        self.peek(|world| {
            if is_done {
                world.hub.acked += 1;
                world.hub.unacked = world.hub.unacked.saturating_sub(1);
            }
        });
    }
}
