//! Pushing an event until it is acknowledged, as often as the platform does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{self, FaultKind},
    hub::Ack,
    post::NoAnswer,
    shared::Shared,
    webhook::Letter,
    world::World,
};

/// An event on its way to one app.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Whose.
    pub(super) app: usize,
    /// `im.message.receive_v1` …
    pub(super) event_type: String,
    /// Its id; empty for old card callbacks.
    pub(super) id: String,
    /// The v2 envelope, or the flat body of an old card callback.
    pub(super) payload: Bytes,
    /// At least so many fragments.
    pub(super) fragments: usize,
    /// Callbacks are pushed once; who pressed waits for this.
    pub(super) callback: Option<mpsc::UnboundedSender<Heard>>,
}

impl Event {
    /// The id of the message that it brings.
    fn message(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.payload).ok()?;
        body.pointer("/event/message/message_id").and_then(Value::as_str).map(str::to_owned)
    }
}

/// How an event travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    /// By a frame.
    LongConnection,
    /// By a request to the URL for events or callbacks.
    Webhook,
    /// By a request to the URL for old card callbacks.
    OldCard,
}

/// What came of one push.
pub(super) type Heard = Result<Ack, NoAnswer>;

/// A push down the long connection that waits for its acknowledgement.
type Waiting = Option<(String, oneshot::Receiver<Ack>)>;

/// The first push of an event.
#[derive(Debug)]
pub(super) enum First {
    /// It has left already, in the order of the events.
    Gone(Waiting),
    /// It is still to be made, perhaps not as it should.
    Due(Option<FaultKind>),
}

impl World {
    /// Puts an event into the outbox: it leaves when the lock is given back.
    pub(super) fn emit(&mut self, app: usize, event_type: &str, event: Value, fragments: usize) {
        let (id, payload) = self.envelope(app, event_type, event);
        let event_type = event_type.to_owned();
        self.outbox.push(Event { app, event_type, id, payload, fragments, callback: None });
    }

    /// The id and the v2 envelope, compact: the official Node SDK signs what it has parsed and written again.
    pub(super) fn envelope(&mut self, app: usize, event_type: &str, event: Value) -> (String, Bytes) {
        let event_id = self.dice.hex32();
        let now_ms = self.clock.now_ms();
        let create_time = if event_type == super::press::NEW_CARD { now_ms * 1000 } else { now_ms };
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
        (event_id, body.to_string().into_bytes().into())
    }

    /// The fault that strikes a push: only faults that name pushes do.
    pub(super) fn push_fault(&mut self, event: &Event) -> Option<FaultKind> {
        if self.plan.fault.is_empty() {
            return None;
        }
        let running_s = self.clock.start().elapsed().as_secs_f64();
        let name = format!("push.{}", event.event_type);
        fault::strike_push(&mut self.plan.fault, &name, running_s, &mut self.dice)
    }

    /// Makes the first push where that can be done at once.
    pub(super) fn first_push(&mut self, event: &Event, road: Road) -> First {
        self.hub.unacked += 1;
        let fault = self.push_fault(event);
        if fault.is_some() || road != Road::LongConnection {
            return First::Due(fault);
        }
        let now_ms = self.clock.now_ms();
        First::Gone(self.hub.push(event, now_ms, None))
    }
}

/// One event on one road.
struct Journey<'a> {
    shared: &'a Arc<Shared>,
    event: &'a Event,
    road: Road,
    patience: Duration,
    /// Repetitions carry this instead of a new signature, where the scenario says so.
    kept: Option<Letter>,
}

