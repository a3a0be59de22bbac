//! The frames of the long connection: protobuf, proto2 (`feishu/longconn` 3 and 5, read 2026-05).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `method` of ping and pong.
pub const CONTROL: i32 = 0;
/// `method` of everything else.
pub const DATA: i32 = 1;

/// A key and a value beside the payload.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// `type`, `message_id`, `sum`, `seq`, `trace_id` …
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Always text.
    #[prost(string, required, tag = "2")]
    pub value: String,
}

impl Header {
    /// A header.
    pub fn new(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.into() }
    }
}

/// One frame. The first four members are written even when they are 0, as proto2 wants it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Frame {
    /// The server's number of the frame.
    #[prost(uint64, required, tag = "1")]
    pub seq_id: u64,
    /// The server's log id.
    #[prost(uint64, required, tag = "2")]
    pub log_id: u64,
    /// `service_id` of the connection's URL.
    #[prost(int32, required, tag = "3")]
    pub service: i32,
    /// [`CONTROL`] or [`DATA`].
    #[prost(int32, required, tag = "4")]
    pub method: i32,
    /// Beside the payload.
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Header>,
    /// Not in use.
    #[prost(string, optional, tag = "6")]
    pub payload_encoding: Option<String>,
    /// Not in use.
    #[prost(string, optional, tag = "7")]
    pub payload_type: Option<String>,
    /// JSON in the clear, or a part of it.
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub payload: Option<Bytes>,
    /// The server's other log id.
    #[prost(string, optional, tag = "9")]
    pub log_id_new: Option<String>,
}

/// What the sink wants the platform to be told.
#[derive(Debug, Clone, PartialEq)]
pub enum AckReply {
    /// Done, and nothing to say.
    Ok,
    /// Done; for callbacks the toast or the card that the person gets.
    Data(Value),
    /// Not done: the platform sends an event again after 15 s, 5 min, 1 h, 6 h.
    Failed,
}

/// The payload of an ack. Members that have no value are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct AckBody {
    /// 200 is success.
    pub code: i64,
    /// Nobody sets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
    /// Base64 of what would have been the body of an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The server's settings for its clients, in seconds: of discovery, and of a pong that re-tunes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ClientConfig {
    /// Attempts to reconnect; -1 is for ever. larkdeck never gives up.
    pub reconnect_count: i64,
    /// The longest pause between attempts.
    pub reconnect_interval: i64,
    /// Random pause before the first attempt; larkdeck waits a second at most, since it is alone.
    pub reconnect_nonce: i64,
    /// Between pings.
    pub ping_interval: i64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { reconnect_count: -1, reconnect_interval: 120, reconnect_nonce: 30, ping_interval: 120 }
    }
}

impl Frame {
    /// Reads a frame.
    ///
    /// # Errors
    /// When the bytes are no frame.
    pub fn read(bytes: Bytes) -> Result<Self, prost::DecodeError> {
        Self::decode(bytes)
    }

    /// Writes the frame.
    pub fn written(&self) -> Bytes {
        Bytes::from(self.encode_to_vec())
    }

    /// The value of the header called `key`.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value.as_str())
    }

    /// The word of the header `type`.
    pub fn kind(&self) -> &str {
        self.header("type").unwrap_or_default()
    }

    /// A ping of the client.
    pub fn ping(service: i32) -> Self {
        Self { service, method: CONTROL, headers: vec![Header::new("type", "ping")], ..Self::default() }
    }

    /// A pong of the server, with new settings where there are any.
    pub fn pong(service: i32, config: Option<&ClientConfig>) -> Self {
        Self {
            service,
            method: CONTROL,
            headers: vec![Header::new("type", "pong")],
            payload: config.and_then(|config| serde_json::to_vec(config).ok()).map(Bytes::from),
            ..Self::default()
        }
    }

    /// The ack of this frame: itself, with `biz_rt` beside its headers and `reply` for its payload.
    #[must_use]
    pub fn into_ack(mut self, reply: &AckReply, took_ms: u128) -> Self {
        self.headers.push(Header::new("biz_rt", took_ms.to_string()));
        let body = match reply {
            AckReply::Ok => AckBody { code: 200, ..AckBody::default() },
            AckReply::Data(data) => {
                AckBody { code: 200, data: Some(STANDARD.encode(data.to_string())), ..AckBody::default() }
            }
            AckReply::Failed => AckBody { code: 500, ..AckBody::default() },
        };
        self.payload = serde_json::to_vec(&body).ok().map(Bytes::from);
        self
    }
}
