//! What the simulator pushes over HTTP, received by a bare server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod sim;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use larkdeck::{
    feishu::event::crypto,
    sim::{Fault, FaultKind, Leaving, PersonChange, Scenario, Speech, Way, WebhookPlan},
};
use serde_json::{Value, json};
use sim::Desk;
use tokio::sync::mpsc;

/// Long enough for a loaded machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server does with the next push; with none in store it answers 200 and `{}`.
#[derive(Debug, Clone)]
enum Reply {
    Status(u16),
    Body(String),
    /// No answer, ever.
    Silence,
}

struct Push {
    path: String,
    headers: HeaderMap,
    raw: Bytes,
    /// Decrypted where that was needed.
    body: Value,
    /// As it was before the decryption.
    plain: String,
}

#[derive(Clone)]
struct Inner {
    key: String,
    pushes: mpsc::UnboundedSender<Push>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    answers_challenges: Arc<Mutex<bool>>,
}

/// A receiver of webhooks.
struct Server {
    base: String,
    inner: Inner,
    pushes: mpsc::UnboundedReceiver<Push>,
}

async fn receive(
    State(inner): State<Inner>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    raw: Bytes,
) -> (StatusCode, String) {
    let outer: Value = serde_json::from_slice(&raw).unwrap();
    let plain = match outer.get("encrypt").and_then(Value::as_str) {
        Some(sealed) => String::from_utf8(crypto::decrypt(&inner.key, sealed).unwrap()).unwrap(),
        None => String::from_utf8(raw.to_vec()).unwrap(),
    };
    let body: Value = serde_json::from_str(&plain).unwrap();
    let challenge = body.get("challenge").cloned();
    let is_challenge = body["type"] == "url_verification";
    inner.pushes.send(Push { path: uri.path().to_owned(), headers, raw, body, plain }).unwrap();
    if is_challenge {
        let answer = if *inner.answers_challenges.lock().unwrap() { challenge } else { None };
        return (StatusCode::OK, json!({"challenge": answer}).to_string());
    }
    let reply = inner.replies.lock().unwrap().pop_front();
    match reply {
        None => (StatusCode::OK, "{}".to_owned()),
        Some(Reply::Status(status)) => (StatusCode::from_u16(status).unwrap(), "{}".to_owned()),
        Some(Reply::Body(body)) => (StatusCode::OK, body),
        Some(Reply::Silence) => std::future::pending().await,
    }
}

