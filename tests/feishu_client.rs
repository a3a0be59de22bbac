//! The client and the simulator, which share nothing but the wire format, speak to each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use larkdeck::{
    core::{
        error::{Kind, Problem},
        ids::{AppKey, ChatId},
        integration::AppCredentials,
        message::SenderKind,
        permit::{BoxFuture, Call, Class, Denied, Feature, Outcome, Permit, PermitSource},
        secret::Secret,
        time::SystemClock,
    },
    feishu::{
        Ask, CardContent, Client, Container, Listing, Network, Order, ReceiverKind, Reply, SendMessage,
        event::{Event, parse},
        socket::{AckReply, EventSink, SocketConfig, SocketState, run},
    },
    sim::{Control, Scenario, Sim, SimOptions, Speech},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const ASK: Ask = Ask::new(Class::Person, Feature::Setup);
const PATIENCE: Duration = Duration::from_secs(20);

/// Permits for everything.
struct Free;

impl PermitSource for Free {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        let fresh_for = Duration::from_secs(1);
        Box::pin(
            async move { Ok(Permit { id: 0, granted_at: Instant::now(), fresh_for, left_at: None, call }) },
        )
    }
    fn settle(&self, _: Permit, _: Outcome) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

async fn platform() -> (Sim, Client, Control, ChatId) {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let client = client(&sim, &sim.access().app_secret);
    let control = sim.control();
    let chat = control.chats()[0].0.parse().unwrap();
    (sim, client, control, chat)
}

fn client(sim: &Sim, secret: &str) -> Client {
    let access = sim.access();
    let app = AppCredentials {
        key: AppKey { base_url: access.base_url.as_str().into(), app_id: access.app_id.parse().unwrap() },
        app_secret: Secret::new(secret),
        encrypt_key: None,
        verification_token: None,
    };
    Client::new(app, Arc::new(Free), &Network::direct(), Arc::new(SystemClock)).unwrap()
}

fn say(chat: &ChatId, text: &str) -> Speech {
    Speech { chat: chat.to_string(), text: text.to_owned(), ..Speech::default() }
}

#[tokio::test]
async fn every_call_is_understood() {
    let (sim, client, control, chat) = platform().await;
    let bot = client.bot_info(ASK).await.unwrap();
    assert!(bot.open_id.is_some() && bot.activate_status == 2, "{bot:?}");
    let scopes = client.granted_scopes(ASK).await.unwrap();
    assert!(scopes.iter().any(|scope| scope.name == "im:message" && scope.is_granted));
    assert_eq!(client.connection_count(ASK).await.unwrap(), Some(0));

    let chats = client.chats(ASK, None).await.unwrap();
    assert!(chats.items.len() >= 3 && chats.items.iter().all(|chat| chat.tenant_key.is_some()));
    assert!(client.chat(ASK, &chat).await.unwrap().user_count.is_some());
    let people = client.chat_members(ASK, &chat, None).await.unwrap().items;
    assert!(!people.is_empty());
    let ids: Vec<_> = people.iter().take(3).map(|person| person.open_id.clone()).collect();
    let users = client.users(ASK, &ids).await.unwrap();
    assert!(users.iter().all(|user| !user.name.is_empty() && ids.contains(&user.open_id)));

    let first = control.say(&say(&chat, "first")).unwrap();
    let uuid = Some("uuid-1".to_owned());
    let message = SendMessage {
        receive_id: chat.to_string(),
        receive_id_type: ReceiverKind::ChatId,
        msg_type: "text".into(),
        content: r#"{"text":"second"}"#.into(),
        uuid: uuid.clone(),
    };
    let sent = client.send(ASK, message.clone()).await.unwrap();
    assert_eq!(sent.sender.kind, SenderKind::Bot);
    let _ = client.send(ASK, message).await;
    let reply = Reply {
        chat_id: chat.clone(),
        msg_type: "text".into(),
        content: r#"{"text":"third"}"#.into(),
        in_thread: false,
        uuid: Some("uuid-2".into()),
    };
    let replied = client.reply(ASK, &first.parse().unwrap(), reply).await.unwrap();
    assert_eq!(replied.parent_id.unwrap().as_str(), first);
    let mut listing = Listing::new(Container::Chat(chat.clone()), Order::Ascending);
    listing.page_size = 2;
    let mut listed = Vec::new();
    loop {
        let page = client.messages(ASK, listing.clone()).await.unwrap();
        listed.extend(page.items.into_iter().map(|message| message.content));
        match page.page_token {
            Some(token) => listing.page_token = Some(token),
            None => break,
        }
    }
    let told: Vec<_> = ["first", "second", "third"]
        .iter()
        .map(|word| listed.iter().filter(|content| content.contains(word)).count())
        .collect();
    assert_eq!(told, [1, 1, 1], "the same uuid is one message: {listed:?}");

    let reaction = client.add_reaction(ASK, &sent.message_id, "THUMBSUP").await.unwrap();
    assert_eq!(client.reactions(ASK, &sent.message_id, None).await.unwrap().items.len(), 1);
    client.delete_reaction(ASK, &sent.message_id, &reaction.reaction_id).await.unwrap();
    let read = client.message(ASK, &sent.message_id, CardContent::Simplified).await.unwrap();
    assert_eq!(read[0].message_id, sent.message_id);
    control.recall(&first).unwrap();
    sim.stop().await;
}

