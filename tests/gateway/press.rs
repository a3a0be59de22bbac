//! A press on a card acts once, or says what stands in its way.

use std::time::Duration;

use larkdeck::{
    core::ids::ChatId,
    service::{Access, CardOp, MemberDraft, Verdict},
};
use serde_json::json;

use crate::stand::{CHAT, KEY, Request, Stand, TOKEN, envelope, message, press};

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

/// Linked, licensed, allowed: the first that fails is what is said, to whoever presses and to whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_takes_a_link_a_licence_and_a_larkdeck_that_may_act() {
    let stand = Stand::new().await;
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 200);
    let chat: ChatId = CHAT.parse().unwrap();
    let licences = [None, Some("fixed"), Some("temporary"), Some("none")];
    let mut no = 10;
    for (linked, licence, may_act) in combinations(&licences) {
        no += 1;
        let name = format!("P{no}");
        let open_id = format!("ou_p{no}");
        stand.deck.set_access(Access::Write);
        let draft = MemberDraft {
            name: name.clone(),
            email: Some(format!("{name}@x.test")),
            licence: licence.map(str::to_owned),
            ..Default::default()
        };
        let member = stand.deck.add_member(draft).await.unwrap();
        if linked {
            let link = larkdeck::store::LinkChange {
                member: member.id.clone(),
                open_id: Some(open_id.parse().unwrap()),
                origin: larkdeck::core::member::LinkOrigin::Manual,
                reason: None,
            };
            stand.deck.store().apply_links(&stand.id, &name, vec![link]).await.unwrap();
        }
        stand.deck.set_access(if may_act { Access::Write } else { Access::ReadOnly });
        let wanted = match (linked, licence, may_act) {
            (false, ..) => "not_linked",
            (true, Some("none"), _) => "no_licence",
            (true, _, false) => "read_only",
            // A licence that nobody tells of refuses nobody.
            (true, _, true) => "ok",
        };
        let asked = stand.deck.preview_press(&stand.id, &member.id, Some(&chat), "ack").await.unwrap();
        assert_eq!(asked.verdict.code(), wanted, "{linked} {licence:?} {may_act}");
        let answer = stand.send(&Request::event(KEY, &press(no, &open_id, "ack"))).await;
        let said = answer.json()["toast"]["i18n"]["en_us"].as_str().unwrap().to_owned();
        match wanted {
            // Whoever was first has done it for all.
            "ok" => assert!(said.contains("cknowledged"), "{said}"),
            _ => assert_eq!(said, asked.verdict.text(larkdeck::core::lang::Lang::En)),
        }
        if wanted == "no_licence" {
            assert!(said.contains("no licence") && said.contains("Billing Center"), "{said}");
            assert!(answer.json()["toast"]["i18n"]["zh_cn"].as_str().unwrap().contains("许可证"));
        }
    }
}

/// Every combination.
fn combinations<'a>(licences: &'a [Option<&'a str>]) -> impl Iterator<Item = (bool, Option<&'a str>, bool)> {
    let linked = [false, true].into_iter();
    linked.flat_map(|linked| {
        licences.iter().flat_map(move |licence| [true, false].map(|may_act| (linked, *licence, may_act)))
    })
}