impl Server {
    async fn start(key: &str) -> Self {
        let (sender, pushes) = mpsc::unbounded_channel();
        let inner = Inner {
            key: key.to_owned(),
            pushes: sender,
            replies: Arc::default(),
            answers_challenges: Arc::new(Mutex::new(true)),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, inner, pushes }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn reply(&self, reply: Reply) {
        self.inner.replies.lock().unwrap().push_back(reply);
    }

    fn say(&self, body: &Value) {
        self.reply(Reply::Body(body.to_string()));
    }

    async fn push(&mut self) -> Push {
        tokio::time::timeout(PATIENCE, self.pushes.recv()).await.expect("a push in time").unwrap()
    }

    /// The next push of this kind; others are passed over.
    async fn of_type(&mut self, event_type: &str) -> Push {
        loop {
            let push = self.push().await;
            if push.body["header"]["event_type"] == event_type {
                return push;
            }
        }
    }
}

impl Push {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn signature_of(&self, sign: fn(&str, &str, &str, &[u8]) -> String, secret: &str) -> String {
        sign(self.header("x-lark-request-timestamp"), self.header("x-lark-request-nonce"), secret, &self.raw)
    }
}

/// A simulator in which nothing happens by itself, and a server to which everything is pushed.
async fn pushing(change: impl FnOnce(&mut Scenario)) -> (Desk, Server) {
    let mut scenario = Scenario::still().unwrap();
    // 15 s, 5 min, 1 h and 6 h pass in 7.5 ms, 150 ms, 1.8 s and 10.8 s.
    scenario.clock.scale = 2000.0;
    for scope in ["contact:user.employee:readonly", "im:message.p2p_msg:readonly"] {
        scenario.app.scopes.push(scope.to_owned());
    }
    change(&mut scenario);
    let key = scenario.app.encrypt_key.clone();
    let desk = Desk::start(scenario).await;
    let mut server = Server::start(&key).await;
    let plan = WebhookPlan { mode: Way::Webhook, url: server.url("/hook"), ..WebhookPlan::default() };
    desk.sim.control().set_webhook("", plan).await.unwrap();
    assert_eq!(server.push().await.body["type"], "url_verification");
    (desk, server)
}

fn speech(text: &str) -> Speech {
    Speech { chat: "alpha".into(), text: text.into(), ..Speech::default() }
}

async fn card(desk: &Desk) -> String {
    let chat = desk.chat("alpha").await;
    let card = json!({"schema": "2.0", "body": {"elements": [{"tag": "button", "name": "ok",
        "text": {"tag": "plain_text", "content": "OK"}, "behaviors": [{"type": "callback", "value": {"op": "ack"}}]}]}});
    let body = json!({"receive_id": chat, "msg_type": "interactive", "content": card.to_string()});
    let sent = desk.post("/open-apis/im/v1/messages?receive_id_type=chat_id", &body).await;
    sent["data"]["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_url_is_set_only_when_it_answers_its_challenge() {
    let desk = Desk::still().await;
    let control = desk.sim.control();
    let mut server = Server::start(&desk.access.encrypt_key).await;
    let plan = WebhookPlan { mode: Way::Webhook, url: server.url("/hook"), ..WebhookPlan::default() };
    *server.inner.answers_challenges.lock().unwrap() = false;
    let refused = control.set_webhook("", plan.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("challenge"), "{refused}");
    let push = server.push().await;
    assert!(push.raw.starts_with(b"{\"encrypt\":\""), "sealed, and nothing else in it");
    assert_eq!(push.body["token"], desk.access.verification_token.as_str());
    assert_eq!(push.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(push.header("x-lark-signature"), "", "challenges are not signed unless the scenario says so");
    for bad in ["https://h/x", "ftp://127.0.0.1/x", "nonsense"] {
        let plan = WebhookPlan { url: bad.to_owned(), ..plan.clone() };
        assert!(control.set_webhook("", plan).await.is_err(), "{bad}");
    }
    assert!(control.set_webhook("cli_nobody", plan.clone()).await.is_err());
    *server.inner.answers_challenges.lock().unwrap() = true;
    let plan = WebhookPlan { sign_challenge: true, ..plan };
    control.set_webhook("", plan).await.unwrap();
    let push = server.push().await;
    let expected = push.signature_of(crypto::event_signature, &desk.access.encrypt_key);
    assert_eq!(push.header("x-lark-signature"), expected);
}

#[tokio::test]
async fn a_url_of_the_scenario_is_verified_as_soon_as_somebody_answers() {
    let mut server = Server::start("").await;
    let mut scenario = Scenario::still().unwrap();
    scenario.app.encrypt_key.clear();
    scenario.webhook.mode = Way::Webhook;
    scenario.webhook.url = server.url("/hook");
    let desk = Desk::start(scenario).await;
    let push = server.push().await;
    assert_eq!(push.body["type"], "url_verification");
    assert!(push.plain.starts_with("{\"challenge\":\""), "{}", push.plain);
    desk.sim.control().say(&speech("in the clear")).unwrap();
    let push = server.of_type("im.message.receive_v1").await;
    assert_eq!(push.header("x-lark-signature"), "", "without an Encrypt Key nothing is signed");
    assert!(desk.sim.control().wait_acked(PATIENCE).await);
}

#[tokio::test]
async fn events_are_sealed_signed_and_repeated_until_they_are_answered() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    server.reply(Reply::Status(500));
    server.reply(Reply::Status(302));
    let id = control.say(&speech("hello / 你好")).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let push = server.push().await;
        assert_eq!(push.path, "/hook");
        assert_eq!(push.body["schema"], "2.0");
        assert_eq!(push.body["event"]["message"]["message_id"], id.as_str());
        assert_eq!(push.body["header"]["token"], desk.access.verification_token.as_str());
        assert_eq!(push.plain, push.body.to_string(), "compact, as the Node SDK writes it again");
        let expected = push.signature_of(crypto::event_signature, &desk.access.encrypt_key);
        assert_eq!(push.header("x-lark-signature"), expected);
        seen.push((push.body["header"]["event_id"].clone(), push.header("x-lark-request-nonce").to_owned()));
    }
    assert!(control.wait_acked(PATIENCE).await);
    assert!(seen.iter().all(|(event_id, _)| *event_id == seen[0].0));
    assert!(seen[0].1 != seen[1].1 && seen[1].1 != seen[2].1, "each with a signature of its own");
    let pushes = control.pushes();
    let statuses: Vec<_> = pushes.iter().skip(1).map(|push| push.status).collect();
    assert_eq!(statuses, [Some(500), Some(302), Some(200)]);
    assert_eq!(control.counters().acked, 1);
}

#[tokio::test]
async fn an_event_is_given_up_after_four_repetitions() {
    let (desk, mut server) = pushing(|plan| {
        plan.socket.redeliver_s = vec![15, 15, 15, 15];
        plan.socket.ack_ms = 500;
    })
    .await;
    let control = desk.sim.control();
    server.reply(Reply::Silence);
    for _ in 0..4 {
        server.reply(Reply::Status(500));
    }
    control.say(&speech("nobody wants this")).unwrap();
    for _ in 0..5 {
        server.push().await;
    }
    control.say(&speech("next")).unwrap();
    let push = server.push().await;
    assert!(push.plain.contains("next"), "five pushes, then no more");
    let failures: Vec<_> = control.pushes().into_iter().filter_map(|push| push.failure).collect();
    assert_eq!(failures, ["no answer in time"]);
}

#[tokio::test]
async fn a_repetition_may_keep_its_signature() {
    let (desk, mut server) = pushing(|_| {}).await;
    let plan = WebhookPlan {
        mode: Way::Webhook,
        url: server.url("/hook"),
        fresh_signature: false,
        ..WebhookPlan::default()
    };
    desk.sim.control().set_webhook("", plan).await.unwrap();
    server.push().await;
    server.reply(Reply::Status(503));
    desk.sim.control().say(&speech("again")).unwrap();
    let (first, second) = (server.push().await, server.push().await);
    assert_eq!(first.raw, second.raw);
    assert_eq!(first.header("x-lark-signature"), second.header("x-lark-signature"));
}

#[tokio::test]
async fn pushes_come_twice_late_lost_or_by_both_ways() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    let on = |kind| Fault::on("push.im.message.receive_v1", kind).times(1);
    control.set_fault(on(FaultKind::Repeat));
    control.say(&speech("twice")).unwrap();
    let (first, second) = (server.push().await, server.push().await);
    assert_eq!(first.body["header"]["event_id"], second.body["header"]["event_id"]);
    assert!(control.wait_acked(PATIENCE).await);
    control.set_fault(on(FaultKind::Overtaken));
    control.say(&speech("written first")).unwrap();
    control.say(&speech("written second")).unwrap();
    assert!(server.push().await.plain.contains("written second"));
    assert!(server.push().await.plain.contains("written first"));
    control.set_fault(on(FaultKind::LoseAnswer));
    control.say(&speech("unheard")).unwrap();
    assert!(server.push().await.plain.contains("unheard"));
    assert!(server.push().await.plain.contains("unheard"));
    control.set_fault(on(FaultKind::Drop));
    control.say(&speech("at the second try")).unwrap();
    assert!(server.push().await.plain.contains("at the second try"));
    assert!(control.wait_acked(PATIENCE).await);
    control.clear_faults();
    let plan = WebhookPlan { mode: Way::Both, url: server.url("/hook"), ..WebhookPlan::default() };
    control.set_webhook("", plan).await.unwrap();
    server.push().await;
    let before = control.counters().pushed;
    control.say(&speech("both ways")).unwrap();
    assert!(server.push().await.plain.contains("both ways"));
    let tried = async {
        while control.counters().pushed < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.expect("nobody is connected, but it is tried");
}

#[tokio::test]
async fn a_press_shows_the_toast_and_the_card_of_the_answer() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    let id = card(&desk).await;
    server.say(&json!({"toast": {"type": "success", "content": "done"},
        "card": {"type": "raw", "data": {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": "acked"}]}}}}));
    let press = control.press(&id, "李娜").await.unwrap();
    let push = server.push().await;
    assert_eq!(push.body["header"]["event_type"], "card.action.trigger");
    assert_eq!(push.body["event"]["token"], press.token.as_str());
    let expected = push.signature_of(crypto::event_signature, &desk.access.encrypt_key);
    assert_eq!(push.header("x-lark-signature"), expected);
    assert_eq!((press.code, press.error, press.is_card_changed), (Some(200), None, true));
    assert_eq!(press.toast.unwrap().content, "done");
    let read = desk.get(&format!("/open-apis/im/v1/messages/{id}")).await;
    assert!(read["data"]["items"][0]["body"]["content"].as_str().unwrap().contains("acked"));
}

#[tokio::test]
async fn the_person_sees_what_went_wrong_and_nothing_is_repeated() {
    let (desk, mut server) = pushing(|plan| plan.socket.ack_ms = 1000).await;
    let control = desk.sim.control();
    let id = card(&desk).await;
    let raw = |data: Value| Reply::Body(json!({"card": {"type": "raw", "data": data}}).to_string());
    for (reply, error) in [
        (Reply::Silence, 200_341),
        (Reply::Status(500), 200_671),
        (Reply::Status(302), 200_671),
        (Reply::Body("<html>".to_owned()), 200_672),
        (Reply::Body(String::new()), 200_672),
        (Reply::Body("[]".to_owned()), 200_672),
        (Reply::Body("{\"toast\":\"x\"}".to_owned()), 200_672),
        (raw(json!("x")), 200_673),
        (raw(json!({"elements": []})), 200_830),
    ] {
        server.reply(reply.clone());
        let press = control.press(&id, "").await.unwrap();
        assert_eq!(press.error, Some(error), "{reply:?}");
        server.push().await;
    }
    control.set_subscribed("card.action.trigger", false);
    assert_eq!(control.press(&id, "").await.unwrap().error, Some(200_340));
    control.set_subscribed("card.action.trigger", true);
    let only_events =
        WebhookPlan { mode: Way::Webhook, event_url: server.url("/events"), ..WebhookPlan::default() };
    control.set_webhook("", only_events).await.unwrap();
    server.push().await;
    assert_eq!(control.press(&id, "").await.unwrap().error, Some(200_340), "no URL for callbacks");
    control.say(&speech("nothing was repeated meanwhile")).unwrap();
    let push = server.push().await;
    assert_eq!(push.path, "/events");
    assert!(push.plain.contains("nothing was repeated"));
}

#[tokio::test]
async fn old_card_callbacks_have_their_own_url_body_and_signature() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    let id = card(&desk).await;
    let plan = WebhookPlan {
        mode: Way::Webhook,
        event_url: server.url("/events"),
        card_url: server.url("/card"),
        ..WebhookPlan::default()
    };
    control.set_webhook("", plan).await.unwrap();
    let challenges = [server.push().await, server.push().await];
    let card_challenge = challenges.iter().find(|push| push.path == "/card").unwrap();
    assert!(card_challenge.raw.starts_with(b"{\"challenge\""), "this URL knows no encryption");
    server
        .say(&json!({"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": "as of old"}]}}));
    let press = control.press(&id, "").await.unwrap();
    assert_eq!((press.code, press.error, press.is_card_changed), (Some(200), None, true));
    let push = server.push().await;
    assert_eq!(push.path, "/card");
    assert_eq!(push.body["action"]["value"], json!({"op": "ack"}));
    assert_eq!(push.body["open_message_id"], id.as_str());
    assert!(push.body.get("schema").is_none() && push.body.get("header").is_none());
    let expected = push.signature_of(crypto::card_signature_v1, &desk.access.verification_token);
    assert_eq!(push.header("x-lark-signature"), expected);
}

#[tokio::test]
async fn a_card_may_be_changed_twice_after_its_callback_was_answered() {
    // Half an hour must not pass meanwhile.
    let (desk, mut server) = pushing(|plan| plan.clock.scale = 1.0).await;
    let control = desk.sim.control();
    let id = card(&desk).await;
    let new =
        |text: &str| json!({"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": text}]}});
    let path = "/open-apis/interactive/v1/card/update";
    server.reply(Reply::Status(500));
    let failed = control.press(&id, "").await.unwrap();
    let early = desk.post(path, &json!({"token": failed.token, "card": new("early")})).await;
    assert_eq!(early["code"], 10_002, "the callback was not answered: {early}");
    let press = control.press(&id, "").await.unwrap();
    assert_eq!(press.error, None);
    let bare = json!({"elements": [{"tag": "div", "text": {"tag": "plain_text", "content": "mine"}}]});
    let answer = desk.post(path, &json!({"token": press.token, "card": bare})).await;
    assert_eq!(answer["code"], 300_090, "an unshared card names those who see it");
    for text in ["once", "twice"] {
        let answer = desk.post(path, &json!({"token": press.token, "card": new(text)})).await;
        assert_eq!(answer["code"], 0, "{answer}");
        let read = desk.get(&format!("/open-apis/im/v1/messages/{id}")).await;
        assert!(read["data"]["items"][0]["body"]["content"].as_str().unwrap().contains(text));
    }
    let answer = desk.post(path, &json!({"token": press.token, "card": new("again")})).await;
    assert_eq!(answer["code"], 10_002);
    server.push().await;
}

