//! The hand on a running simulator, for tests, benches and the demo.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fault, SimError};

/// Who says what, where.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Speech {
    /// Chat id or name; empty: the first chat.
    pub chat: String,
    /// open_id or name; empty: any member of the chat.
    pub who: String,
    /// `text`, `post`, `image` …; empty: `text`.
    pub msg_type: String,
    /// What is said: plain words for `text`, otherwise the content's JSON.
    pub text: String,
    /// Message replied to.
    pub reply_to: Option<String>,
    /// Whether the reply opens or continues a thread.
    pub in_thread: bool,
    /// Sent as at least so many fragments, whatever its size.
    pub fragments: u32,
}

/// What came back for a card press.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CardPress {
    /// Code of the acknowledgement; `None`: none within 3 s, or nobody connected.
    pub code: Option<i64>,
    /// The body that the handler answered: toast, card.
    pub answer: Option<serde_json::Value>,
}

/// Calls of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Endpoint, `app`, `send`, `receiver oc_…`, `card …` or `patch om_…`.
    pub name: String,
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that were refused because of a limit.
    pub over: u64,
    /// Most calls that arrived in any sliding window: (window in seconds, calls, limit).
    pub windows: Vec<(u64, u32, u32)>,
}

/// All counters at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// By endpoint and by target.
    pub kinds: Vec<Counter>,
    /// Calls that the month counts.
    pub month_counted: u64,
    /// Calls that it does not.
    pub month_exempt: u64,
    /// Calls over any limit.
    pub over: u64,
    /// Events that were acknowledged.
    pub acked: u64,
    /// Events that were pushed, repetitions included.
    pub pushed: u64,
    /// Events given up, or waiting for their repetition.
    pub unacked: u64,
    /// Open long connections.
    pub connections: usize,
}

/// The hand on a running simulator.
#[derive(Debug, Clone)]
pub struct Control {}

impl Control {
    /// Says something in a chat; the answer is the message id.
    ///
    /// # Errors
    /// No such chat, person or message.
    pub fn say(&self, _speech: &Speech) -> Result<String, SimError> {
        Err(SimError::Unfit("not built yet".to_owned()))
    }

    /// Pushes an event made elsewhere; `event` is its inner object.
    pub fn push_event(&self, _event_type: &str, _event: serde_json::Value) {}

    /// Disbands a chat, with its event.
    ///
    /// # Errors
    /// No such chat.
    pub fn disband(&self, _chat: &str) -> Result<(), SimError> {
        Err(SimError::Unfit("not built yet".to_owned()))
    }

    /// Presses the first button of a card that the app has sent; empty: its newest card.
    ///
    /// # Errors
    /// The app has sent no such card.
    pub async fn press(&self, _message_id: &str, _who: &str) -> Result<CardPress, SimError> {
        Err(SimError::Unfit("not built yet".to_owned()))
    }

    /// Drops every long connection, without a closing frame.
    pub fn drop_connections(&self) {}

    /// Adds a fault.
    pub fn set_fault(&self, _fault: Fault) {}

    /// Takes all faults back.
    pub fn clear_faults(&self) {}

    /// Makes every token invalid at once.
    pub fn revoke_tokens(&self) {}

    /// Grants or takes a scope.
    pub fn set_scope(&self, _scope: &str, _is_granted: bool) {}

    /// Sets the calls that the month has counted, and its limit.
    pub fn set_month(&self, _used: u64, _limit: Option<u64>) {}

    /// The counters now.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// Waits until the app has so many long connections; false when it did not come to that in time.
    pub async fn wait_connections(&self, _count: usize, _patience: Duration) -> bool {
        false
    }
}