impl Journey<'_> {
    async fn push(&mut self) -> Heard {
        if self.road == Road::LongConnection {
            return self.push_frames(None).await;
        }
        let letter = match &self.kept {
            Some(letter) => letter.clone(),
            None => {
                let (letter, is_fresh) = self.shared.peek(|world| {
                    let is_fresh =
                        world.apps.get(self.event.app).is_none_or(|app| app.door.plan.fresh_signature);
                    (world.letter(self.event, self.road), is_fresh)
                });
                let letter = letter.ok_or(NoAnswer::NoConnection)?;
                if !is_fresh {
                    self.kept = Some(letter.clone());
                }
                letter
            }
        };
        self.shared.deliver(self.event, &letter, self.patience).await
    }

    async fn push_frames(&self, fault: Option<&FaultKind>) -> Heard {
        let waiting = self.shared.peek(|world| {
            let now_ms = world.clock.now_ms();
            world.hub.push(self.event, now_ms, fault)
        });
        self.hear(waiting).await
    }

    async fn hear(&self, waiting: Waiting) -> Heard {
        let (message_id, ack) = waiting.ok_or(NoAnswer::NoConnection)?;
        let ack = tokio::time::timeout(self.patience, ack).await.ok().and_then(Result::ok);
        if ack.is_none() {
            self.shared.peek(|world| world.hub.forget(&message_id));
        }
        ack.ok_or(NoAnswer::TooLate)
    }

    /// A push as a fault has it.
    async fn push_badly(&mut self, fault: &FaultKind) -> Heard {
        match fault {
            FaultKind::Slow { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                self.push().await
            }
            FaultKind::Drop => Err(NoAnswer::Broken),
            FaultKind::LoseAnswer => {
                let _ = self.push().await;
                Err(NoAnswer::Broken)
            }
            FaultKind::Repeat => {
                let first = self.push().await;
                let second = self.push().await;
                if is_done(&first) { first } else { second }
            }
            FaultKind::Overtaken => {
                let mut heard = self.shared.peek(|world| world.heard.subscribe());
                // Where nothing comes to overtake it, it leaves all the same.
                let _ = tokio::time::timeout(self.patience, heard.changed()).await;
                self.push().await
            }
            FaultKind::HalfJson if self.road == Road::LongConnection => self.push_frames(Some(fault)).await,
            _ => self.push().await,
        }
    }

    async fn go(&mut self, first: Option<First>) -> Heard {
        let heard = match first {
            Some(First::Gone(waiting)) => self.hear(waiting).await,
            Some(First::Due(Some(fault))) => self.push_badly(&fault).await,
            Some(First::Due(None)) => self.push().await,
            None => match self.shared.peek(|world| world.push_fault(self.event)) {
                Some(fault) => self.push_badly(&fault).await,
                None => self.push().await,
            },
        };
        self.shared.peek(|world| world.heard.send_modify(|count| *count += 1));
        heard
    }
}

fn is_done(heard: &Heard) -> bool {
    heard.as_ref().is_ok_and(|ack| ack.code == 200)
}

impl Shared {
    /// Follows an event from its first push: acknowledged, or pushed again after 15 s, 5 min, 1 h, 6 h.
    pub(super) async fn see_through(self: Arc<Self>, event: Event, road: Road, first: First) {
        let (patience, pauses) = self.peek(|world| {
            let plan = &world.plan.socket;
            let pauses: Vec<Duration> =
                plan.redeliver_s.iter().map(|s| world.clock.span(Duration::from_secs(*s))).collect();
            (Duration::from_millis(plan.ack_ms), pauses)
        });
        let mut journey = Journey { shared: &self, event: &event, road, patience, kept: None };
        let mut first = Some(first);
        let mut pauses = pauses.into_iter();
        loop {
            let heard = journey.go(first.take()).await;
            let done = is_done(&heard);
            if let Some(callback) = &event.callback {
                // Whoever pressed may have stopped waiting.
                let _ = callback.send(heard);
                return self.count_ack(&event, done);
            }
            if done {
                return self.count_ack(&event, true);
            }
            let Some(pause) = pauses.next() else { return };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return,
            }
        }
    }

    fn count_ack(&self, event: &Event, is_done: bool) {
        self.peek(|world| {
            if is_done {
                if let (Some(told), Some(message)) = (&world.hub.told, event.message()) {
                    // Whoever asked may have gone.
                    let _ = told.send(message);
                }
                world.hub.acked += 1;
                world.hub.unacked = world.hub.unacked.saturating_sub(1);
            }
        });
    }
}
