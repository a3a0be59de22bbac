//! One connection, from discovery to its end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{FuturesUnordered, SplitSink},
};
use tokio::{
    sync::watch,
    time::{Instant as Deadline, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use crate::core::{permit::BoxFuture, time::Clock};

use super::super::network::{BoxIo, Origin};
use super::{
    EventSink, SocketConfig, SocketState,
    assembler::{Assembled, Assembler},
    backoff::Backoff,
    discover::{Place, discover},
    frame::{AckReply, CONTROL, ClientConfig, DATA, Frame},
};

/// A ping of the WebSocket itself, so often: it keeps proxies and firewalls awake and makes a dead peer
/// show within seconds.
const WIRE_PING: Duration = Duration::from_secs(15);
/// Without any frame for so long, where the peer is known to answer those pings, the connection is dead.
const WIRE_SILENCE: Duration = Duration::from_secs(40);
/// What is added to two of the protocol's own intervals before silence counts as death.
const SILENCE_MARGIN: Duration = Duration::from_secs(10);
/// The handshake, and each writing, may take so long.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// A connection that stood so long was a good one, even if it said nothing.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// The sign of life on the state is renewed at most so often.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// Largest message that is taken.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// Acks that are written in one go.
const ACKS_AT_ONCE: usize = 256;

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// Try again soon.
    Lost(String),
    /// A person has to do something first.
    Refused(String),
}

type Socket = WebSocketStream<BoxIo>;
type Acks<'a> = FuturesUnordered<BoxFuture<'a, Frame>>;

/// Connects and serves the connection until it ends.
pub(super) async fn hold(
    config: &SocketConfig,
    sink: &dyn EventSink,
    state: &watch::Sender<SocketState>,
    backoff: &mut Backoff,
) -> Ended {
    let place = match discover(&config.client).await {
        Ok(place) => place,
        Err(ended) => return ended,
    };
    if let Some(settings) = &place.config {
        backoff.tune(settings);
    }
    let socket = match connect(config, &place).await {
        Ok(socket) => socket,
        Err(ended) => return ended,
    };
    let clock = config.client.transport.clock().as_ref();
    let now = clock.now();
    state.send_replace(SocketState::Live { conn_id: place.conn_id.clone(), since: now, last_frame_at: now });
    let started = Instant::now();
    let (out, mut incoming) = socket.split();
    let mut session = Session {
        out,
        sink,
        state,
        clock,
        settings: place.config.unwrap_or_default(),
        service_id: place.service_id,
        assembler: Assembler::default(),
        acks: FuturesUnordered::new(),
        last_frame: Deadline::now(),
        told_at: Instant::now(),
        answers_pings: false,
    };
    let ended = session.serve(&mut incoming, config.in_flight_max.max(1), backoff).await;
    if started.elapsed() >= GOOD_AFTER {
        backoff.reset();
    }
    ended
}

async fn connect(config: &SocketConfig, place: &Place) -> Result<Socket, Ended> {
    let lost = |reason: String| Ended::Lost(reason);
    let Some(origin) = Origin::of(&place.url) else {
        return Err(lost("the platform named no address to connect to".to_owned()));
    };
    let network = config.client.transport.network();
    let io = network.connect(&origin).await.map_err(|error| lost(error.to_string()))?;
    let settings = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(32 * 1024);
    let handshake = client_async_with_config(place.url.as_str(), io, Some(settings));
    match timeout(WRITE_PATIENCE, handshake).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(response))) => Err(refusal(&response)),
        Ok(Err(error)) => Err(lost(format!("the WebSocket handshake failed: {error}"))),
        Err(_) => Err(lost("the WebSocket handshake took too long".to_owned())),
    }
}

/// What the server said instead of switching protocols (`feishu/longconn` 2, read 2026-05).
fn refusal<T>(response: &http::Response<T>) -> Ended {
    let header = |name: &str| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let http = response.status().as_u16();
    let status = header("handshake-status").and_then(|s| s.trim().parse::<u16>().ok());
    let code = header("handshake-autherrcode").and_then(|s| s.trim().parse::<i64>().ok());
    let said = header("handshake-msg").unwrap_or_default();
    let number = code.map_or_else(|| format!("HTTP {http}"), |code| format!("code {code}"));
    let reason = if said.is_empty() { String::new() } else { format!(": {said}") };
    match (status, code) {
        (Some(514), Some(1_000_040_350)) => Ended::Refused(format!(
            "the app has too many long connections ({number}){reason}. At most 50 may stand: stop the other \
             programs that use this app."
        )),
        (Some(403), _) => {
            Ended::Refused(format!("the platform forbids the long connection ({number}){reason}"))
        }
        _ => Ended::Lost(format!("the platform refused the WebSocket ({number}){reason}")),
    }
}

struct Session<'a> {
    out: SplitSink<Socket, Message>,
    sink: &'a dyn EventSink,
    state: &'a watch::Sender<SocketState>,
    clock: &'a dyn Clock,
    settings: ClientConfig,
    service_id: i32,
    assembler: Assembler,
    acks: Acks<'a>,
    last_frame: Deadline,
    told_at: Instant,
    /// Some servers never answer a WebSocket ping; silence counts only for those that do.
    answers_pings: bool,
}

