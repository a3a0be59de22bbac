//! The service against the simulator: linking, sending, and a room that misses nothing when sockets drop
//! and holders die.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::collections::BTreeSet;

use common::{
    PATIENCE,
    deck::{self, open},
};

use larkdeck::{
    core::{
        ids::{ChatId, IntegrationId, Seq},
        integration::{LiveState, Receive},
        member::{Filter, Reason},
        message::{NewMessage, Sender, SenderKind, Via},
        time::Timestamp,
    },
    service::{Access, Deck, Draft, LinkOutcome, LinkScope, LiveMode, MemberQuery},
    sim::{Control, Scenario, Sim, SimOptions, Speech},
    store::{Incoming, IngestItem},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

async fn platform() -> (Sim, Control, ChatId) {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let control = sim.control();
    let chat = control.chats()[0].0.parse().unwrap();
    (sim, control, chat)
}

async fn connect(deck: &Deck, sim: &Sim) -> IntegrationId {
    deck::connect(deck, sim.access(), Receive::LongConnection).await
}

async fn link_all(deck: &Deck, integration: &IntegrationId) -> larkdeck::service::LinkSummary {
    let plan = deck.plan_link(integration, LinkScope::Unlinked).await.unwrap();
    let (progress, _looked_at) = mpsc::channel(8);
    deck.run_link(plan, progress, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn a_roster_is_linked_and_the_linking_undone() {
    let (sim, control, _) = platform().await;
    let folder = tempfile::tempdir().unwrap();
    let deck = open(folder.path(), "ann").await;
    let integration = connect(&deck, &sim).await;
    let csv = format!("{}\n", control.members_csv().trim_end());
    let report = deck.import_members(csv.as_bytes(), false).await.unwrap();
    assert!(report.added > 0 && report.rejected.is_empty(), "{report:?}");
    deck.import_members(
        &b"name,email,phone\nNobody,nobody@nowhere.test,\nAlien,,2025550100\nMute,,\n"[..],
        false,
    )
    .await
    .unwrap();

    let summary = link_all(&deck, &integration).await;
    assert_eq!(summary.stopped, None);
    assert_eq!(u64::try_from(summary.linked).unwrap(), report.added);
    let reasons: BTreeSet<&str> = summary
        .results
        .iter()
        .filter_map(|one| match one.outcome {
            LinkOutcome::Unlinked(reason) => Some(reason.code()),
            _ => None,
        })
        .collect();
    let expected = [Reason::NotFound, Reason::PhoneNeedsCountryCode, Reason::NoContact].map(Reason::code);
    assert_eq!(reasons, BTreeSet::from(expected));

    let again = link_all(&deck, &integration).await;
    assert_eq!((again.linked, again.unlinked), (0, 3));
    let query = MemberQuery { filter: Filter::Unlinked, search: "nobody".into(), offset: 0, limit: 10 };
    assert_eq!(deck.members(Some(&integration), query).await.unwrap().total, 1);

    let undone = deck.undo_link(&integration, Some(&summary.batch)).await.unwrap();
    assert_eq!(undone.restored.len(), summary.linked);
    let all = MemberQuery { limit: 1, ..MemberQuery::default() };
    assert_eq!(deck.members(Some(&integration), all).await.unwrap().counts.linked, 0);
    assert_eq!(control.counters().over, 0);
    deck.shut().await;
}

#[tokio::test]
async fn a_message_is_sent_once_although_the_token_is_revoked() {
    let (sim, control, chat) = platform().await;
    let folder = tempfile::tempdir().unwrap();
    let deck = open(folder.path(), "ann").await;
    let integration = connect(&deck, &sim).await;
    deck.refresh_rooms(&integration).await.unwrap();
    control.revoke_tokens();
    let draft =
        Draft { chat_id: chat.clone(), text: "rolling back".into(), reply_to: None, in_thread: false };
    let message = deck.send_and_wait(&integration, draft).await.unwrap();
    let there: Vec<_> = control
        .messages(chat.as_str())
        .into_iter()
        .filter(|(id, ..)| *id == message.body.message_id.as_str())
        .collect();
    assert_eq!(there.len(), 1);
    let page = deck.transcript(&integration, &chat, Default::default(), 10).await.unwrap();
    assert_eq!(page.messages.iter().filter(|one| one.body.content.contains("rolling back")).count(), 1);
    assert!(page.outgoing.is_empty());

    deck.set_access(Access::ReadOnly);
    let draft = Draft { chat_id: chat, text: "no".into(), reply_to: None, in_thread: false };
    let fault = deck.send(&integration, draft).await.unwrap_err();
    assert_eq!(fault.kind, larkdeck::core::error::Kind::Refused);
    deck.shut().await;
}

/// Waits until the room shows every one of `wanted`, each once; the feed wakes it.
async fn has_all(deck: &Deck, chat: &ChatId, wanted: &[String]) {
    let mut follow = deck.follow(Seq(0));
    let seen = async {
        loop {
            let known = deck.history(chat, None, 0).await.unwrap();
            let ids: Vec<&str> = known.iter().map(|one| one.body.message_id.as_str()).collect();
            let unique: BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(unique.len(), ids.len(), "a message twice");
            if wanted.iter().all(|id| unique.contains(id.as_str())) {
                return;
            }
            follow.next().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("messages are missing");
}

async fn is_live(deck: &Deck, by: &str) {
    let mut follow = deck.follow(Seq(0));
    let live = async {
        loop {
            let view = deck.integration("ops").await.unwrap();
            if view.live.state == LiveState::Live && view.live.holder.is_some_and(|holder| holder.user == by)
            {
                return;
            }
            follow.next().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, live).await.expect("not live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_is_given_the_newest_of_a_flood_in_its_room() {
    let (sim, control, chat) = platform().await;
    let folder = tempfile::tempdir().unwrap();
    let ann = open(folder.path(), "ann").await;
    let integration = connect(&ann, &sim).await;
    let other: ChatId = control.chats()[1].0.parse().unwrap();
    let item = |n: i64, chat: &ChatId| IngestItem {
        integration: integration.clone(),
        event_id: None,
        via: Via::Live,
        what: Incoming::Message { message: message(n, chat), own: false },
    };
    let after = ann.head().await.unwrap();
    // The newest by time is learned first.
    let mut items = vec![item(1_000, &chat)];
    items.extend((0..120).map(|n| item(n, &chat)));
    items.extend((0..40).map(|n| item(5_000 + n, &other)));
    ann.store().ingest(items).await.unwrap();

    let mut follow = ann.follow(after);
    let batch = follow.next_for(|| Some(chat.clone()), 50).await.unwrap();
    let newest: BTreeSet<i64> = batch.messages.iter().map(|one| one.body.created_at.ms()).collect();
    assert_eq!(newest, (71..120).chain([1_000]).collect());
    assert_eq!(batch.left_out, Some((chat.clone(), 71)));
    assert!(batch.rooms.contains(&chat) && batch.rooms.contains(&other));

    let batch = ann.follow(after).next_for(|| Some(other.clone()), 50).await.unwrap();
    assert_eq!((batch.messages.len(), batch.left_out), (40, None));
    assert!(batch.messages.iter().all(|one| one.body.chat_id == other));
    assert_eq!(ann.follow(after).next().await.unwrap().messages.len(), 161);
    ann.shut().await;
}

fn message(n: i64, chat: &ChatId) -> NewMessage {
    NewMessage {
        chat_id: chat.clone(),
        message_id: format!("om_{n:08}").parse().unwrap(),
        root_id: None,
        parent_id: None,
        thread_id: None,
        sender: Sender { id: "ou_1".into(), name: None, kind: SenderKind::User },
        msg_type: "text".into(),
        content: r#"{"text":"hello"}"#.into(),
        mentions: Vec::new(),
        created_at: Timestamp::from_ms(n),
        updated_at: None,
        edited: false,
        recalled: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_misses_nothing_when_sockets_drop_and_holders_die() {
    let (sim, control, chat) = platform().await;
    let folder = tempfile::tempdir().unwrap();
    let ann = open(folder.path(), "ann").await;
    let bob = open(folder.path(), "bob").await;
    let integration = connect(&ann, &sim).await;
    let holder = ann.go_live(&integration, LiveMode::TakePart);
    is_live(&ann, "ann").await;
    let follower = bob.go_live(&integration, LiveMode::TakePart);
    is_live(&bob, "ann").await;

    let say = |n: u32| {
        let speech = Speech { chat: chat.to_string(), text: format!("line {n}"), ..Speech::default() };
        control.say(&speech).unwrap()
    };
    for n in 0..20 {
        let id = say(n);
        if n % 5 == 0 {
            control.repeat(&id).unwrap();
        }
        if n == 10 {
            control.drop_connections();
        }
    }
    has_all(&bob, &chat, &said_of(&control, &chat)).await;

    // Ann's process goes without a word: nothing is released, the socket just ends.
    ann.store().close().await;
    for n in 20..30 {
        say(n);
    }
    is_live(&bob, "bob").await;
    has_all(&bob, &chat, &said_of(&control, &chat)).await;
    follower.stop().await;
    assert_eq!(bob.integration("ops").await.unwrap().live.state, LiveState::Off);
    drop(holder);
    bob.shut().await;
}

/// What the platform has of the room.
fn said_of(control: &Control, chat: &ChatId) -> Vec<String> {
    control.messages(chat.as_str()).into_iter().map(|(id, _, _)| id).collect()
}
