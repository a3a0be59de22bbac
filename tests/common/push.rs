//! Events as the platform pushes them over HTTP, made and signed by the test itself: the platform's lists know
//! nothing of them, so that whoever loses one cannot fetch it again.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use larkdeck::feishu::event::crypto::{encrypt, event_signature};
use serde_json::json;

use super::{PATIENCE, http};

/// What signs and seals an app's pushes.
#[derive(Debug, Clone)]
pub struct Signer {
    pub app_id: String,
    pub verification_token: String,
    pub encrypt_key: String,
}

/// The id of the message of that number.
pub fn message_id(no: u32) -> String {
    format!("om_{no:032}")
}

impl Signer {
    /// The request to an integration that tells of message `no` in a chat, which was written at `at_ms`.
    pub fn message(&self, integration: &str, chat: &str, no: u32, at_ms: i64) -> Vec<u8> {
        let event = json!({
            "schema": "2.0",
            "header": {"event_id": format!("e{no:031}"), "event_type": "im.message.receive_v1",
                "create_time": "1700000000123", "token": self.verification_token, "app_id": self.app_id,
                "tenant_key": "tk0000000000test"},
            "event": {
                "sender": {"sender_id": {"open_id": "ou_00000000000000000000000000000001"}, "sender_type": "user"},
                "message": {"message_id": message_id(no),
                    "create_time": at_ms.to_string(),
                    "chat_id": chat, "chat_type": "group", "message_type": "text",
                    "content": format!("{{\"text\":\"line {no}\"}}")},
            },
        });
        let sealed = encrypt(&self.encrypt_key, event.to_string().as_bytes(), &[7; 16]);
        let body = json!({ "encrypt": sealed }).to_string();
        let signature = event_signature("1700000000", "nonce", &self.encrypt_key, body.as_bytes());
        let length = body.len().to_string();
        let headers = [
            ("content-type", "application/json; charset=utf-8"),
            ("content-length", &length),
            ("connection", "close"),
            ("x-lark-request-timestamp", "1700000000"),
            ("x-lark-request-nonce", "nonce"),
            ("x-lark-signature", &signature),
        ];
        let head = http::head("POST", &format!("/i/{integration}/event"), &headers);
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// Sends a request as the platform does; whether it was acknowledged.
pub fn push(base: &str, request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(base.trim_start_matches("http://")) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    stream.write_all(request).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}