#[tokio::test]
async fn people_are_found_by_email_and_phone() {
    let (_sim, client, control, _) = platform().await;
    let csv = control.members_csv();
    let rows: Vec<Vec<String>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|field| field.trim_matches('"').to_owned()).collect())
        .collect();
    let column = |at: usize| -> Vec<String> {
        rows.iter().map(|row| row[at].clone()).filter(|value| !value.is_empty()).take(40).collect()
    };
    let (mut emails, mobiles) = (column(1), column(2));
    emails.push("nobody@nowhere.test".to_owned());
    let found = client.batch_get_id(ASK, &emails, &mobiles).await.unwrap();
    assert_eq!(found.len(), emails.len() + mobiles.len());
    let known = found.iter().filter(|found| found.open_id.is_some()).count();
    assert!(known * 2 > found.len(), "{known} of {}", found.len());
    assert_eq!(found[emails.len() - 1].open_id, None);
}

#[tokio::test]
async fn bad_days_have_their_kinds() {
    let (sim, good, control, chat) = platform().await;
    let error = client(&sim, "wrong").bot_info(ASK).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    good.chat(ASK, &chat).await.unwrap();
    control.revoke_tokens();
    good.chat(ASK, &chat).await.unwrap();
    control.set_scope("im:chat", false);
    let error = good.chats(ASK, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Permission, "{error}");
    assert!(
        !error.missing_scopes().is_empty() && error.hint().unwrap().contains("/page/scope-apply?clientID=")
    );
    assert!(error.log_id().is_some());
    control.set_scope("im:chat", true);
    control.set_month(10_000, Some(10_000));
    let error = good.chats(ASK, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::QuotaExhausted, "{error}");
}

/// Passes payloads on and says yes.
struct Sink(mpsc::UnboundedSender<Bytes>);

impl EventSink for Sink {
    fn accept<'a>(&'a self, payload: Bytes) -> BoxFuture<'a, AckReply> {
        self.0.send(payload).unwrap();
        Box::pin(async { AckReply::Ok })
    }
}

#[tokio::test]
async fn events_come_whole_in_fragments_and_after_a_drop() {
    let (_sim, client, control, chat) = platform().await;
    let (sink, mut events) = mpsc::unbounded_channel();
    let (tell, mut state) = watch::channel(SocketState::Connecting);
    let cancel = CancellationToken::new();
    let task =
        tokio::spawn(run(SocketConfig::new(client.clone()), Arc::new(Sink(sink)), tell, cancel.clone()));
    let is_live = |state: &SocketState| matches!(state, SocketState::Live { .. });
    tokio::time::timeout(PATIENCE, state.wait_for(is_live)).await.unwrap().unwrap();
    assert!(control.wait_connections(1, PATIENCE).await);
    let mut next = async || {
        let payload = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        match parse(&payload).unwrap().event {
            Event::Message { message, .. } => message.content,
            other => panic!("{other:?}"),
        }
    };
    control.say(&say(&chat, "whole")).unwrap();
    assert!(next().await.contains("whole"));
    let long = "网关".repeat(500);
    control.say(&Speech { fragments: 5, ..say(&chat, &long) }).unwrap();
    assert!(next().await.contains(&long));
    // An event that is not acknowledged yet would come again, but only after 18 s.
    assert!(control.wait_acked(PATIENCE).await);
    control.drop_connections();
    tokio::time::timeout(PATIENCE, state.wait_for(|state| !is_live(state))).await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, state.wait_for(is_live)).await.unwrap().unwrap();
    assert!(control.wait_connections(1, PATIENCE).await);
    control.say(&say(&chat, "again")).unwrap();
    assert!(next().await.contains("again"));
    assert!(control.wait_acked(PATIENCE).await);
    assert_eq!(client.connection_count(ASK).await.unwrap(), Some(1));
    cancel.cancel();
    task.await.unwrap();
    assert!(control.wait_connections(0, PATIENCE).await);
}
