//! The vectors that two official SDKs made or accepted, and events of every kind.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    crypto::{card_signature_v1, decrypt, encrypt, event_signature, pkce_s256, webhook_sign},
    *,
};
use crate::core::{message::SenderKind, secret::Secret};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/feishu.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn encryption_is_the_sdks() {
    for vector in vectors()["encrypt"].as_array().unwrap() {
        let (key, sealed, plain) =
            (text(vector, "encrypt_key"), text(vector, "encrypt"), text(vector, "plaintext"));
        let iv: [u8; 16] = unhex(text(vector, "iv_hex")).try_into().unwrap();
        assert_eq!(String::from_utf8(decrypt(key, sealed).unwrap()).unwrap(), plain);
        assert_eq!(encrypt(key, plain.as_bytes(), &iv), sealed);
    }
    let example = &vectors()["decrypt_documentation_example"];
    let plain = decrypt(text(example, "encrypt_key"), text(example, "encrypt")).unwrap();
    assert_eq!(plain, text(example, "plaintext").as_bytes());
}

#[test]
fn signatures_are_the_sdks() {
    let all = vectors();
    for v in all["event_signature"].as_array().unwrap() {
        let body = text(v, "body").as_bytes();
        let made = event_signature(text(v, "timestamp"), text(v, "nonce"), text(v, "encrypt_key"), body);
        assert_eq!(made, text(v, "signature"));
    }
    for v in all["card_signature_v1"].as_array().unwrap() {
        let body = text(v, "body").as_bytes();
        let made =
            card_signature_v1(text(v, "timestamp"), text(v, "nonce"), text(v, "verification_token"), body);
        assert_eq!(made, text(v, "signature"));
    }
    for v in all["custom_bot_webhook_sign"]["vectors"].as_array().unwrap() {
        assert_eq!(webhook_sign(text(v, "timestamp"), text(v, "secret")), text(v, "sign"));
    }
    let pkce = &all["pkce_s256"];
    assert_eq!(pkce_s256(text(pkce, "code_verifier")), text(pkce, "code_challenge"));
}

#[test]
fn the_door_opens_to_what_the_platform_signed() {
    let all = vectors();
    for v in all["event_signature"].as_array().unwrap() {
        let body = text(v, "body");
        if !body.contains("encrypt") {
            continue;
        }
        let keys = EventKeys::new(Some(Secret::new(text(v, "encrypt_key"))), None);
        let signed = Signed {
            timestamp: text(v, "timestamp"),
            nonce: text(v, "nonce"),
            signature: text(v, "signature"),
        };
        assert!(matches!(keys.open(signed, body.as_bytes()), Ok(Opened::Event(_))), "{}", text(v, "name"));
        let forged = Signed { nonce: "other", ..signed };
        assert_eq!(keys.open(forged, body.as_bytes()), Err(EventError::Signature("wrong")));
        assert_eq!(keys.open(Signed::default(), body.as_bytes()), Err(EventError::Signature("missing")));
        let other = EventKeys::new(Some(Secret::new(text(v, "encrypt_key"))), Some(Secret::new("another")));
        assert_eq!(other.open(signed, body.as_bytes()), Err(EventError::Token));
        let keyless = EventKeys::new(None, None);
        assert!(matches!(keyless.open(signed, body.as_bytes()), Err(EventError::Encryption(_))));
    }
    for v in all["card_signature_v1"].as_array().unwrap() {
        let keys = EventKeys::new(Some(Secret::new("k")), Some(Secret::new(text(v, "verification_token"))));
        let signed = Signed {
            timestamp: text(v, "timestamp"),
            nonce: text(v, "nonce"),
            signature: text(v, "signature"),
        };
        let Ok(Opened::Event(event)) = keys.open(signed, text(v, "body").as_bytes()) else { panic!() };
        assert_eq!(event.event_type, "card.action.trigger_v1");
        let forged = Signed { timestamp: "1", ..signed };
        assert_eq!(keys.open(forged, text(v, "body").as_bytes()), Err(EventError::Signature("wrong")));
    }
}

#[test]
fn a_challenge_needs_the_token_and_no_signature() {
    let v = &vectors()["url_verification"];
    let body = match &v["request_body"] {
        Value::String(body) => body.clone(),
        other => other.to_string(),
    };
    let keys =
        |token: &str| EventKeys::new(Some(Secret::new(text(v, "encrypt_key"))), Some(Secret::new(token)));
    let opened = keys(text(v, "verification_token")).open(Signed::default(), body.as_bytes());
    assert_eq!(opened, Ok(Opened::Challenge("c-0001-abcd".to_owned())));
    assert_eq!(keys("other").open(Signed::default(), body.as_bytes()), Err(EventError::Token));
    let clear = br#"{"challenge":"c","token":"t","type":"url_verification"}"#;
    let opened = EventKeys::new(None, Some(Secret::new("t"))).open(Signed::default(), clear);
    assert_eq!(opened, Ok(Opened::Challenge("c".to_owned())));
}

