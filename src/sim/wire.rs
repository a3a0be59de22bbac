//! The frames of the long connection, as the server writes and reads them.

use prost::Message as _;

/// A header of a frame.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Header {
    #[prost(string, required, tag = "1")]
    pub(super) key: String,
    #[prost(string, required, tag = "2")]
    pub(super) value: String,
}

/// A frame. The first four fields are always written, even when they are zero.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(uint64, required, tag = "1")]
    pub(super) seq_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(super) log_id: u64,
    #[prost(int32, required, tag = "3")]
    pub(super) service: i32,
    #[prost(int32, required, tag = "4")]
    pub(super) method: i32,
    #[prost(message, repeated, tag = "5")]
    pub(super) headers: Vec<Header>,
    #[prost(string, optional, tag = "6")]
    pub(super) payload_encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) payload_type: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub(super) payload: Option<bytes::Bytes>,
    #[prost(string, optional, tag = "9")]
    pub(super) log_id_new: Option<String>,
}

/// `method` of ping and pong.
pub(super) const CONTROL: i32 = 0;
/// `method` of events and acknowledgements.
pub(super) const DATA: i32 = 1;

impl Frame {
    /// A frame with these headers.
    pub(super) fn new(method: i32, service: i32, headers: &[(&str, String)]) -> Self {
        let headers =
            headers.iter().map(|(key, value)| Header { key: (*key).to_owned(), value: value.clone() });
        Self { method, service, headers: headers.collect(), ..Self::default() }
    }

    /// Value of a header; empty where it is absent.
    pub(super) fn header(&self, key: &str) -> &str {
        self.headers.iter().find(|header| header.key == key).map_or("", |header| header.value.as_str())
    }

    /// Reads a frame.
    pub(super) fn read(bytes: bytes::Bytes) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    /// Writes it.
    pub(super) fn write(&self) -> bytes::Bytes {
        self.encode_to_vec().into()
    }
}