#[tokio::test]
async fn everything_that_happens_has_its_event() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    let id = control.say(&speech("first")).unwrap();
    server.of_type("im.message.receive_v1").await;
    control.react(&id, "王伟", "THUMBSUP", true).unwrap();
    let push = server.of_type("im.message.reaction.created_v1").await;
    assert_eq!(push.body["event"]["reaction_type"]["emoji_type"], "THUMBSUP");
    control.react(&id, "王伟", "THUMBSUP", false).unwrap();
    server.of_type("im.message.reaction.deleted_v1").await;
    control.recall(&id).unwrap();
    server.of_type("im.message.recalled_v1").await;
    // The last of the tenant's people: the rooms are filled from the first.
    let people = control.members_csv();
    let stranger = people.lines().last().unwrap().split('"').nth(1).unwrap();
    control.join("alpha", stranger).unwrap();
    let push = server.of_type("im.chat.member.user.added_v1").await;
    assert_eq!(push.body["event"]["users"][0]["name"], stranger);
    control.leave("alpha", stranger, Leaving::Withdrawn).unwrap();
    server.of_type("im.chat.member.user.withdrawn_v1").await;
    control.join("alpha", stranger).unwrap();
    control.leave("alpha", stranger, Leaving::Gone).unwrap();
    server.of_type("im.chat.member.user.deleted_v1").await;
    control.rename("alpha", "renamed").unwrap();
    let push = server.of_type("im.chat.updated_v1").await;
    assert_eq!(push.body["event"]["before_change"], json!({"name": "alpha"}));
    control.set_in_chat("beta", false).unwrap();
    server.of_type("im.chat.member.bot.deleted_v1").await;
    control.set_in_chat("beta", true).unwrap();
    server.of_type("im.chat.member.bot.added_v1").await;
    let gone =
        PersonChange { is_resigned: Some(true), name: Some("王大伟".into()), ..PersonChange::default() };
    control.change_person("王伟", &gone).unwrap();
    let push = server.of_type("contact.user.updated_v3").await;
    assert_eq!(push.body["event"]["object"]["status"]["is_resigned"], true);
    assert_eq!(push.body["event"]["old_object"]["name"], "王伟");
    let kept = desk.chat("beta").await;
    control.disband_keeping_history("beta").unwrap();
    control.disband("renamed").unwrap();
    let push = server.of_type("im.chat.disbanded_v1").await;
    assert_eq!(push.body["event"]["name"], "renamed", "the other one is not told");
    let chat = desk.get(&format!("/open-apis/im/v1/chats/{kept}")).await;
    assert_eq!(chat["data"]["chat_status"], "dissolved_save");
}