#[test]
fn with_an_encrypt_key_nothing_comes_in_the_clear() {
    let keys = EventKeys::new(Some(Secret::new("k")), Some(Secret::new("t")));
    let body = br#"{"schema":"2.0","header":{"event_type":"x","token":"t"},"event":{}}"#;
    assert!(matches!(keys.open(Signed::default(), body), Err(EventError::Encryption(_))));
}

fn v2(kind: &str, event: Value) -> Event {
    let body = json!({"schema":"2.0","header":{"event_id":"e1","event_type":kind,"create_time":"1700000000123",
        "token":"t","app_id":"cli_a000000000000001","tenant_key":"tk"},"event":event,"later":[1]});
    let incoming = parse(body.to_string().as_bytes()).unwrap();
    assert_eq!((incoming.event_id.as_str(), incoming.event_type.as_str()), ("e1", kind));
    assert_eq!(incoming.created_at.unwrap().ms(), 1_700_000_000_123);
    incoming.event
}

#[test]
fn messages_are_read() {
    let event = v2(
        "im.message.receive_v1",
        json!({"sender":{"sender_id":{"union_id":"on_1","user_id":null,"open_id":"ou_1"},"sender_type":"user","tenant_key":"tk"},
            "message":{"message_id":"om_2","root_id":"om_1","parent_id":"","create_time":"1700000000000","chat_id":"oc_1",
            "thread_id":"omt_1","chat_type":"topic_group","message_type":"text","content":"{\"text\":\"@_user_1 \\u0041\"}",
            "mentions":[{"key":"@_user_1","id":{"open_id":"ou_9"},"name":"Bot"},{"key":"@_all","id":{"open_id":""},"name":""},
            {"key":"@_user_3","id":"ou_3","name":"C"}]}}),
    );
    let Event::Message { message, chat_type } = event else { panic!("{event:?}") };
    assert_eq!(chat_type, ChatType::Group);
    assert_eq!(message.content, "{\"text\":\"@_user_1 \\u0041\"}");
    assert_eq!((message.sender.id.as_str(), message.sender.kind), ("ou_1", SenderKind::User));
    assert_eq!(message.mentions.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["ou_9", "all", "ou_3"]);
    assert_eq!((message.parent_id, message.updated_at), (None, None));
}

