//! The gate that one sending passes: it takes the permit, keeps it fresh while the connection is made, and
//! lets the request out only with a fresh permit in hand.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};

use crate::core::{
    permit::{Call, Denied, Outcome, Permit, PermitSource},
    time::Clock,
};

use super::http::HttpError;

/// Permits that may go stale in a row before something is wrong.
const STALE_MAX: u32 = 50;

/// Why a sending brought no answer.
#[derive(Debug)]
pub(super) enum SendError {
    /// The way to the server, or the server itself.
    Http(HttpError),
    /// No permit.
    Denied(Denied),
    /// No permit stayed fresh long enough to be used.
    Starved,
}

/// The request was not let out: its permit is too old, or the sending is over.
#[derive(Debug, thiserror::Error)]
#[error("the request has no fresh permit")]
pub(super) struct HeldBack;

/// One sending's gate. The connection's task and the caller share it.
pub(super) struct Gate {
    permits: Arc<dyn PermitSource>,
    clock: Arc<dyn Clock>,
    call: Call,
    /// One taking at a time.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    has_left: Notify,
}

#[derive(Default)]
struct State {
    permit: Option<Permit>,
    left_at: Option<Instant>,
    /// The request stood before the gate and was not let out: this body of it is lost.
    was_held_back: bool,
    /// Nobody waits for an answer any more: nothing is taken, and nothing leaves.
    is_over: bool,
    trouble: Option<SendError>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a fresh permit is in hand: takes one, or hands a stale one back and takes another.
    /// False when the request must not be sent; [`Self::trouble`] knows why.
    pub(super) async fn open(&self) -> bool {
        let _turn = self.turn.lock().await;
        for _ in 0..STALE_MAX {
            let stale = {
                let mut state = self.state();
                state.was_held_back = false;
                if state.is_over || state.left_at.is_some() {
                    return false;
                }
                match state.permit.take_if(|permit| permit.is_stale(self.clock.instant())) {
                    None if state.permit.is_some() => return true,
                    stale => stale,
                }
            };
            if let Some(stale) = stale {
                told(self.tell(stale, Outcome::Unused)).await;
            }
            match self.permits.acquire(self.call.clone()).await {
                Ok(permit) => {
                    if let Some(late) = self.keep(permit) {
                        told(self.tell(late, Outcome::Unused)).await;
                    }
                }
                Err(denied) => {
                    self.fail(SendError::Denied(denied));
                    return false;
                }
            }
        }
        self.fail(SendError::Starved);
        false
    }

    /// Takes `permit` into its hand, or gives it back when the sending is over.
    fn keep(&self, permit: Permit) -> Option<Permit> {
        let mut state = self.state();
        if state.is_over {
            return Some(permit);
        }
        state.permit.replace(permit)
    }

    /// Lets the request out: from here on it counts as sent.
    fn leave(&self) -> Result<(), HeldBack> {
        let mut state = self.state();
        if state.left_at.is_some() {
            return Ok(());
        }
        if state.is_over || state.was_held_back {
            return Err(HeldBack);
        }
        let now = self.clock.instant();
        if state.permit.as_ref().is_none_or(|permit| permit.is_stale(now)) {
            state.was_held_back = true;
            return Err(HeldBack);
        }
        state.left_at = Some(now);
        self.has_left.notify_one();
        Ok(())
    }

    /// Whether bytes of the request may have left.
    pub(super) fn has_left(&self) -> bool {
        self.state().left_at.is_some()
    }

    /// Whether the request came to the gate and its permit had grown old on the way.
    pub(super) fn was_held_back(&self) -> bool {
        let state = self.state();
        state.was_held_back && state.left_at.is_none()
    }

    /// Waits until the request has been gone for `limit`.
    pub(super) async fn overdue(&self, limit: Duration) {
        self.has_left.notified().await;
        tokio::time::sleep(limit).await;
    }

    /// Notes why there is no connection or no permit; the first word stays.
    pub(super) fn fail(&self, error: SendError) {
        self.state().trouble.get_or_insert(error);
    }

    /// What was noted.
    pub(super) fn trouble(&self) -> Option<SendError> {
        self.state().trouble.take()
    }

    /// Says what became of a permit; a caller that gives up does not stop the word.
    fn tell(&self, permit: Permit, outcome: Outcome) -> Option<JoinHandle<()>> {
        let permits = self.permits.clone();
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(async move { permits.settle(permit, outcome).await }))
    }

    /// Ends the sending: what has not left stays here.
    fn close(&self, outcome: impl FnOnce(bool) -> Outcome) -> Option<JoinHandle<()>> {
        let (mut permit, left_at) = {
            let mut state = self.state();
            state.is_over = true;
            (state.permit.take()?, state.left_at)
        };
        if let Some(at) = left_at {
            permit.left(at);
        }
        self.tell(permit, outcome(left_at.is_some()))
    }
}

async fn told(task: Option<JoinHandle<()>>) {
    if let Some(task) = task {
        // It fails only when the runtime ends, and then there is nobody left to tell.
        let _ = task.await;
    }
}

/// A sending, as its caller holds it: its permit is told what became of it even when the call is dropped
/// half-way.
pub(super) struct Sending(Arc<Gate>);

impl Sending {
    pub(super) fn new(permits: Arc<dyn PermitSource>, clock: Arc<dyn Clock>, call: Call) -> Self {
        Self(Arc::new(Gate {
            permits,
            clock,
            call,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            has_left: Notify::new(),
        }))
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.0
    }

    /// Tells the ledger what became of it.
    pub(super) async fn settle(self, outcome: Outcome) {
        told(self.0.close(|_| outcome)).await;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.close(|has_left| if has_left { Outcome::Unknown } else { Outcome::Unused });
    }
}

/// The body of a request, and at the same time the last look at its permit.
///
/// hyper writes a request in one go of its connection's task: it asks the body whether it is empty, lays the
/// head into a buffer, asks the body for its bytes, and hands both to the socket. So the last question is as
/// near to the write as anybody outside hyper can get, and a body that fails there keeps the whole request
/// back: the connection ends with its buffer unwritten. For an empty body the last question is whether it is
/// empty; one that is held back claims a byte, and fails when hyper comes for it.
pub(super) struct Freight {
    bytes: Option<Bytes>,
    gate: Arc<Gate>,
}

impl Freight {
    /// The body `bytes`, none where they are empty, behind `gate`.
    pub(super) fn new(bytes: Bytes, gate: Arc<Gate>) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), gate }
    }
}

impl Body for Freight {
    type Data = Bytes;
    type Error = HeldBack;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HeldBack>>> {
        Poll::Ready(match self.gate.leave() {
            Ok(()) => self.bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Err(held) => Some(Err(held)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.gate.leave().is_ok()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(1, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
