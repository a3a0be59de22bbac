//! The long connection: events by WebSocket, without an address of one's own (`feishu/longconn`, read
//! 2026-05). [`run`] keeps it up for as long as it is wanted.

mod assembler;
mod backoff;
mod discover;
pub mod frame;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::{permit::BoxFuture, time::Timestamp};

use super::client::Client;

pub use assembler::{Assembled, Assembler};
pub use frame::AckReply;

use backoff::Backoff;
use session::Ended;

/// Where events go. Many are under way at once, so that their commits can be grouped.
pub trait EventSink: Send + Sync + 'static {
    /// Takes the payload of one event, in the clear. Resolves when what it says is committed: only then the
    /// platform is told. It has 3 s. Dropped when the connection is lost; the platform then sends it again.
    fn accept<'a>(&'a self, payload: Bytes) -> BoxFuture<'a, AckReply>;
}

/// How the long connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketState {
    /// The first attempt is under way.
    Connecting,
    /// It stands.
    Live {
        /// The server's name of the connection, for logs. Foreign text.
        conn_id: String,
        /// When it was made.
        since: Timestamp,
        /// When the server last gave a sign of life, to a second or so.
        last_frame_at: Timestamp,
    },
    /// It is lost; the next attempt is at the instant.
    Reconnecting {
        /// When it is tried again; in the past while the attempt is under way.
        retry_at: Timestamp,
        /// Why it is lost. Foreign text.
        reason: String,
        /// Attempts that failed since it last stood.
        attempt: u32,
    },
    /// The platform refuses it for good: wrong secret, no bot, too many connections. Tried again slowly.
    Refused {
        /// When it is tried again.
        retry_at: Timestamp,
        /// What the platform said. Foreign text.
        reason: String,
    },
}

/// What the long connection needs.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// The app's client: its credentials, network, permits and clock.
    pub client: Client,
    /// Most events under way in the sink at once; more wait in the socket.
    pub in_flight_max: usize,
}

impl SocketConfig {
    /// The usual settings for `client`.
    pub const fn new(client: Client) -> Self {
        Self { client, in_flight_max: 1024 }
    }
}

/// Keeps the connection up, for ever, until `cancel` is cancelled: then the socket is closed at once and
/// what was under way in the sink is dropped.
pub async fn run(
    config: SocketConfig,
    sink: Arc<dyn EventSink>,
    state: watch::Sender<SocketState>,
    cancel: CancellationToken,
) {
    cancel.run_until_cancelled(keep_up(config, sink, state)).await;
}

async fn keep_up(config: SocketConfig, sink: Arc<dyn EventSink>, state: watch::Sender<SocketState>) {
    let clock = config.client.transport.clock().clone();
    let mut backoff = Backoff::default();
    state.send_replace(SocketState::Connecting);
    loop {
        let ended = session::hold(&config, sink.as_ref(), &state, &mut backoff).await;
        let pause = backoff.pause(&ended);
        let retry_at = clock.now().plus(pause);
        let next = match ended {
            Ended::Lost(reason) => {
                tracing::warn!(%reason, ?pause, "the long connection is lost");
                SocketState::Reconnecting { retry_at, reason, attempt: backoff.attempt() }
            }
            Ended::Refused(reason) => {
                tracing::warn!(%reason, ?pause, "the long connection is refused");
                SocketState::Refused { retry_at, reason }
            }
        };
        state.send_replace(next);
        tokio::time::sleep(pause).await;
    }
}