#[test]
fn a_bots_message_is_a_bots() {
    let event = v2(
        "im.message.receive_v1",
        json!({"sender":{"sender_id":null,"sender_type":"bot"},
            "message":{"message_id":"om_2","create_time":1_700_000_000_000_123_i64,"chat_id":"oc_1","chat_type":"p2p",
            "message_type":"text","content":{"text":"odd"}}}),
    );
    let Event::Message { message, chat_type } = event else { panic!("{event:?}") };
    assert_eq!((message.sender.kind, chat_type), (SenderKind::Bot, ChatType::P2p));
    assert_eq!(message.content, r#"{"text":"odd"}"#);
    assert_eq!(message.created_at.ms(), 1_700_000_000_000);
}

#[test]
fn chats_and_their_people_are_read() {
    let chat: ChatId = "oc_1".parse().unwrap();
    let base = json!({"chat_id":"oc_1","operator_id":{"open_id":"ou_1"},"name":"Incident 42","i18n_names":{"zh_cn":""},
        "users":[{"name":"Ben","tenant_key":"tk","user_id":{"open_id":"ou_3"}},{"name":"ghost","user_id":null}],
        "after_change":{"name":"New","owner_id":{"open_id":"x"}},"before_change":{"name":"Old"}});
    let event = |kind: &str| v2(kind, base.clone());
    assert_eq!(
        event("im.chat.disbanded_v1"),
        Event::ChatDisbanded { chat_id: chat.clone(), operator: Some("ou_1".parse().unwrap()) }
    );
    let name = "Incident 42".to_owned();
    assert_eq!(
        event("im.chat.member.bot.added_v1"),
        Event::BotAdded { chat_id: chat.clone(), name: name.clone() }
    );
    assert_eq!(event("im.chat.member.bot.deleted_v1"), Event::BotRemoved { chat_id: chat.clone(), name });
    let people = vec![Person { open_id: "ou_3".parse().unwrap(), name: "Ben".into() }];
    assert_eq!(
        event("im.chat.member.user.added_v1"),
        Event::MembersAdded { chat_id: chat.clone(), people: people.clone() }
    );
    for kind in ["im.chat.member.user.deleted_v1", "im.chat.member.user.withdrawn_v1"] {
        assert_eq!(event(kind), Event::MembersLeft { chat_id: chat.clone(), people: people.clone() });
    }
    assert_eq!(
        event("im.chat.updated_v1"),
        Event::ChatUpdated { chat_id: chat, name: Some("New".into()), description: None }
    );
}

#[test]
fn what_happens_to_messages_is_read() {
    assert!(matches!(
        v2(
            "im.message.recalled_v1",
            json!({"message_id":"om_2","chat_id":"oc_1","recall_time":"1700000005000"})
        ),
        Event::MessageRecalled { at: Some(_), .. }
    ));
    let reaction = json!({"message_id":"om_2","reaction_type":{"emoji_type":"THUMBSUP"},"operator_type":"app","app_id":"cli_1","action_time":"1700000006000"});
    let Event::Reaction { emoji, is_added: false, operator, .. } =
        v2("im.message.reaction.deleted_v1", reaction)
    else {
        panic!()
    };
    assert_eq!((emoji.as_str(), operator.id.as_str(), operator.kind), ("THUMBSUP", "cli_1", SenderKind::Bot));
    let read = json!({"reader":{"reader_id":{"open_id":"ou_1"},"read_time":"1700000007000"},"message_id_list":["om_1","om_2"]});
    assert!(
        matches!(v2("im.message.message_read_v1", read), Event::MessageRead { message_ids, .. } if message_ids.len() == 2)
    );
    let user =
        json!({"object":{"open_id":"ou_1","name":"Ann","status":{"is_resigned":true}},"old_object":{}});
    assert!(matches!(v2("contact.user.updated_v3", user), Event::UserUpdated { is_resigned: true, .. }));
    assert_eq!(v2("corehr.something_v9", json!({"x":1})), Event::Unknown);
}

#[test]
fn both_card_callbacks_are_read() {
    let new = json!({"operator":{"open_id":"ou_1"},"token":"c-1","action":{"value":"plain","tag":"select_static","option":"a",
        "form_value":{"note":"x"}},"context":{"open_message_id":"om_2","open_chat_id":"oc_1"}});
    let Event::CardAction(card) = v2("card.action.trigger", new) else { panic!() };
    assert_eq!((card.token.as_str(), card.value, card.is_legacy), ("c-1", json!("plain"), false));
    assert_eq!(card.chat_id.unwrap().as_str(), "oc_1");
    let old = br#"{"open_id":"ou_1","open_message_id":"om_2","tenant_key":"tk","token":"c-2","action":{"value":{"op":"ack"},"tag":"button"}}"#;
    let Event::CardAction(card) = parse(old).unwrap().event else { panic!() };
    assert_eq!((card.token.as_str(), card.is_legacy, card.operator.unwrap().as_str()), ("c-2", true, "ou_1"));
}

#[test]
fn the_old_envelope_is_read() {
    let body = br#"{"ts":"1502199207.7171419","uuid":"u1","token":"t","type":"event_callback","event":{"type":"leave_approval","app_id":"cli_a000000000000001","tenant_key":"tk"}}"#;
    let incoming = parse(body).unwrap();
    assert_eq!((incoming.event_id.as_str(), incoming.event_type.as_str()), ("u1", "leave_approval"));
    assert_eq!(incoming.created_at.unwrap().ms(), 1_502_199_207_717);
    assert_eq!(incoming.event, Event::Unknown);
}

#[test]
fn what_lacks_its_id_is_an_error() {
    for kind in ["im.message.receive_v1", "im.chat.disbanded_v1", "im.message.recalled_v1"] {
        let body = json!({"header":{"event_type":kind},"event":{"message":{}}}).to_string();
        assert!(matches!(parse(body.as_bytes()), Err(EventError::Incomplete { .. })), "{kind}");
    }
    for bad in ["", "[]", "{}", "null", "{\"header\":3}", "<html>"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let keys = EventKeys::new(Some(Secret::new("k")), Some(Secret::new("t")));
        let _ = keys.open(Signed::default(), &bytes);
        let body = json!({"encrypt": STANDARD.encode(&bytes)}).to_string();
        let _ = keys.open(Signed::default(), body.as_bytes());
    }

    #[test]
    fn known_kinds_with_wild_members_never_panic(
        kind in prop::sample::select(vec!["im.message.receive_v1", "im.chat.updated_v1", "im.chat.member.user.added_v1",
            "im.message.reaction.created_v1", "im.message.message_read_v1", "card.action.trigger", "contact.user.updated_v3"]),
        name in prop::sample::select(vec!["message", "sender", "users", "mentions", "chat_id", "action", "object", "reader"]),
        value in prop::sample::select(vec![json!(null), json!(1), json!("x"), json!([]), json!([[1]]), json!({"id": 1}), json!({"mentions": 3})]),
    ) {
        let body = json!({"header":{"event_type":kind},"event":{name: value}}).to_string();
        let _ = parse(body.as_bytes());
    }

    #[test]
    fn what_was_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..200), key in "\\PC{1,32}", iv in any::<[u8; 16]>()) {
        prop_assert_eq!(decrypt(&key, &encrypt(&key, &plain, &iv)).unwrap(), plain);
    }
}
