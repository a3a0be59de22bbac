//! The simulator's own pushes: it verifies the URL, seals, signs and repeats, and all of it is stored once.

use std::{path::PathBuf, time::Duration};

use larkdeck::{
    core::{
        ids::{ChatId, IntegrationId, MessageId, Seq},
        integration::Receive,
        message::{Message, Via},
        room::RoomStatus,
        secret::Secret,
    },
    server::{Bound, TlsFiles},
    service::{CheckMode, Deck, Edit, IntegrationDraft, IntegrationEdit, LiveMode},
    sim::{
        Control, Fault, FaultKind, Leaving, PersonChange, Scenario, Sim, SimOptions, Speech, Way, WebhookPlan,
    },
};

use crate::{
    common::{PATIENCE, deck},
    stand::Serving,
};

/// The simulator, a deck of its app, and a gateway.
struct Street {
    sim: Sim,
    control: Control,
    chat: ChatId,
    folder: tempfile::TempDir,
    deck: Deck,
    id: IntegrationId,
    serving: Serving,
}

impl Street {
    async fn new(change: impl FnOnce(&mut Scenario), tls: Option<TlsFiles>) -> Self {
        let mut scenario = Scenario::still().unwrap();
        // 15 s and 5 min pass in 0.1 s and 2 s.
        scenario.clock.scale = 150.0;
        for scope in ["contact:user.employee:readonly", "im:message.p2p_msg:readonly"] {
            scenario.app.scopes.push(scope.to_owned());
        }
        change(&mut scenario);
        let sim = Sim::start(SimOptions::local(scenario)).await.unwrap();
        let control = sim.control();
        let chat = control.chats()[0].0.parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let deck = deck::open(folder.path(), "serve").await;
        let access = sim.access();
        let draft = IntegrationDraft {
            encrypt_key: Some(Secret::new(access.encrypt_key.clone()))
                .filter(|_| !access.encrypt_key.is_empty()),
            ..deck::draft_of(access, Receive::Webhook)
        };
        let id = deck.add_integration(draft, CheckMode::Check).await.unwrap().integration.id;
        let bound = Bound::take("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
        let serving = Serving::start_at(&deck, LiveMode::NoSocket, bound);
        Self { sim, control, chat, folder, deck, id, serving }
    }

    async fn verified(change: impl FnOnce(&mut Scenario)) -> Self {
        let street = Self::new(change, None).await;
        street.control.set_webhook("", street.plan()).await.unwrap();
        street
    }

    fn url(&self) -> String {
        format!("{}/i/{}/event", self.serving.url, self.id)
    }

    fn plan(&self) -> WebhookPlan {
        WebhookPlan { mode: Way::Webhook, url: self.url(), ..WebhookPlan::default() }
    }

    fn say(&self, text: &str) -> MessageId {
        let speech = Speech { chat: self.chat.to_string(), text: text.into(), ..Speech::default() };
        self.control.say(&speech).unwrap().parse().unwrap()
    }

    /// What the platform has pushed is answered, all of it.
    #[track_caller]
    fn acked(&self) -> impl Future<Output = ()> {
        let control = self.control.clone();
        async move { assert!(control.wait_acked(PATIENCE).await, "{:?}", control.pushes()) }
    }

    async fn stored(&self) -> Vec<Message> {
        self.deck.history(&self.chat, None, 0).await.unwrap()
    }

    async fn times(&self, id: &MessageId) -> usize {
        self.stored().await.iter().filter(|one| one.body.message_id == *id).count()
    }

    async fn status(&self, chat: &ChatId) -> RoomStatus {
        self.deck.room(&self.id, chat).await.unwrap().status
    }

    /// The statuses with which pushes of this kind were answered; none: not at all.
    fn statuses(&self, event_type: &str) -> Vec<Option<u16>> {
        let pushes = self.control.pushes();
        pushes.into_iter().filter(|push| push.event_type == event_type).map(|push| push.status).collect()
    }

    async fn set_key(&self, key: &str) {
        let edit = IntegrationEdit { encrypt_key: Edit::Set(Secret::new(key)), ..IntegrationEdit::default() };
        self.deck.edit_integration(&self.id, edit, CheckMode::NoCheck).await.unwrap();
    }

    async fn end(self) {
        self.serving.end().await;
        self.deck.shut().await;
        drop(self.sim);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_verifies_the_url_with_and_without_a_key() {
    for key in ["sim-encrypt-key-0001", ""] {
        let street = Street::new(|scenario| scenario.app.encrypt_key = key.to_owned(), None).await;
        for sign_challenge in [false, true] {
            street.control.set_webhook("", WebhookPlan { sign_challenge, ..street.plan() }).await.unwrap();
        }
        let id = street.say("sealed or not");
        street.acked().await;
        assert_eq!(street.times(&id).await, 1);
        street.end().await;
    }
    // Keys that differ from the start.
    let street = Street::new(|_| {}, None).await;
    street.set_key("another key").await;
    let refused = street.control.set_webhook("", street.plan()).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    street.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_pushes_to_the_gateways_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = TlsFiles {
        cert: file("cert.pem", include_str!("../tls/one.cert.pem")),
        key: file("key.pem", include_str!("../tls/one.key.pem")),
    };
    let street = Street::new(|_| {}, Some(tls)).await;
    assert!(street.url().starts_with("https://127.0.0.1:"));
    street.control.set_webhook("", street.plan()).await.unwrap();
    let id = street.say("over TLS");
    street.acked().await;
    assert_eq!(street.times(&id).await, 1);
    street.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_there_happens_here() {
    let street = Street::verified(|_| {}).await;
    let (control, chat) = (&street.control, street.chat.as_str());
    let first = street.say("first");
    street.acked().await;
    let stored = &street.stored().await[0];
    assert_eq!((stored.via, street.times(&first).await), (Via::Webhook, 1));

    control.react(first.as_str(), "王伟", "THUMBSUP", true).unwrap();
    street.acked().await;
    assert_eq!(street.stored().await[0].reactions.len(), 1);
    control.react(first.as_str(), "王伟", "THUMBSUP", false).unwrap();
    control.recall(first.as_str()).unwrap();
    street.acked().await;
    let stored = &street.stored().await[0];
    assert_eq!((stored.reactions.len(), stored.body.recalled), (0, true));

    let people = control.members_csv();
    let stranger = people.lines().last().unwrap().split('"').nth(1).unwrap();
    let members = async || street.deck.room_members(&street.id, &street.chat).await.unwrap();
    let is_in = async || members().await.iter().any(|one| one.name == stranger);
    for how in [Leaving::Withdrawn, Leaving::Gone] {
        control.join(chat, stranger).unwrap();
        street.acked().await;
        assert!(is_in().await, "{how:?}");
        control.leave(chat, stranger, how).unwrap();
        street.acked().await;
        assert!(!is_in().await, "{how:?}");
    }
    control.rename(chat, "checkout down").unwrap();
    street.acked().await;
    assert_eq!(street.deck.room(&street.id, &street.chat).await.unwrap().name, "checkout down");
    let renamed = PersonChange { name: Some("王大伟".into()), ..PersonChange::default() };
    control.change_person("王伟", &renamed).unwrap();
    street.acked().await;

    let other: ChatId = control.chats()[1].0.parse().unwrap();
    control.set_in_chat(other.as_str(), false).unwrap();
    street.acked().await;
    assert_eq!(street.status(&other).await, RoomStatus::Dismissed);
    control.set_in_chat(other.as_str(), true).unwrap();
    street.acked().await;
    assert_eq!(street.status(&other).await, RoomStatus::Open);
    control.disband(chat).unwrap();
    street.acked().await;
    assert_eq!(street.status(&street.chat).await, RoomStatus::Disbanded);
    assert_eq!(street.stored().await.len(), 1, "its history stays");
    assert!(control.pushes().iter().all(|push| push.status == Some(200)), "{:?}", control.pushes());
    street.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_answered_comes_again_and_is_stored_once() {
    let street = Street::verified(|_| {}).await;
    let on = |kind| Fault::on("push.im.message.receive_v1", kind).times(1);
    let mut said = Vec::new();
    for kind in [FaultKind::LoseAnswer, FaultKind::Repeat, FaultKind::Drop, FaultKind::Overtaken] {
        street.control.set_fault(on(kind.clone()));
        said.push(street.say(&format!("{kind:?}")));
        said.push(street.say("and another"));
        street.acked().await;
    }
    street.control.clear_faults();

    // The keys here are not those there: refused until they are, and nothing is lost.
    street.set_key("another key").await;
    // What was replaced is still taken for a while: the platform has changed as well.
    let other = deck::open(street.folder.path(), "other").await;
    said.push(street.say("under the key before"));
    street.acked().await;
    assert_eq!(street.statuses("im.message.receive_v1").last(), Some(&Some(200)));

    // Nobody listens for a moment.
    let Street { sim, control, chat, folder, deck, id, serving } = street;
    let address = serving.url.trim_start_matches("http://").parse().unwrap();
    serving.end().await;
    let speech = Speech { chat: chat.to_string(), text: "while it was away".into(), ..Speech::default() };
    said.push(control.say(&speech).unwrap().parse().unwrap());
    let tried = async {
        while control.pushes().last().unwrap().failure.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.expect("a push that nobody took");
    let serving = Serving::start_at(&other, LiveMode::NoSocket, Bound::take(address, None).await.unwrap());
    // A new process knows nothing of keys that were replaced before it began.
    let again = IntegrationEdit {
        encrypt_key: Edit::Set(Secret::new(sim.access().encrypt_key.clone())),
        ..IntegrationEdit::default()
    };
    let refused = async {
        while control.pushes().last().unwrap().status != Some(401) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("a push under the wrong key");
    other.edit_integration(&id, again, CheckMode::NoCheck).await.unwrap();
    let street = Street { sim, control, chat, folder, deck, id, serving };
    street.acked().await;
    for id in &said {
        assert_eq!(street.times(id).await, 1, "{id}");
    }
    assert_eq!(street.stored().await.len(), said.len());
    other.shut().await;
    street.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_card_callbacks_act_once_and_answer_the_person() {
    let street = Street::verified(|_| {}).await;
    let (control, deck) = (&street.control, &street.deck);
    let (sim, chat) = (street.sim.access().clone(), street.chat.to_string());
    let card = || {
        let (sim, chat) = (sim.clone(), chat.clone());
        async move { tokio::task::spawn_blocking(move || crate::stand::send_card(&sim, &chat)).await.unwrap() }
    };
    let members = control.members_csv();
    deck.import_members(members.as_bytes(), false).await.unwrap();
    let presses = async || {
        let log = deck.operations_since(None).await.unwrap();
        log.into_iter().filter(|row| row.operation == "card.press").collect::<Vec<_>>()
    };

    let first = card().await;
    let pressed = control.press(&first, "王伟").await.unwrap();
    let toast = pressed.toast.unwrap();
    assert_eq!((toast.kind.as_str(), pressed.code, pressed.error), ("error", Some(200), None));
    let plan = deck.plan_link(&street.id, larkdeck::service::LinkScope::Unlinked).await.unwrap();
    let (progress, _looked_at) = tokio::sync::mpsc::channel(8);
    deck.run_link(plan, progress, tokio_util::sync::CancellationToken::new()).await.unwrap();
    assert_eq!(control.press(&first, "王伟").await.unwrap().toast.unwrap().kind, "success");
    // The card shows who did it, to whoever looks next, here and there; its button is gone.
    let id: MessageId = first.parse().unwrap();
    let mut changes = deck.follow(Seq(0));
    let shown = async {
        loop {
            let stored = deck.store().message(&id).await.unwrap();
            if stored.is_some_and(|one| one.body.content.contains("✅ 王伟")) {
                return;
            }
            changes.next().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("the card shows who pressed");
    let there = control.messages(&chat).into_iter().find(|(known, ..)| *known == first).unwrap();
    assert!(there.2.contains("✅ 王伟"), "{there:?}");
    assert!(control.press(&first, "李娜").await.is_err(), "there is nothing to press any more");

    // The old callback alone, and then both at once: one URL for all of it (R26).
    let plan = WebhookPlan { card_url: street.url(), ..street.plan() };
    control.set_webhook("", plan).await.unwrap();
    control.set_subscribed("card.action.trigger", false);
    let second = card().await;
    let pressed = control.press(&second, "王伟").await.unwrap();
    assert_eq!(pressed.toast.unwrap().kind, "success");
    assert_eq!(street.statuses("card.action.trigger_v1"), [Some(200)]);
    control.set_subscribed("card.action.trigger", true);
    let third = card().await;
    assert_eq!(control.press(&third, "李娜").await.unwrap().toast.unwrap().kind, "success");
    street.acked().await;
    assert_eq!(street.statuses("card.action.trigger_v1"), [Some(200); 2]);
    let done = presses().await.into_iter().filter(|row| row.target == third).count();
    assert_eq!(done, 1, "one press, however often it is told");
    street.end().await;
}
