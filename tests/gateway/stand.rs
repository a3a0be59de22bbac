//! A gateway on a store of its own, and requests as the platform makes them.

use larkdeck::{
    core::{
        ids::{ChatId, IntegrationId},
        integration::Receive,
        secret::Secret,
    },
    feishu::event::crypto::{card_signature_v1, encrypt, event_signature},
    server::{Bound, ServeOptions, Server},
    service::{CheckMode, Deck, IntegrationDraft, LiveMode},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::{
    deck,
    http::{self, Answer},
};

pub(crate) const KEY: &str = "encrypt key of the tests";
pub(crate) const TOKEN: &str = "token-of-the-tests";
pub(crate) const CHAT: &str = "oc_00000000000000000000000000000001";

/// A gateway that serves a deck until it is stopped.
pub(crate) struct Serving {
    pub(crate) url: String,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(deck: &Deck, live: LiveMode) -> Self {
        Self::start_at(deck, live, Bound::take("127.0.0.1:0".parse().unwrap(), None).await.unwrap())
    }

    pub(crate) fn start_at(deck: &Deck, live: LiveMode, bound: Bound) -> Self {
        let server = Server::new(bound, deck.clone(), ServeOptions { live, ..ServeOptions::default() });
        let (url, stop) = (server.url(), CancellationToken::new());
        let stopped = stop.clone();
        let server = tokio::spawn(async move { server.run(stopped).await.unwrap() });
        Self { url, stop, server }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap();
    }
}

/// A gateway on a store of its own, with one integration that nobody is connected for.
pub(crate) struct Stand {
    pub(crate) deck: Deck,
    pub(crate) id: IntegrationId,
    pub(crate) base: String,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) serving: Serving,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        Self::with(Some(KEY), Some(TOKEN)).await
    }

    pub(crate) async fn with(key: Option<&str>, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deck = deck::open(folder.path(), "serve").await;
        // Nobody listens there: nothing in these tests may ask the platform.
        let draft = IntegrationDraft {
            encrypt_key: key.map(Secret::new),
            verification_token: token.map(Secret::new),
            ..deck::draft("http://127.0.0.1:9", "cli_a000000000000001", "s", Receive::Both)
        };
        let id = deck.add_integration(draft, CheckMode::NoCheck).await.unwrap().integration.id;
        let serving = Serving::start(&deck, LiveMode::NoSocket).await;
        Self { deck, id, base: serving.url.clone(), folder, serving }
    }

    pub(crate) fn path(&self) -> String {
        format!("/i/{}/event", self.id)
    }

    pub(crate) async fn post(&self, headers: Vec<(String, String)>, body: Vec<u8>) -> Answer {
        let (base, path) = (self.base.clone(), self.path());
        tokio::task::spawn_blocking(move || {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            http::request(&base, "POST", &path, &headers, &body)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn send(&self, request: &Request) -> Answer {
        self.post(request.headers.clone(), request.body.clone()).await
    }

    pub(crate) async fn metrics(&self) -> String {
        let base = self.base.clone();
        tokio::task::spawn_blocking(move || http::get(&base, "/metrics").body).await.unwrap()
    }

    pub(crate) async fn refusals(&self, reason: &str) -> u64 {
        let line = format!("larkdeck_requests_refused_total{{reason=\"{reason}\"}} ");
        let metrics = self.metrics().await;
        metrics.lines().find_map(|one| one.strip_prefix(&line)).unwrap().parse().unwrap()
    }

    pub(crate) async fn texts(&self) -> Vec<String> {
        let chat: ChatId = CHAT.parse().unwrap();
        self.deck.history(&chat, None, 0).await.unwrap().into_iter().map(|one| one.body.content).collect()
    }

    pub(crate) async fn end(self) {
        self.serving.end().await;
        self.deck.shut().await;
    }
}

/// A request as the platform makes it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Request {
    pub(crate) fn clear(body: &Value) -> Self {
        Self {
            headers: vec![pair("content-type", "application/json; charset=utf-8")],
            body: body.to_string().into(),
        }
    }

    pub(crate) fn encrypted(key: &str, body: &Value) -> Self {
        Self::clear(&json!({ "encrypt": encrypt(key, body.to_string().as_bytes(), &[7; 16]) }))
    }

    pub(crate) fn signed(mut self, signature: &str) -> Self {
        self.headers.extend([
            pair("X-Lark-Request-Timestamp", "1700000000"),
            pair("X-LARK-REQUEST-NONCE", "nonce"),
            pair("x-lark-signature", signature),
        ]);
        self
    }

    /// An event, encrypted and signed.
    pub(crate) fn event(key: &str, body: &Value) -> Self {
        let request = Self::encrypted(key, body);
        let signature = event_signature("1700000000", "nonce", key, &request.body);
        request.signed(&signature)
    }

    pub(crate) fn old_card(token: &str, body: &Value) -> Self {
        let request = Self::clear(body);
        let signature = card_signature_v1("1700000000", "nonce", token, &request.body);
        request.signed(&signature)
    }
}

pub(crate) fn envelope(event_id: &str, event_type: &str, event: Value) -> Value {
    json!({
        "schema": "2.0",
        "header": {"event_id": event_id, "event_type": event_type, "create_time": "1700000000123", "token": TOKEN,
            "app_id": "cli_a000000000000001", "tenant_key": "tk0000000000test"},
        "event": event,
    })
}

pub(crate) fn message(no: u32) -> Value {
    let event = json!({
        "sender": {"sender_id": {"open_id": "ou_00000000000000000000000000000001"}, "sender_type": "user"},
        "message": {"message_id": format!("om_{no:032}"), "create_time": "1700000000000", "chat_id": CHAT,
            "chat_type": "group", "message_type": "text", "content": format!("{{\"text\":\"line {no}\"}}")},
    });
    envelope(&format!("e{no:031}"), "im.message.receive_v1", event)
}

pub(crate) fn press(no: u32, presser: &str, op: &str) -> Value {
    let event = json!({
        "operator": {"open_id": presser}, "token": format!("c-{no}"),
        "action": {"value": {"op": op}, "tag": "button"}, "host": "im_message",
        "context": {"open_message_id": "om_00000000000000000000000000000077", "open_chat_id": CHAT},
    });
    envelope(&format!("p{no:031}"), "card.action.trigger", event)
}

/// A card of the app in a room of the simulator; its message id.
pub(crate) fn send_card(access: &larkdeck::sim::Access, chat: &str) -> String {
    let post = |path: &str, token: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        let headers =
            [("content-type", "application/json; charset=utf-8"), ("authorization", bearer.as_str())];
        http::request(&access.base_url, "POST", path, &headers, body.to_string().as_bytes()).json()
    };
    let secrets = json!({"app_id": access.app_id, "app_secret": access.app_secret});
    let token = post("/open-apis/auth/v3/tenant_access_token/internal", "", secrets);
    let button = json!({"tag": "button", "text": {"tag": "plain_text", "content": "ack"},
        "behaviors": [{"type": "callback", "value": {"op": "ack"}}]});
    let card = json!({"schema": "2.0", "body": {"elements": [button]}}).to_string();
    let body = json!({"receive_id": chat, "msg_type": "interactive", "content": card});
    let token = token["tenant_access_token"].as_str().unwrap();
    let sent = post("/open-apis/im/v1/messages?receive_id_type=chat_id", token, body);
    assert_eq!(sent["code"], 0, "{sent}");
    sent["data"]["message_id"].as_str().unwrap().to_owned()
}