#[tokio::test]
async fn a_person_reads_what_the_app_wrote_to_them_alone() {
    let (desk, mut server) = pushing(|_| {}).await;
    let control = desk.sim.control();
    let person = desk.people().await.remove(0);
    let content = json!({"text": "are you there?"}).to_string();
    let body = json!({"receive_id": person, "msg_type": "text", "content": content});
    let sent = desk.post("/open-apis/im/v1/messages?receive_id_type=open_id", &body).await;
    control.read(&person).unwrap();
    let push = server.of_type("im.message.message_read_v1").await;
    assert_eq!(push.body["event"]["message_id_list"], json!([sent["data"]["message_id"]]));
    assert_eq!(push.body["event"]["reader"]["reader_id"]["open_id"], person.as_str());
    control.read(&person).unwrap();
    let answer = Speech {
        chat: sent["data"]["chat_id"].as_str().unwrap().into(),
        who: person.clone(),
        text: "yes".into(),
        ..Speech::default()
    };
    control.say(&answer).unwrap();
    let push = server.push().await;
    assert_eq!(push.body["header"]["event_type"], "im.message.receive_v1", "nothing was left to read");
}

#[tokio::test]
async fn the_desk_sets_the_webhook_and_shows_what_was_pushed() {
    let (desk, mut server) = pushing(|_| {}).await;
    let plan = json!({"mode": "webhook", "url": server.url("/desk")});
    let answer = desk.post_raw("/_sim/webhook", &json!({"plan": plan})).await;
    assert!(answer.get("error").is_none(), "{answer}");
    server.push().await;
    desk.post_raw("/_sim/rename", &json!({"chat": "alpha", "name": "by the desk"})).await;
    assert_eq!(server.of_type("im.chat.updated_v1").await.path, "/desk");
    assert!(desk.sim.control().wait_acked(PATIENCE).await);
    let pushes = desk.http.get(format!("{}/_sim/pushes", desk.access.base_url)).send().await.unwrap();
    let pushes: Value = pushes.json().await.unwrap();
    assert_eq!(pushes.as_array().unwrap().last().unwrap()["event_type"], "im.chat.updated_v1");
}
