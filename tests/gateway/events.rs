//! Verification and events: each is taken once, and moves its room.

use std::time::Duration;

use larkdeck::{
    core::{ids::ChatId, message::Via, room::RoomStatus, secret::Secret},
    service::{CheckMode, Edit, IntegrationEdit},
};
use serde_json::{Value, json};

use crate::{
    common::deck,
    stand::{CHAT, KEY, Request, Stand, TOKEN, envelope, message, pair},
};

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
async fn keys_that_change_while_events_are_in_flight_lose_none() {
    let stand = Stand::new().await;
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 200);
    let other = deck::open(stand.folder.path(), "other").await;
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
    let vectors: Value = serde_json::from_str(include_str!("../vectors/feishu.json")).unwrap();
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
