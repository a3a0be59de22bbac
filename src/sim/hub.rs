//! The long connections: tickets, who is connected, which event waits for its acknowledgement.

use std::collections::HashMap;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::feishu::socket::frame::{CONTROL, DATA, Frame, Header};

use super::{dice::Dice, fault::FaultKind, push::Event, scenario::SocketPlan};

/// `service_id` of every connection.
pub(super) const SERVICE: i32 = 33_554_678;

/// An acknowledgement of an event.
#[derive(Debug, Clone)]
pub(super) struct Ack {
    /// 200: handled.
    pub(super) code: i64,
    /// The body that a webhook answered, or would have.
    pub(super) data: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// None, which only the long connection allows.
    None,
    /// JSON.
    Json(Value),
    /// Something else.
    Garbage,
}

impl Body {
    /// Reads bytes; none at all are no JSON either.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).map_or(Self::Garbage, Self::Json)
    }

    /// The JSON, if it is some.
    pub(super) fn json(&self) -> Option<Value> {
        match self {
            Self::Json(value) => Some(value.clone()),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Ticket {
    app: usize,
    device: String,
    until: Instant,
}

#[derive(Debug)]
struct Conn {
    id: u64,
    app: usize,
    frames: mpsc::Sender<Bytes>,
    kill: CancellationToken,
}

/// What a connection's task needs.
#[derive(Debug)]
pub(super) struct Seat {
    /// Number of the connection.
    pub(super) id: u64,
    /// Frames to write.
    pub(super) frames: mpsc::Receiver<Bytes>,
    /// The connection is to be dropped.
    pub(super) kill: CancellationToken,
}

/// Why a handshake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// The ticket is unknown, used or too old.
    BadTicket,
    /// The app has its full number of connections.
    TooMany,
}

/// The long connections of all apps.
#[derive(Debug)]
pub(super) struct Hub {
    plan: SocketPlan,
    dice: Dice,
    tickets: HashMap<String, Ticket>,
    conns: Vec<Conn>,
    waiting: HashMap<String, oneshot::Sender<Ack>>,
    next_conn: u64,
    next_seq: u64,
    /// Connections are open but nothing passes: no pong, no event.
    pub(super) is_deaf: bool,
    /// Number of connections.
    pub(super) count: watch::Sender<usize>,
    /// Pushes, repetitions included.
    pub(super) pushed: u64,
    /// Events acknowledged with 200.
    pub(super) acked: u64,
    /// Who is told the ids of messages whose event is acknowledged.
    pub(super) told: Option<mpsc::UnboundedSender<String>>,
    /// Events not acknowledged yet, or never.
    pub(super) unacked: u64,
}

impl Hub {
    /// Nobody is connected.
    pub(super) fn new(seed: u64, plan: SocketPlan) -> Self {
        Self {
            plan,
            dice: Dice::new(seed ^ 0x5eed),
            tickets: HashMap::new(),
            conns: Vec::new(),
            waiting: HashMap::new(),
            next_conn: 7_300_000_000_000_000_001,
            next_seq: 1,
            is_deaf: false,
            count: watch::Sender::new(0),
            pushed: 0,
            acked: 0,
            told: None,
            unacked: 0,
        }
    }

    /// A ticket for one connection of `app`: (ticket, device_id).
    pub(super) fn ticket(&mut self, app: usize, until: Instant) -> (String, String) {
        self.tickets.retain(|_, ticket| ticket.until > Instant::now());
        let digits = self.dice.hex32();
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
        let ticket = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        self.next_conn += 1;
        let device = self.next_conn.to_string();
        self.tickets.insert(ticket.clone(), Ticket { app, device: device.clone(), until });
        (ticket, device)
    }

    /// Takes a seat with a ticket, which is used up by it.
    pub(super) fn sit_down(&mut self, ticket: &str, now: Instant) -> Result<Seat, NoSeat> {
        let Some(Ticket { app, device, until }) = self.tickets.remove(ticket) else {
            return Err(NoSeat::BadTicket);
        };
        if until < now {
            return Err(NoSeat::BadTicket);
        }
        if self.connections(app) >= self.plan.max_connections {
            return Err(NoSeat::TooMany);
        }
        let id = device.parse().unwrap_or(self.next_conn);
        let (sender, frames) = mpsc::channel(self.plan.queue.max(1));
        let kill = CancellationToken::new();
        self.conns.push(Conn { id, app, frames: sender, kill: kill.clone() });
        self.count.send_replace(self.conns.len());
        Ok(Seat { id, frames, kill })
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, id: u64) {
        self.conns.retain(|conn| conn.id != id);
        self.count.send_replace(self.conns.len());
    }

    /// Connections of one app.
    pub(super) fn connections(&self, app: usize) -> usize {
        self.conns.iter().filter(|conn| conn.app == app).count()
    }

    /// Drops all connections.
    pub(super) fn drop_all(&mut self) {
        for conn in self.conns.drain(..) {
            conn.kill.cancel();
        }
        self.count.send_replace(0);
    }

    /// Pushes an event to one random connection of its app; a fault may cut its frames. `None`: nobody could
    /// take it.
    pub(super) fn push(
        &mut self,
        event: &Event,
        now_ms: i64,
        fault: Option<&FaultKind>,
    ) -> Option<(String, oneshot::Receiver<Ack>)> {
        self.pushed += 1;
        let here: Vec<usize> = self
            .conns
            .iter()
            .enumerate()
            .filter(|(_, conn)| conn.app == event.app)
            .map(|(at, _)| at)
            .collect();
        let at = *self.dice.pick(&here)?;
        let message_id = self.dice.hex32();
        let mut frames = self.frames(event, &message_id, now_ms);
        if fault == Some(&FaultKind::HalfJson) {
            frames.iter_mut().for_each(|frame| frame.truncate(frame.len() / 2));
        }
        let conn = self.conns.get(at)?;
        if !self.is_deaf {
            let Ok(places) = conn.frames.try_reserve_many(frames.len()) else { return None };
            places.zip(frames).for_each(|(place, frame)| place.send(frame));
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(message_id.clone(), sender);
        Some((message_id, receiver))
    }

    fn frames(&mut self, event: &Event, message_id: &str, now_ms: i64) -> Vec<Bytes> {
        let wanted = event.fragments.max(event.payload.len().div_ceil(self.plan.fragment_bytes.max(1)));
        let size = event.payload.len().div_ceil(wanted.max(1)).max(1);
        let parts: Vec<Bytes> = (0..event.payload.len())
            .step_by(size)
            .map(|from| event.payload.slice(from..(from + size).min(event.payload.len())))
            .collect();
        let sum = parts.len();
        let trace_id = self.dice.hex32();
        let mut frames: Vec<Bytes> = parts
            .into_iter()
            .enumerate()
            .map(|(seq, part)| {
                self.next_seq += 1;
                Frame {
                    seq_id: self.next_seq,
                    log_id: self.dice.roll(),
                    service: SERVICE,
                    method: DATA,
                    headers: vec![
                        Header::new("type", "event"),
                        Header::new("message_id", message_id),
                        Header::new("sum", sum.to_string()),
                        Header::new("seq", seq.to_string()),
                        Header::new("trace_id", trace_id.as_str()),
                        Header::new("timestamp", now_ms.to_string()),
                    ],
                    payload_encoding: None,
                    payload_type: Some("json".to_owned()),
                    payload: Some(part),
                    log_id_new: Some(trace_id.clone()),
                }
                .written()
            })
            .collect();
        // Fragments may overtake each other; the last one is what gets acknowledged.
        for at in (1..frames.len()).rev() {
            frames.swap(at, self.dice.below(at + 1));
        }
        frames
    }

    /// Nobody waits for this acknowledgement any more.
    pub(super) fn forget(&mut self, message_id: &str) {
        self.waiting.remove(message_id);
    }

    /// Reads a frame that a client sent; the answer, if there is one.
    pub(super) fn read(&mut self, bytes: Bytes, config: &Value) -> Option<Bytes> {
        let frame = Frame::read(bytes).ok()?;
        if frame.method == CONTROL {
            if frame.kind() != "ping" || self.is_deaf {
                return None;
            }
            let pong = Frame {
                service: frame.service,
                headers: vec![Header::new("type", "pong")],
                payload: Some(config.to_string().into_bytes().into()),
                ..Frame::default()
            };
            return Some(pong.written());
        }
        let waiting = self.waiting.remove(frame.header("message_id")?)?;
        let body: Value =
            frame.payload.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        let data = match body.get("data") {
            None | Some(Value::Null) => Body::None,
            Some(text) => {
                let text = text.as_str().unwrap_or_default();
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
                Body::read(&bytes)
            }
        };
        let code = body.get("code").and_then(Value::as_i64).unwrap_or(-1);
        // The waiting task may have given up in this very moment; then the event is repeated.
        let _ = waiting.send(Ack { code, data });
        None
    }

    /// ClientConfig, in seconds.
    pub(super) fn config(&self) -> Value {
        serde_json::json!({
            "ReconnectCount": self.plan.reconnect_count,
            "ReconnectInterval": self.plan.reconnect_interval_s,
            "ReconnectNonce": self.plan.reconnect_nonce_s,
            "PingInterval": self.plan.ping_interval_s,
        })
    }
}
