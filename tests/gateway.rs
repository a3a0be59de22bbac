//! The Message Card Request URL over real sockets: what the platform sends is taken once, and nothing else is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

use common::http::{self, Answer};
use larkdeck::{
    core::{
        ids::{ChatId, IntegrationId},
        integration::{Holder, ImKind, Receive},
        message::Via,
        room::RoomStatus,
        secret::Secret,
        time::SystemClock,
    },
    feishu::event::crypto::{card_signature_v1, encrypt, event_signature},
    server::{Bound, ServeOptions, Server},
    service::{
        Access, CardOp, CheckMode, Deck, DeckSettings, Edit, IntegrationDraft, IntegrationEdit, KeyOrigin,
        LiveMode, MemberDraft, Opening, Verdict,
    },
    sim::{Scenario, Sim, SimOptions, Speech},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const KEY: &str = "encrypt key of the tests";
const TOKEN: &str = "token-of-the-tests";
const CHAT: &str = "oc_00000000000000000000000000000001";

async fn open(folder: &Path) -> Deck {
    Opening {
        store_url: format!("sqlite:{}", folder.join("larkdeck.db").display()),
        key: KeyOrigin::File(folder.join("key")),
        month_limit: None,
        quota_zone: jiff::tz::TimeZone::UTC,
        me: Holder { user: "serve".into(), host: "test".into(), pid: std::process::id() },
        reader: "serve@test".into(),
        settings: DeckSettings::default(),
        access: Access::Write,
        clock: Arc::new(SystemClock),
    }
    .open()
    .await
    .unwrap()
}

/// A gateway on a store of its own, with one integration that nobody is connected for.
struct Stand {
    deck: Deck,
    id: IntegrationId,
    base: String,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Stand {
    async fn new() -> Self {
        Self::with(Some(KEY), Some(TOKEN)).await
    }

    async fn with(key: Option<&str>, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deck = open(folder.path()).await;
        let draft = IntegrationDraft {
            name: "ops".into(),
            kind: ImKind::Feishu,
            app_id: Some("cli_a000000000000001".into()),
            // Nobody listens there: nothing in these tests may ask the platform.
            base_url: Some("http://127.0.0.1:9".into()),
            app_secret: Some(Secret::new("s")),
            encrypt_key: key.map(Secret::new),
            verification_token: token.map(Secret::new),
            receive: Receive::Both,
        };
        let id = deck.add_integration(draft, CheckMode::NoCheck).await.unwrap().integration.id;
        let bound = Bound::take("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let options = ServeOptions { live: LiveMode::NoSocket, ..ServeOptions::default() };
        let server = Server::new(bound, deck.clone(), options);
        let (base, stop) = (server.url(), CancellationToken::new());
        let stopped = stop.clone();
        let server = tokio::spawn(async move { server.run(stopped).await.unwrap() });
        Self { deck, id, base, folder, stop, server }
    }

    fn path(&self) -> String {
        format!("/i/{}/event", self.id)
    }

    async fn post(&self, headers: Vec<(String, String)>, body: Vec<u8>) -> Answer {
        let (base, path) = (self.base.clone(), self.path());
        tokio::task::spawn_blocking(move || {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            http::request(&base, "POST", &path, &headers, &body)
        })
        .await
        .unwrap()
    }

    async fn send(&self, request: &Request) -> Answer {
        self.post(request.headers.clone(), request.body.clone()).await
    }

    async fn metrics(&self) -> String {
        let base = self.base.clone();
        tokio::task::spawn_blocking(move || http::get(&base, "/metrics").body).await.unwrap()
    }

    async fn refusals(&self, reason: &str) -> u64 {
        let line = format!("larkdeck_requests_refused_total{{reason=\"{reason}\"}} ");
        let metrics = self.metrics().await;
        metrics.lines().find_map(|one| one.strip_prefix(&line)).unwrap().parse().unwrap()
    }

    async fn texts(&self) -> Vec<String> {
        let chat: ChatId = CHAT.parse().unwrap();
        self.deck.history(&chat, None, 0).await.unwrap().into_iter().map(|one| one.body.content).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap();
        self.deck.shut().await;
    }
}

/// A request as the platform makes it.
#[derive(Debug, Clone)]
struct Request {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Request {
    fn clear(body: &Value) -> Self {
        Self {
            headers: vec![pair("content-type", "application/json; charset=utf-8")],
            body: body.to_string().into(),
        }
    }

    fn encrypted(key: &str, body: &Value) -> Self {
        Self::clear(&json!({ "encrypt": encrypt(key, body.to_string().as_bytes(), &[7; 16]) }))
    }

    fn signed(mut self, signature: &str) -> Self {
        self.headers.extend([
            pair("X-Lark-Request-Timestamp", "1700000000"),
            pair("X-LARK-REQUEST-NONCE", "nonce"),
            pair("x-lark-signature", signature),
        ]);
        self
    }

    /// An event, encrypted and signed.
    fn event(key: &str, body: &Value) -> Self {
        let request = Self::encrypted(key, body);
        let signature = event_signature("1700000000", "nonce", key, &request.body);
        request.signed(&signature)
    }

    fn old_card(token: &str, body: &Value) -> Self {
        let request = Self::clear(body);
        let signature = card_signature_v1("1700000000", "nonce", token, &request.body);
        request.signed(&signature)
    }
}

fn envelope(event_id: &str, event_type: &str, event: Value) -> Value {
    json!({
        "schema": "2.0",
        "header": {"event_id": event_id, "event_type": event_type, "create_time": "1700000000123", "token": TOKEN,
            "app_id": "cli_a000000000000001", "tenant_key": "tk0000000000test"},
        "event": event,
    })
}

fn message(no: u32) -> Value {
    let event = json!({
        "sender": {"sender_id": {"open_id": "ou_00000000000000000000000000000001"}, "sender_type": "user"},
        "message": {"message_id": format!("om_{no:032}"), "create_time": "1700000000000", "chat_id": CHAT,
            "chat_type": "group", "message_type": "text", "content": format!("{{\"text\":\"line {no}\"}}")},
    });
    envelope(&format!("e{no:031}"), "im.message.receive_v1", event)
}

fn press(no: u32, presser: &str, op: &str) -> Value {
    let event = json!({
        "operator": {"open_id": presser}, "token": format!("c-{no}"),
        "action": {"value": {"op": op}, "tag": "button"}, "host": "im_message",
        "context": {"open_message_id": "om_00000000000000000000000000000077", "open_chat_id": CHAT},
    });
    envelope(&format!("p{no:031}"), "card.action.trigger", event)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_is_verified_plain_and_encrypted_without_a_signature() {
    let stand = Stand::new().await;
    let challenge = json!({"challenge": "c-0001-abcd", "token": TOKEN, "type": "url_verification"});
    for request in
        [Request::clear(&challenge), Request::encrypted(KEY, &challenge), Request::event(KEY, &challenge)]
    {
        let answer = stand.send(&request).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"challenge": "c-0001-abcd"})));
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    }
    let other = json!({"challenge": "c", "token": "another", "type": "url_verification"});
    for request in [Request::clear(&other), Request::encrypted(KEY, &other)] {
        assert_eq!(stand.send(&request).await.status, 401);
    }
    assert_eq!(stand.refusals("token").await, 2);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_committed_before_their_200_and_taken_once() {
    let stand = Stand::new().await;
    for no in 0..3 {
        let request = Request::event(KEY, &message(no));
        for _ in 0..3 {
            let answer = stand.send(&request).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"msg":"success"}"#));
            assert!(stand.texts().await.contains(&format!("{{\"text\":\"line {no}\"}}")));
        }
    }
    assert_eq!(stand.texts().await.len(), 3);
    // An old envelope, an unknown kind, and a known one that lacks what it must have: 200, or they come again.
    let old = json!({"ts": "1502199207.7171419", "uuid": "u1", "token": TOKEN, "type": "event_callback",
        "event": {"type": "leave_approval", "app_id": "cli_a000000000000001"}});
    for body in [
        old,
        envelope("x", "some.new.kind_v9", json!({})),
        envelope("y", "im.message.recalled_v1", json!({})),
    ] {
        assert_eq!(stand.send(&Request::event(KEY, &body)).await.status, 200, "{body}");
    }
    let view = stand.deck.integration("ops").await.unwrap();
    assert_eq!(view.live.last_event_via, Some(Via::Webhook));
    let metrics = stand.metrics().await;
    assert!(
        metrics.contains("larkdeck_events_accepted_total{type=\"im.message.receive_v1\"} 9\n"),
        "{metrics}"
    );
    assert!(metrics.contains("larkdeck_events_not_understood_total 1\n"), "{metrics}");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_every_kind_move_the_room() {
    let stand = Stand::new().await;
    let chat: ChatId = CHAT.parse().unwrap();
    let room = async || stand.deck.room(&stand.id, &chat).await.unwrap();
    let send = async |event_id: &str, event_type: &str, event: Value| {
        let request = Request::event(KEY, &envelope(event_id, event_type, event));
        assert_eq!(stand.send(&request).await.status, 200, "{event_type}");
    };
    stand.send(&Request::event(KEY, &message(1))).await;
    let changed =
        json!({"chat_id": CHAT, "after_change": {"name": "Checkout down", "description": "since 03:06"}});
    send("1", "im.chat.updated_v1", changed).await;
    assert_eq!(
        (room().await.name.as_str(), room().await.description.as_str()),
        ("Checkout down", "since 03:06")
    );
    let users = json!({"chat_id": CHAT, "users": [{"name": "Ben", "user_id": {"open_id": "ou_3"}}]});
    send("2", "im.chat.member.user.added_v1", users.clone()).await;
    assert_eq!(stand.deck.room_members(&stand.id, &chat).await.unwrap().len(), 1);
    send("3", "im.chat.member.user.deleted_v1", users).await;
    assert_eq!(stand.deck.room_members(&stand.id, &chat).await.unwrap().len(), 0);
    let id = format!("om_{:032}", 1);
    let reaction = json!({"message_id": id, "reaction_type": {"emoji_type": "OK"}, "operator_type": "user",
        "user_id": {"open_id": "ou_3"}, "action_time": "1700000006000"});
    send("4", "im.message.reaction.created_v1", reaction).await;
    let recalled = json!({"message_id": id, "chat_id": CHAT, "recall_time": "1700000005000"});
    send("5", "im.message.recalled_v1", recalled).await;
    let stored = stand.deck.history(&chat, None, 0).await.unwrap();
    assert_eq!((stored.len(), stored[0].body.recalled, stored[0].reactions.len()), (1, true, 1));
    assert!(stored[0].body.content.contains("line 1"), "a recalled message is marked, not erased");
    send("6", "im.chat.disbanded_v1", json!({"chat_id": CHAT})).await;
    assert_eq!(room().await.status, RoomStatus::Disbanded);
    assert_eq!(stand.texts().await.len(), 1, "its history stays");
    let log = stand.deck.operations(None, 10).await.unwrap();
    assert!(log.iter().any(|row| row.operation == "room.disbanded" && row.target == CHAT), "{log:?}");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_platforms_is_refused_and_counted() {
    let stand = Stand::new().await;
    let good = Request::event(KEY, &message(1));
    let refused = async |request: Request, status: u16, reason: &str| {
        let before = stand.refusals(reason).await;
        let answer = stand.send(&request).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str().unwrap()),
            (status, reason),
            "{request:?}"
        );
        assert_eq!(stand.refusals(reason).await, before + 1);
    };
    refused(Request::encrypted(KEY, &message(1)), 401, "signature_missing").await;
    refused(Request::encrypted(KEY, &message(1)).signed(&"0".repeat(64)), 401, "signature_wrong").await;
    refused(Request::event("another key", &message(1)), 401, "signature_wrong").await;
    refused(Request::encrypted("another key", &message(1)), 401, "undecipherable").await;
    refused(Request::clear(&message(1)), 401, "encryption").await;
    let mut foreign = message(1);
    foreign["header"]["token"] = json!("another");
    refused(Request::event(KEY, &foreign), 401, "token").await;
    for body in ["", "{", "\u{0}", "\"text\"", "{\"encrypt\":\"broken"] {
        refused(Request { body: body.into(), ..Request::clear(&json!({})) }, 400, "malformed").await;
    }
    for body in ["[]", "{}", "null", "{\"encrypt\":7}", "{\"encrypt\":\"\"}", "{\"encrypt\":\"AAAA\"}"] {
        let answer = stand.send(&Request { body: body.into(), ..Request::clear(&json!({})) }).await;
        assert!(matches!(answer.status, 400 | 401), "{body}: {answer:?}");
    }
    let card =
        json!({"open_id": "ou_1", "open_message_id": "om_1", "token": "c-1", "action": {"value": "ack"}});
    refused(Request::clear(&card), 401, "signature_missing").await;
    refused(Request::old_card("another", &card), 401, "signature_wrong").await;
    // Every single bit of the ciphertext's beginning, of the signature and of what is signed with it.
    for bit in (0..good.body.len().min(96) * 8).step_by(7) {
        let mut flipped = good.clone();
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        let status = stand.send(&flipped).await.status;
        assert!(status == 401 || status == 400, "bit {bit}: {status}");
    }
    for header in 1..good.headers.len() {
        let mut flipped = good.clone();
        let value = &mut flipped.headers[header].1;
        let last = if value.pop().unwrap() == '0' { '1' } else { '0' };
        value.push(last);
        assert_eq!(stand.send(&flipped).await.status, 401);
    }
    assert!(stand.texts().await.is_empty(), "nothing of it was stored");
    assert_eq!(stand.send(&good).await.status, 200);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_sizes_are_judged_before_the_body() {
    let stand = Stand::new().await;
    let good = Request::event(KEY, &message(1));
    let path = stand.path();
    let base = stand.base.clone();
    let id = stand.id.clone();
    tokio::task::spawn_blocking(move || {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = http::request(&base, method, &path, &[], b"");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        }
        let status = |path: &str, headers: &[(&str, &str)]| {
            http::request(&base, "POST", path, headers, &good.body).status
        };
        assert_eq!(status(&path, &[("content-type", "text/plain")]), 415);
        assert_eq!(status(&path, &[("content-type", "application/x-www-form-urlencoded")]), 415);
        assert_eq!(status(&path, &[("content-type", "application/json"), ("content-encoding", "gzip")]), 415);
        for other in ["/i/nobody/event", "/i/%2e%2e/event", &format!("/i/{id}x/event")] {
            assert_eq!(status(other, &[("content-type", "application/json")]), 404, "{other}");
        }
        // By its head alone: the body is never sent.
        let head =
            http::head("POST", &path, &[("content-type", "application/json"), ("content-length", "1048577")]);
        let mut stream = http::connect(&base);
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(http::read(&mut stream).unwrap().status, 413);
        // Chunked, it is cut off when it is too much.
        let chunked = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
        let mut stream = http::connect(&base);
        stream.write_all(http::head("POST", &path, &chunked).as_bytes()).unwrap();
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        for _ in 0..17 {
            // Refused in the middle, the rest may not be taken any more.
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        assert_eq!(http::read(&mut stream).unwrap().status, 413);
        // Headers without end.
        let mut stream = http::connect(&base);
        _ = stream.write_all(format!("POST {path} HTTP/1.1\r\nx: {}", "y".repeat(64 * 1024)).as_bytes());
        assert!(http::read(&mut stream).is_none_or(|answer| answer.status == 431));
    })
    .await
    .unwrap();
    assert_eq!(stand.refusals("too_large").await, 2);
    assert!(stand.texts().await.is_empty());
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_chunked_and_truncated_bodies() {
    let stand = Stand::new().await;
    let path = stand.path();
    let base = stand.base.clone();
    let (one, two) = (Request::event(KEY, &message(1)), Request::event(KEY, &message(2)));
    tokio::task::spawn_blocking(move || {
        let headers = |request: &Request, more: &[(&str, &str)]| {
            let mut all: Vec<(String, String)> = request.headers.clone();
            all.extend(more.iter().map(|(name, value)| pair(name, value)));
            let all: Vec<(&str, &str)> =
                all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            http::head("POST", &path, &all)
        };
        // Byte by byte, two requests on one connection.
        let mut stream = http::connect(&base);
        for request in [&one, &two] {
            stream.write_all(headers(request, &[("transfer-encoding", "chunked")]).as_bytes()).unwrap();
            for piece in request.body.chunks(1) {
                stream.write_all(&[b"1\r\n", piece, b"\r\n"].concat()).unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
            assert_eq!(http::read(&mut stream).unwrap().status, 200);
        }
        // Half a body, and then nothing: refused in time, and other clients do not wait for it.
        let length = one.body.len().to_string();
        let mut slow = http::connect(&base);
        slow.write_all(headers(&one, &[("content-length", &length)]).as_bytes()).unwrap();
        slow.write_all(&one.body[..one.body.len() / 2]).unwrap();
        assert_eq!(http::get(&base, "/healthz").status, 200);
        assert_eq!(http::read(&mut slow).unwrap().status, 408);
        // Half a body, and then the end.
        let mut cut = http::connect(&base);
        cut.write_all(headers(&one, &[("content-length", &length)]).as_bytes()).unwrap();
        cut.write_all(&one.body[..one.body.len() / 2]).unwrap();
        cut.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(http::read(&mut cut).is_none_or(|answer| answer.status == 400));
        // Half a head, and then nothing.
        let mut head = http::connect(&base);
        head.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").unwrap();
        assert!(http::read(&mut head).is_none_or(|answer| answer.status == 408));
    })
    .await
    .unwrap();
    assert_eq!(stand.texts().await.len(), 2);
    assert_eq!(stand.refusals("too_slow").await, 1);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_change_while_events_are_in_flight_lose_none() {
    let stand = Stand::new().await;
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 200);
    let other = open(stand.folder.path()).await;
    let mut keys = vec![KEY.to_owned()];
    for round in 0..3u32 {
        let new = format!("key of round {round}");
        // Before larkdeck knows it, it is refused; the platform sends it again.
        assert_eq!(stand.send(&Request::event(&new, &message(100 + round))).await.status, 401);
        // Another process on the same store makes the change.
        let edit = IntegrationEdit {
            encrypt_key: Edit::Set(Secret::new(new.as_str())),
            ..IntegrationEdit::default()
        };
        other.edit_integration(&stand.id, edit, CheckMode::NoCheck).await.unwrap();
        let again = Request::event(&new, &message(100 + round));
        let taken = async {
            while stand.send(&again).await.status != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), taken).await.expect("the new key is taken");
        // What was on its way under the key before is still taken; what is older is not.
        let before = keys.last().unwrap();
        assert_eq!(stand.send(&Request::event(before, &message(200 + round))).await.status, 200);
        if let [.., oldest, _] = keys.as_slice() {
            assert_eq!(stand.send(&Request::event(oldest, &message(300))).await.status, 401);
        }
        keys.push(new);
    }
    assert_eq!(stand.texts().await.len(), 7);
    other.shut().await;
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_official_sdks_sign_and_encrypt_is_taken() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/feishu.json")).unwrap();
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let mut taken = 0;
    for vector in vectors["event_signature"].as_array().unwrap() {
        let body = text(vector, "body");
        let mut request = Request { body: body.clone().into(), ..Request::clear(&json!({})) };
        request.headers.extend([
            pair("X-Lark-Request-Timestamp", &text(vector, "timestamp")),
            pair("X-Lark-Request-Nonce", &text(vector, "nonce")),
            pair("X-Lark-Signature", &text(vector, "signature")),
        ]);
        let stand = Stand::with(Some(&text(vector, "encrypt_key")), None).await;
        // What is signed but not encrypted is not taken where a key is set.
        let expected = if body.contains("\"encrypt\"") { 200 } else { 401 };
        assert_eq!(stand.send(&request).await.status, expected, "{}", text(vector, "name"));
        taken += u32::from(expected == 200);
        corruptions(&stand, &request).await;
        stand.end().await;
    }
    for vector in vectors["card_signature_v1"].as_array().unwrap() {
        let mut request = Request { body: text(vector, "body").into(), ..Request::clear(&json!({})) };
        request.headers.extend([
            pair("X-Lark-Request-Timestamp", &text(vector, "timestamp")),
            pair("X-Lark-Request-Nonce", &text(vector, "nonce")),
            pair("X-Lark-Signature", &text(vector, "signature")),
        ]);
        let stand = Stand::with(Some(KEY), Some(&text(vector, "verification_token"))).await;
        let answer = stand.send(&request).await;
        assert_eq!((answer.status, answer.json()["toast"]["type"].as_str()), (200, Some("error")));
        taken += 1;
        corruptions(&stand, &request).await;
        stand.end().await;
    }
    let vector = &vectors["url_verification"];
    let stand =
        Stand::with(Some(&text(vector, "encrypt_key")), Some(&text(vector, "verification_token"))).await;
    let body = match &vector["request_body"] {
        Value::String(body) => body.clone(),
        other => other.to_string(),
    };
    let answer = stand.send(&Request { body: body.into(), ..Request::clear(&json!({})) }).await;
    assert_eq!((answer.status, answer.json()["challenge"].as_str()), (200, Some("c-0001-abcd")));
    stand.end().await;
    assert!(taken >= 3, "{taken}");
}

/// Any change of body or head makes it another's.
async fn corruptions(stand: &Stand, request: &Request) {
    for at in [0, request.body.len() / 3, request.body.len() / 2, request.body.len() - 1] {
        let mut other = request.clone();
        other.body[at] ^= 4;
        let status = stand.send(&other).await.status;
        assert!(matches!(status, 400 | 401), "byte {at}: {status}");
    }
    let mut shorter = request.clone();
    shorter.body.pop();
    assert!(matches!(stand.send(&shorter).await.status, 400 | 401));
    let mut unsigned = request.clone();
    unsigned.headers.truncate(1);
    assert_eq!(stand.send(&unsigned).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_acts_once_or_says_what_stands_in_the_way() {
    let stand = Stand::new().await;
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 200);
    let toast = async |request: Request| {
        let answer = stand.send(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let toast = answer.json()["toast"].clone();
        assert!(toast["i18n"]["zh_cn"].is_string() && toast["i18n"]["en_us"].is_string(), "{toast}");
        (toast["type"].as_str().unwrap().to_owned(), toast["content"].as_str().unwrap().to_owned())
    };
    let (kind, said) = toast(Request::event(KEY, &press(1, "ou_ann", "ack"))).await;
    assert!(kind == "error" && said.contains("not linked") && said.contains("Workspace"), "{said}");

    for (name, open_id) in [("Ann", "ou_ann"), ("Ben", "ou_ben")] {
        let draft =
            MemberDraft { name: name.into(), email: Some(format!("{name}@x.test")), ..Default::default() };
        let member = stand.deck.add_member(draft).await.unwrap();
        let link = larkdeck::store::LinkChange {
            member: member.id,
            open_id: Some(open_id.parse().unwrap()),
            origin: larkdeck::core::member::LinkOrigin::Manual,
            reason: None,
        };
        stand.deck.store().apply_links(&stand.id, name, vec![link]).await.unwrap();
    }
    let acknowledge = Request::event(KEY, &press(2, "ou_ann", "ack"));
    assert_eq!(toast(acknowledge.clone()).await.0, "success");
    assert_eq!(toast(acknowledge).await.0, "success", "played back, it says the same");
    let (kind, said) = toast(Request::event(KEY, &press(3, "ou_ben", "ack"))).await;
    assert!(kind == "info" && said.contains("Ann"), "{said}");
    let (kind, said) = toast(Request::event(KEY, &press(4, "ou_ann", "reboot"))).await;
    assert!(kind == "warning" && said.contains("reboot"), "{said}");
    let old = json!({"open_id": "ou_ann", "open_message_id": "om_00000000000000000000000000000077",
        "open_chat_id": CHAT, "token": "c-9", "action": {"value": {"op": "ack"}, "tag": "button"}});
    assert_eq!(toast(Request::old_card(TOKEN, &old)).await.0, "success");

    let log = stand.deck.operations(None, 50).await.unwrap();
    let presses: Vec<_> = log.iter().filter(|row| row.operation == "card.press").collect();
    assert_eq!(presses.len(), 5, "a press that is played back is not logged again: {presses:?}");
    let chat: ChatId = CHAT.parse().unwrap();
    let mut changes = stand.deck.follow(larkdeck::core::ids::Seq(0));
    let told =
        async || stand.deck.transcript(&stand.id, &chat, Default::default(), 10).await.unwrap().outgoing;
    let seen = async {
        while told().await.is_empty() {
            changes.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the room is told");
    assert_eq!(told().await.len(), 1, "the room is told once");

    // Asked beforehand, the answer is the same.
    let cat = MemberDraft { name: "Cat".into(), email: Some("cat@x.test".into()), ..Default::default() };
    stand.deck.add_member(cat).await.unwrap();
    let judge = async |name: &str, action: &str| {
        let member = stand.deck.resolve_member(name).await.unwrap();
        stand.deck.preview_press(&stand.id, &member, Some(&chat), action).await.unwrap().verdict
    };
    assert_eq!(judge("Ann", "ack").await, Verdict::Done(CardOp::Acknowledge));
    assert_eq!(judge("Ann", "reboot").await, Verdict::UnknownAction("reboot".into()));
    assert_eq!(judge("Cat", "ack").await, Verdict::NotLinked);
    let over = envelope("over", "im.chat.disbanded_v1", json!({"chat_id": CHAT}));
    assert_eq!(stand.send(&Request::event(KEY, &over)).await.status, 200);
    assert_eq!(judge("Ann", "ack").await, Verdict::RoomOver);
    assert_eq!(toast(Request::event(KEY, &press(5, "ou_ann", "ack"))).await.0, "error");
    stand.deck.set_access(Access::ReadOnly);
    assert!(!judge("Ann", "ack").await.is_good());
    let log = stand.deck.operations(None, 50).await.unwrap();
    let presses = log.iter().filter(|row| row.operation == "card.press").count();
    assert_eq!(presses, 6, "asking is not logged");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_asks_the_store_and_the_way_events_come() {
    let stand = Stand::new().await;
    let base = stand.base.clone();
    let ready = async || {
        let base = base.clone();
        tokio::task::spawn_blocking(move || http::get(&base, "/readyz")).await.unwrap()
    };
    assert_eq!(ready().await.status, 200);
    let edit = IntegrationEdit { receive: Some(Receive::LongConnection), ..IntegrationEdit::default() };
    stand.deck.edit_integration(&stand.id, edit, CheckMode::NoCheck).await.unwrap();
    let answer = ready().await;
    assert_eq!((answer.status, answer.body.contains("receiving: 0 of 1")), (503, true), "{answer:?}");
    stand.deck.store().close().await;
    assert_eq!(ready().await.status, 503);
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 503);
    stand.stop.cancel();
    stand.server.await.unwrap();
}

/// A card of the app in a room of the simulator.
fn send_card(sim: &Sim, chat: &str) {
    let access = sim.access();
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_by_both_ways_is_there_once() {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let (access, control) = (sim.access().clone(), sim.control());
    let chat = control.chats()[0].0.clone();
    let folder = tempfile::tempdir().unwrap();
    let deck = open(folder.path()).await;
    let draft = IntegrationDraft {
        name: "ops".into(),
        kind: ImKind::Feishu,
        app_id: Some(access.app_id.clone()),
        base_url: Some(access.base_url.clone()),
        app_secret: Some(Secret::new(access.app_secret.clone())),
        encrypt_key: Some(Secret::new(KEY)),
        verification_token: Some(Secret::new(TOKEN)),
        receive: Receive::Both,
    };
    let id = deck.add_integration(draft, CheckMode::Check).await.unwrap().integration.id;
    let bound = Bound::take("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let server = Server::new(bound, deck.clone(), ServeOptions::default());
    let (base, stop) = (server.url(), CancellationToken::new());
    let stopped = stop.clone();
    let server = tokio::spawn(async move { server.run(stopped).await.unwrap() });
    let mut changes = deck.follow(larkdeck::core::ids::Seq(0));
    let live = async {
        while deck.integration("ops").await.unwrap().live.state
            != larkdeck::core::integration::LiveState::Live
        {
            changes.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), live).await.expect("live");

    let path = format!("/i/{id}/event");
    let mut said = Vec::new();
    for round in 0..5 {
        for _ in 0..20 {
            let speech = Speech { chat: chat.clone(), text: "rolling back".into(), ..Speech::default() };
            said.push(control.say(&speech).unwrap());
        }
        control.repeat(&said[round * 7]).unwrap();
        // The webhook's copies come in another order, some of them twice.
        let copies: Vec<String> = said.iter().rev().step_by(round + 1).cloned().collect();
        for message_id in copies {
            let mut body = message(0);
            body["header"]["event_id"] = json!(format!("w-{message_id}"));
            body["event"]["message"]["message_id"] = json!(message_id);
            body["event"]["message"]["chat_id"] = json!(chat);
            let request = Request::event(KEY, &body);
            let (base, path) = (base.clone(), path.clone());
            let answer = tokio::task::spawn_blocking(move || {
                let headers: Vec<(&str, &str)> =
                    request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                http::request(&base, "POST", &path, &headers, &request.body)
            });
            assert_eq!(answer.await.unwrap().status, 200);
        }
    }
    let stored = async || deck.history(&chat.parse().unwrap(), None, 0).await.unwrap();
    let all = async {
        while stored().await.len() < control.messages(&chat).len() {
            changes.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all are there");
    let mut ids: Vec<String> = stored().await.iter().map(|one| one.body.message_id.to_string()).collect();
    ids.sort();
    let mut wanted: Vec<String> = control.messages(&chat).into_iter().map(|(id, ..)| id).collect();
    wanted.sort();
    assert_eq!(ids, wanted);

    // A press by the long connection is judged by the same code as one by webhook.
    let cards = chat.clone();
    let sim = tokio::task::spawn_blocking(move || {
        send_card(&sim, &cards);
        sim
    })
    .await
    .unwrap();
    let pressed = control.press("", "").await.unwrap();
    let toast = pressed.answer.unwrap()["toast"].clone();
    assert_eq!((toast["type"].as_str(), pressed.code), (Some("error"), Some(200)), "{toast}");
    assert!(toast["i18n"]["zh_cn"].as_str().unwrap().contains("工作台"), "{toast}");
    stop.cancel();
    server.await.unwrap();
    deck.shut().await;
    drop(sim);
}

/// Speaks TLS with whoever shows the certificate of that file, and asks whether it is alive.
async fn is_alive(base: &str, cert: &str) -> bool {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(base.trim_start_matches("https://")).await.unwrap();
    let name = ServerName::try_from("deck.test").unwrap();
    let Ok(mut stream) = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
    else {
        return false;
    };
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (one, two) = (include_str!("tls/one.cert.pem"), include_str!("tls/two.cert.pem"));
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, one).unwrap();
    std::fs::write(&key, include_str!("tls/one.key.pem")).unwrap();
    let files = larkdeck::server::TlsFiles { cert: cert.clone(), key: key.clone() };
    let listen = || "127.0.0.1:0".parse().unwrap();
    let bound = Bound::take(listen(), Some(files.clone())).await.unwrap();
    let deck = open(folder.path()).await;
    let server = Server::new(bound, deck.clone(), ServeOptions::default());
    let (base, stop) = (server.url(), CancellationToken::new());
    assert!(base.starts_with("https://"), "{base}");
    let stopped = stop.clone();
    let server = tokio::spawn(async move { server.run(stopped).await.unwrap() });
    assert!(is_alive(&base, one).await);
    assert!(!is_alive(&base, two).await);
    // Between the two writes the pair does not fit: the certificate before stays.
    std::fs::write(&cert, two).unwrap();
    assert!(is_alive(&base, one).await);
    std::fs::write(&key, include_str!("tls/two.key.pem")).unwrap();
    let shown = async {
        while !is_alive(&base, two).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), shown).await.expect("the new certificate is shown");
    assert!(!is_alive(&base, one).await);
    stop.cancel();
    server.await.unwrap();
    deck.shut().await;

    std::fs::write(&key, "no key").unwrap();
    let fault = Bound::take(listen(), Some(files)).await.unwrap_err();
    assert_eq!(fault.kind, larkdeck::core::error::Kind::Config);
}
