//! The simulator's long connection, spoken to with a bare WebSocket client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod sim;

use std::{collections::BTreeMap, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use larkdeck::{
    feishu::socket::frame::{DATA, Frame},
    sim::{Fault, FaultKind, Scenario, Speech},
};
use serde_json::{Value, json};
use sim::Desk;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Long enough for a loaded machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

async fn discover(desk: &Desk) -> Value {
    let body = json!({"AppID": desk.access.app_id, "AppSecret": desk.access.app_secret});
    desk.post_raw("/callback/ws/endpoint", &body).await
}

async fn connect(desk: &Desk) -> Socket {
    let found = discover(desk).await;
    assert!(found["data"]["ClientConfig"]["PingInterval"].is_number());
    let url = found["data"]["URL"].as_str().unwrap();
    assert!(url.contains("device_id=") && url.contains("service_id="));
    connect_async(url).await.unwrap().0
}

async fn frame(socket: &mut Socket) -> Option<Frame> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time") {
            Some(Ok(Message::Binary(bytes))) => return Some(Frame::read(bytes).unwrap()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

async fn send(socket: &mut Socket, frame: &Frame) {
    socket.send(Message::Binary(frame.written())).await.unwrap();
}

async fn ack(socket: &mut Socket, mut frame: Frame, body: &Value) {
    frame.payload = Some(body.to_string().into_bytes().into());
    send(socket, &frame).await;
}

/// The next event in full, and its last fragment.
async fn event(socket: &mut Socket) -> (Value, Frame, usize) {
    let mut parts: BTreeMap<usize, Bytes> = BTreeMap::new();
    loop {
        let frame = frame(socket).await.expect("an event");
        assert_eq!((frame.method, frame.kind()), (DATA, "event"));
        let number = |key: &str| frame.header(key).unwrap().parse::<usize>().unwrap();
        let (seq, sum) = (number("seq"), number("sum"));
        parts.insert(seq, frame.payload.clone().unwrap());
        if parts.len() == sum {
            let whole: Vec<u8> = parts.values().flatten().copied().collect();
            return (serde_json::from_slice(&whole).unwrap(), frame, sum);
        }
    }
}

fn speech(text: &str, fragments: u32) -> Speech {
    Speech { chat: "alpha".into(), text: text.into(), fragments, ..Speech::default() }
}

#[tokio::test]
async fn discovery_and_handshake_refuse_with_their_codes() {
    let desk = Desk::still().await;
    let wrong = json!({"AppID": desk.access.app_id, "AppSecret": "no"});
    assert_eq!(desk.post_raw("/callback/ws/endpoint", &wrong).await["code"], 1_000_040_345);
    assert_eq!(desk.post_raw("/callback/ws/endpoint", &json!({})).await["code"], 1_000_040_344);
    let url = discover(&desk).await["data"]["URL"].as_str().unwrap().to_owned();
    let _socket = connect_async(&url).await.unwrap();
    let Err(Error::Http(refusal)) = connect_async(&url).await else {
        panic!("a ticket is good for one connection")
    };
    assert_eq!(refusal.headers()["handshake-status"], "514");
    desk.sim
        .control()
        .set_fault(Fault::on("ws.endpoint", FaultKind::Code { status: 200, code: 1_000_040_343 }).times(1));
    assert_eq!(discover(&desk).await["code"], 1_000_040_343);
    let fault = FaultKind::RefuseHandshake { status: 403, auth_code: None };
    desk.sim.control().set_fault(Fault::on("ws.handshake", fault).times(1));
    let url = discover(&desk).await["data"]["URL"].as_str().unwrap().to_owned();
    let Err(Error::Http(refusal)) = connect_async(&url).await else { panic!("refused") };
    assert_eq!(
        (refusal.status().as_u16(), &refusal.headers()["handshake-status"]),
        (403, &"403".parse().unwrap())
    );
}

#[tokio::test]
async fn no_more_than_fifty_connections() {
    let desk = Desk::still().await;
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(connect(&desk).await);
    }
    let count = desk.get("/open-apis/event/v1/connection").await;
    assert_eq!(count["data"]["online_instance_cnt"], 50);
    let url = discover(&desk).await["data"]["URL"].as_str().unwrap().to_owned();
    let Err(Error::Http(refusal)) = connect_async(&url).await else { panic!("one too many") };
    assert_eq!(refusal.headers()["handshake-autherrcode"], "1000040350");
    drop(sockets);
    assert!(desk.sim.control().wait_connections(0, PATIENCE).await);
}

#[tokio::test]
async fn pings_are_answered_with_the_configuration() {
    let desk = Desk::still().await;
    let mut socket = connect(&desk).await;
    send(&mut socket, &Frame::ping(33_554_678)).await;
    let pong = frame(&mut socket).await.unwrap();
    assert_eq!((pong.kind(), pong.service), ("pong", 33_554_678));
    let config: Value = serde_json::from_slice(&pong.payload.unwrap()).unwrap();
    assert_eq!(config["PingInterval"], 120);
}

#[tokio::test]
async fn events_come_whole_in_fragments_and_are_done_when_acknowledged() {
    let desk = Desk::still().await;
    let control = desk.sim.control();
    let mut socket = connect(&desk).await;
    let id = control.say(&speech("hello @[王伟]", 0)).unwrap();
    let (body, last, sum) = event(&mut socket).await;
    assert_eq!(sum, 1);
    assert_eq!(body["schema"], "2.0");
    assert_eq!(body["header"]["event_type"], "im.message.receive_v1");
    assert_eq!(body["header"]["token"], desk.access.verification_token.as_str());
    assert_eq!(body["event"]["message"]["message_id"], id.as_str());
    assert_eq!(body["event"]["message"]["content"], "{\"text\":\"hello @_user_1\"}");
    assert_eq!(body["event"]["message"]["mentions"][0]["name"], "王伟");
    ack(&mut socket, last, &json!({"code": 200})).await;
    let long = "长".repeat(20_000);
    control.say(&speech(&long, 5)).unwrap();
    let (body, last, sum) = event(&mut socket).await;
    assert!(sum >= 5, "{sum}");
    let content: Value = serde_json::from_str(body["event"]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content["text"], long.as_str());
    ack(&mut socket, last, &json!({"code": 200})).await;
    assert!(control.wait_acked(PATIENCE).await);
    let counters = control.counters();
    assert_eq!((counters.pushed, counters.acked), (2, 2));
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let mut scenario = Scenario::still().unwrap();
    // 15 s, 5 min, 1 h and 6 h pass in 7.5 ms, 150 ms, 1.8 s and 10.8 s.
    scenario.clock.scale = 2000.0;
    scenario.socket.ack_ms = 200;
    scenario.socket.ticket_s = 1_000_000;
    let desk = Desk::start(scenario).await;
    let control = desk.sim.control();
    control.say(&speech("while nobody listens", 0)).unwrap();
    let mut socket = connect(&desk).await;
    let (first, frame, _) = event(&mut socket).await;
    ack(&mut socket, frame, &json!({"code": 500})).await;
    let (second, frame, _) = event(&mut socket).await;
    assert_eq!(first["header"]["event_id"], second["header"]["event_id"]);
    ack(&mut socket, frame, &json!({"code": 200, "headers": null, "data": null})).await;
    assert!(control.wait_acked(PATIENCE).await);
}

#[tokio::test]
async fn each_event_goes_to_one_of_the_connections() {
    let desk = Desk::still().await;
    let control = desk.sim.control();
    let (mut one, mut two) = (connect(&desk).await, connect(&desk).await);
    for no in 0..30 {
        control.say(&speech(&no.to_string(), 0)).unwrap();
    }
    let (mut first, mut second) = (0, 0);
    while first + second < 30 {
        tokio::select! {
            (_, frame, _) = event(&mut one) => { first += 1; ack(&mut one, frame, &json!({"code": 200})).await; }
            (_, frame, _) = event(&mut two) => { second += 1; ack(&mut two, frame, &json!({"code": 200})).await; }
        }
    }
    assert!(first > 0 && second > 0, "{first} {second}");
    assert!(control.wait_acked(PATIENCE).await);
    assert_eq!(control.counters().pushed, 30);
}

#[tokio::test]
async fn a_press_brings_the_handlers_answer_back() {
    let desk = Desk::still().await;
    let control = desk.sim.control();
    let chat = desk.chat("alpha").await;
    let card = json!({"schema": "2.0", "body": {"elements": [{"tag": "button", "name": "ok",
        "text": {"tag": "plain_text", "content": "OK"}, "behaviors": [{"type": "callback", "value": {"op": "ack"}}]}]}});
    let body = json!({"receive_id": chat, "msg_type": "interactive", "content": card.to_string()});
    let sent = desk.post("/open-apis/im/v1/messages?receive_id_type=chat_id", &body).await;
    let id = sent["data"]["message_id"].as_str().unwrap().to_owned();
    let nobody = control.press("", "").await.unwrap();
    assert_eq!(nobody.code, None, "nobody is connected, and callbacks are not repeated");
    let mut socket = connect(&desk).await;
    let press = tokio::spawn(async move { control.press("", "李娜").await.unwrap() });
    let (body, frame, _) = event(&mut socket).await;
    assert_eq!(body["header"]["event_type"], "card.action.trigger");
    assert_eq!(body["header"]["create_time"].as_str().unwrap().len(), 16);
    assert_eq!(body["event"]["action"]["value"], json!({"op": "ack"}));
    assert_eq!(body["event"]["context"]["open_message_id"], id.as_str());
    let new = json!({"toast": {"type": "success", "content": "done"},
        "card": {"type": "raw", "data": {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": "acked"}]}}}});
    let data = base64::engine::general_purpose::STANDARD.encode(new.to_string());
    ack(&mut socket, frame, &json!({"code": 200, "data": data})).await;
    assert_eq!(press.await.unwrap().answer.unwrap()["toast"]["content"], "done");
    let read = desk.get(&format!("/open-apis/im/v1/messages/{id}")).await;
    assert!(read["data"]["items"][0]["body"]["content"].as_str().unwrap().contains("acked"));
}

#[tokio::test]
async fn connections_drop_and_go_deaf() {
    let desk = Desk::still().await;
    let control = desk.sim.control();
    let mut socket = connect(&desk).await;
    control.set_deaf(true);
    send(&mut socket, &Frame::ping(1)).await;
    control.say(&speech("unheard", 0)).unwrap();
    control.drop_connections();
    assert!(frame(&mut socket).await.is_none(), "neither pong nor event, then the end");
}

#[tokio::test]
async fn the_default_scenario_lives() {
    let desk = Desk::start(Scenario::living().unwrap()).await;
    assert!(desk.sim.control().chats().len() >= 3);
    let mut socket = connect(&desk).await;
    let mut last = tokio::time::Instant::now();
    for _ in 0..4 {
        loop {
            let (body, frame, _) = event(&mut socket).await;
            ack(&mut socket, frame, &json!({"code": 200})).await;
            if body["header"]["event_type"] == "im.message.receive_v1" {
                break;
            }
        }
        last = tokio::time::Instant::now();
    }
    assert!(last.elapsed() < PATIENCE);
}

#[tokio::test]
async fn the_demo_has_six_rooms_with_a_past() {
    let desk = Desk::start(Scenario::demo().unwrap()).await;
    let chats = desk.sim.control().chats();
    assert_eq!(chats.len(), 6);
    let mut kinds: Vec<String> = Vec::new();
    for (id, _) in &chats {
        let messages = desk.sim.control().messages(id);
        assert!(messages.len() >= 12, "{id}");
        kinds.extend(messages.into_iter().map(|(_, kind, _)| kind));
    }
    for kind in ["text", "post", "image", "file", "interactive", "system"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind}");
    }
}

#[tokio::test]
async fn the_command_announces_itself_and_ends_with_its_reader() {
    let options = larkdeck::sim::RunOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        scenario: Some("still".into()),
        members: Some(100),
        seed: Some(3),
        webhook: None,
        redirect: Vec::new(),
    };
    let (mut reader, writer) = tokio::io::duplex(64 * 1024);
    let run = tokio::spawn(larkdeck::sim::run_command(options.clone(), writer));
    let mut line = String::new();
    use tokio::io::AsyncBufReadExt as _;
    tokio::io::BufReader::new(&mut reader).read_line(&mut line).await.unwrap();
    let access: Value = serde_json::from_str(&line).unwrap();
    for key in ["base_url", "app_id", "app_secret", "verification_token", "encrypt_key"] {
        assert!(access[key].is_string(), "{key}");
    }
    let csv = reqwest_csv(access["base_url"].as_str().unwrap()).await;
    assert_eq!(csv.lines().count(), 101);
    run.abort();
    let (reader, writer) = tokio::io::duplex(64);
    drop(reader);
    let ended =
        tokio::time::timeout(PATIENCE, larkdeck::sim::run_command(options, writer)).await.unwrap().unwrap();
    assert_eq!(ended, larkdeck::sim::Ended::OutputClosed);
}

async fn reqwest_csv(base: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(format!("{base}/_sim/members.csv")).send().await.unwrap().text().await.unwrap()
}