impl<'a> Session<'a> {
    async fn serve(
        &mut self,
        incoming: &mut (impl StreamExt<Item = Result<Message, tungstenite::Error>> + Unpin),
        in_flight_max: usize,
        backoff: &mut Backoff,
    ) -> Ended {
        let mut ping_at = Deadline::now();
        let mut wire_ping_at = Deadline::now() + WIRE_PING;
        loop {
            let silent_until = self.silent_until();
            let next = tokio::select! {
                biased;
                Some(ack) = self.acks.next(), if !self.acks.is_empty() => self.answer(ack).await,
                message = incoming.next(), if self.acks.len() < in_flight_max => match message {
                    Some(Ok(message)) => self.take(message, backoff),
                    Some(Err(error)) => Err(format!("the connection broke: {error}")),
                    None => Err("the server closed the connection".to_owned()),
                },
                () = sleep_until(ping_at) => {
                    ping_at = Deadline::now() + self.ping_interval();
                    self.write(Message::Binary(Frame::ping(self.service_id).written())).await
                }
                () = sleep_until(wire_ping_at) => {
                    wire_ping_at = Deadline::now() + WIRE_PING;
                    self.assembler.sweep(Instant::now());
                    self.write(Message::Ping(Bytes::new())).await
                }
                () = sleep_until(silent_until) => {
                    Err("the server has been silent for too long".to_owned())
                }
            };
            // A pong may have shortened the interval.
            ping_at = ping_at.min(Deadline::now() + self.ping_interval());
            if let Err(reason) = next {
                return Ended::Lost(reason);
            }
        }
    }

    fn ping_interval(&self) -> Duration {
        let seconds = u64::try_from(self.settings.ping_interval).ok().filter(|s| *s > 0).unwrap_or(120);
        Duration::from_secs(seconds.min(3600))
    }

    fn silent_until(&self) -> Deadline {
        let by_protocol = self.ping_interval() * 2 + SILENCE_MARGIN;
        let patience = if self.answers_pings { WIRE_SILENCE.min(by_protocol) } else { by_protocol };
        self.last_frame + patience
    }

    /// Takes one message of the server.
    fn take(&mut self, message: Message, backoff: &mut Backoff) -> Result<(), String> {
        self.last_frame = Deadline::now();
        self.tell_sign_of_life();
        match message {
            Message::Binary(bytes) => {
                self.take_frame(bytes, backoff);
                Ok(())
            }
            Message::Pong(_) => {
                self.answers_pings = true;
                Ok(())
            }
            Message::Close(frame) => Err(match frame {
                Some(frame) => format!("the server closed the connection ({}): {}", frame.code, frame.reason),
                None => "the server closed the connection".to_owned(),
            }),
            // A ping is answered by the library; texts mean nothing.
            Message::Ping(_) | Message::Text(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn take_frame(&mut self, bytes: Bytes, backoff: &mut Backoff) {
        let arrived = Instant::now();
        let frame = match Frame::read(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(%error, "a frame of the long connection cannot be read");
                return;
            }
        };
        match (frame.method, frame.kind()) {
            (CONTROL, "pong") => {
                backoff.reset();
                self.retune(&frame, backoff);
            }
            (CONTROL, _) => {}
            (DATA, "event") => {
                backoff.reset();
                match self.assembler.take(&frame, arrived) {
                    Assembled::Whole(payload) => {
                        let accepted = self.sink.accept(payload);
                        self.acks.push(Box::pin(async move {
                            let reply = accepted.await;
                            frame.into_ack(&reply, arrived.elapsed().as_millis())
                        }));
                    }
                    Assembled::Partial => {}
                    Assembled::Refused(reason) => tracing::warn!(reason, "a fragment is refused"),
                }
            }
            // Of no kind that we know: acknowledged, or it would come again and again.
            (DATA, _) => {
                let ack = frame.into_ack(&AckReply::Ok, arrived.elapsed().as_millis());
                self.acks.push(Box::pin(std::future::ready(ack)));
            }
            (method, _) => tracing::debug!(method, "a frame of an unknown method"),
        }
    }

    fn retune(&mut self, pong: &Frame, backoff: &mut Backoff) {
        let Some(payload) = pong.payload.as_ref().filter(|payload| !payload.is_empty()) else { return };
        match serde_json::from_slice::<ClientConfig>(payload) {
            Ok(settings) => {
                if settings != self.settings {
                    tracing::info!(?settings, "the server re-tunes the long connection");
                }
                self.settings = settings;
                backoff.tune(&settings);
            }
            Err(error) => tracing::warn!(%error, "the settings in a pong cannot be read"),
        }
    }

    /// Writes an ack and all others that are ready by now.
    async fn answer(&mut self, ack: Frame) -> Result<(), String> {
        let written = timeout(WRITE_PATIENCE, async {
            self.out.feed(Message::Binary(ack.written())).await?;
            for _ in 0..ACKS_AT_ONCE {
                let more = futures_util::FutureExt::now_or_never(self.acks.next());
                let Some(Some(more)) = more else { break };
                self.out.feed(Message::Binary(more.written())).await?;
            }
            self.out.flush().await
        });
        flat(written.await)
    }

    async fn write(&mut self, message: Message) -> Result<(), String> {
        flat(timeout(WRITE_PATIENCE, self.out.send(message)).await)
    }

    fn tell_sign_of_life(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.told_at) < SIGN_EVERY {
            return;
        }
        self.told_at = now;
        let at = self.clock.now();
        self.state.send_if_modified(|state| match state {
            SocketState::Live { last_frame_at, .. } => {
                *last_frame_at = at;
                true
            }
            _ => false,
        });
    }
}

fn flat(written: Result<Result<(), tungstenite::Error>, tokio::time::error::Elapsed>) -> Result<(), String> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the connection broke: {error}")),
        Err(_) => Err("the server takes nothing any more".to_owned()),
    }
}
