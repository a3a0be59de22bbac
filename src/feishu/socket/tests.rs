//! Frames against the SDKs' vectors, and the long connection against a small server on loopback.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    frame::{AckBody, ClientConfig, DATA, Frame, Header},
    *,
};
use crate::feishu::{
    Network, Timeouts,
    testkit::{self, Notes, Server, answer, ok},
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/feishu.json")).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn frame(name: &str) -> (Frame, Value) {
    let all = vectors();
    let found = all["frames"].as_array().unwrap().iter().find(|v| v["name"] == name).unwrap().clone();
    (Frame::read(unhex(found["hex"].as_str().unwrap()).into()).unwrap(), found)
}

#[test]
fn frames_are_the_sdks_byte_by_byte() {
    for v in vectors()["frames"].as_array().unwrap() {
        let bytes = unhex(v["hex"].as_str().unwrap());
        let frame = Frame::read(Bytes::from(bytes.clone())).unwrap();
        assert_eq!(frame.written(), bytes, "{}", v["name"]);
        assert_eq!(json!(frame.seq_id), v["SeqID"]);
        assert_eq!(frame.log_id.to_string(), v["LogID"].to_string().trim_matches('"'));
        let headers: Vec<[&str; 2]> =
            frame.headers.iter().map(|h| [h.key.as_str(), h.value.as_str()]).collect();
        assert_eq!(json!(headers), v["headers"]);
    }
    let service = 33_554_678;
    assert_eq!(Frame::ping(service), frame("ping").0);
    assert_eq!(Frame::pong(service, None), frame("pong_empty").0);
    let config = ClientConfig { ping_interval: 90, ..ClientConfig::default() };
    assert_eq!(Frame::pong(service, Some(&config)), frame("pong_with_config").0);
}

#[test]
fn acks_are_the_node_sdks_byte_by_byte() {
    let acks = vectors()["acks_from_node_sdk"].clone();
    let ack = |name: &str| {
        let v = acks.as_array().unwrap().iter().find(|v| v["name"] == name).unwrap().clone();
        Frame::read(unhex(v["hex"].as_str().unwrap()).into()).unwrap()
    };
    let toast = AckReply::Data(json!({"toast":{"type":"success","content":"acked"}}));
    for (input, reply, output) in [
        ("data_event_single", AckReply::Ok, "node_ack_event_ok"),
        ("data_event_fragment_1_of_3", AckReply::Ok, "node_ack_fragmented"),
        ("data_card_action_trigger", toast, "node_ack_card_toast"),
        ("data_event_single", AckReply::Failed, "node_ack_throws"),
    ] {
        let mut expected = ack(output);
        let made = frame(input).0.into_ack(&reply, 0);
        if input == "data_event_single" {
            // That SDK rounds a LogID above 2^53; we do not.
            assert_eq!(made.log_id, 9_007_199_254_740_993);
            expected.log_id = made.log_id;
        }
        assert_eq!(made.written(), expected.written(), "{output}");
    }
}

#[test]
fn acks_mean_what_the_python_sdks_mean() {
    let body = |frame: &Frame| serde_json::from_slice::<Value>(frame.payload.as_ref().unwrap()).unwrap();
    let (expected, _) = frame("ack_fragmented_event");
    let made = frame("data_event_fragment_2_of_3").0.into_ack(&AckReply::Ok, 12);
    assert_eq!((made.headers.clone(), body(&made)), (expected.headers.clone(), body(&expected)));
    let read: AckBody = serde_json::from_str(r#"{"code":200,"headers":null,"data":null}"#).unwrap();
    assert_eq!((read.code, read.data), (200, None));
}

fn fragment(id: &str, sum: usize, seq: usize, payload: &[u8]) -> Frame {
    Frame {
        method: DATA,
        headers: vec![
            Header::new("type", "event"),
            Header::new("message_id", id),
            Header::new("sum", sum.to_string()),
            Header::new("seq", seq.to_string()),
        ],
        payload: Some(Bytes::copy_from_slice(payload)),
        ..Frame::default()
    }
}

#[test]
fn fragments_grow_old() {
    let mut assembler = Assembler::default();
    let start = Instant::now();
    assert_eq!(assembler.take(&fragment("m", 2, 0, b"a"), start), Assembled::Partial);
    let late = start + Duration::from_secs(11);
    assert_eq!(assembler.take(&fragment("m", 2, 1, b"b"), late), Assembled::Partial);
    assert_eq!(assembler.take(&fragment("m", 2, 0, b"a"), late), Assembled::Whole(Bytes::from_static(b"ab")));
    assert_eq!(assembler.pending(), 0);
}

#[test]
fn senseless_fragments_are_refused_and_memory_is_bounded() {
    let mut assembler = Assembler::default();
    let now = Instant::now();
    for (sum, seq) in [(0, 0), (2, 2), (100_000, 1)] {
        assert!(matches!(assembler.take(&fragment("m", sum, seq, b"a"), now), Assembled::Refused(_)));
    }
    assert!(matches!(assembler.take(&fragment("", 2, 0, b"a"), now), Assembled::Refused(_)));
    let big = vec![0u8; 1024 * 1024];
    let refused = (0..100).filter(|n| {
        matches!(assembler.take(&fragment(&n.to_string(), 2, 0, &big), now), Assembled::Refused(_))
    });
    assert!(refused.count() >= 60);
    for n in 0..1000 {
        assembler.take(&fragment(&format!("x{n}"), 2, 0, b""), now);
    }
    assert!(assembler.pending() <= 256);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(frame) = Frame::read(Bytes::from(bytes)) {
            Assembler::default().take(&frame, Instant::now());
            let again = Frame::read(frame.written()).unwrap();
            prop_assert_eq!(again, frame);
        }
    }

    #[test]
    fn fragments_come_together_in_any_order(
        payload in prop::collection::vec(any::<u8>(), 1..200),
        order in prop::collection::vec(any::<prop::sample::Index>(), 8),
        twice in any::<bool>(),
    ) {
        let size = payload.len().div_ceil(5);
        let parts: Vec<&[u8]> = payload.chunks(size).collect();
        let sum = parts.len();
        let mut left: Vec<usize> = (0..sum).collect();
        let mut assembler = Assembler::default();
        let now = Instant::now();
        let mut whole = None;
        for index in order {
            if left.is_empty() { break; }
            let seq = left.remove(index.index(left.len()));
            if twice && sum > 1 && !left.is_empty() {
                prop_assert_eq!(assembler.take(&fragment("m", sum, seq, parts[seq]), now), Assembled::Partial);
            }
            match assembler.take(&fragment("m", sum, seq, parts[seq]), now) {
                Assembled::Whole(bytes) => whole = Some(bytes),
                other => prop_assert_eq!(other, Assembled::Partial),
            }
        }
        prop_assert_eq!(whole.as_deref(), Some(payload.as_slice()));
    }
}

/// A sink that notes what it gets; each event waits for the ones after it when it is told to.
#[derive(Default)]
struct Sink {
    got: Mutex<Vec<String>>,
    /// Nobody is answered before so many events are there.
    together: usize,
    all_there: tokio::sync::Notify,
}

impl EventSink for Sink {
    fn accept<'a>(&'a self, payload: Bytes) -> BoxFuture<'a, AckReply> {
        let count = {
            let mut got = self.got.lock().unwrap();
            got.push(String::from_utf8(payload.to_vec()).unwrap());
            got.len()
        };
        Box::pin(async move {
            if count < self.together {
                self.all_there.notified().await;
            } else {
                self.all_there.notify_waiters();
            }
            AckReply::Ok
        })
    }
}

type Script = Box<
    dyn FnOnce(tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) -> BoxFuture<'static, ()> + Send,
>;

/// A platform: discovery on one port, sockets on another, each connection played by the next script.
async fn platform(scripts: Vec<Script>) -> (Server, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let scripts = Arc::new(Mutex::new(VecDeque::from(scripts)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Some(script) = scripts.lock().unwrap().pop_front() else { continue };
            tokio::spawn(async move { script(tokio_tungstenite::accept_async(stream).await.unwrap()).await });
        }
    });
    let url = format!("ws://{address}/ws/v2?device_id=77&service_id=33554678&ticket=x");
    let body = json!({"code":0,"msg":"ok","data":{"URL":url,"ClientConfig":{"ReconnectCount":-1,"ReconnectInterval":120,"ReconnectNonce":30,"PingInterval":120}}});
    (Server::start([ok(&body.to_string())]).await, address)
}

struct Running {
    state: watch::Receiver<SocketState>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start(server: &Server, sink: &Arc<Sink>, network: &Network) -> Running {
    let client = testkit::client(&server.base_url, &Arc::<Notes>::default(), network);
    let (tell, state) = watch::channel(SocketState::Connecting);
    let cancel = CancellationToken::new();
    let task = tokio::spawn(run(SocketConfig::new(client), sink.clone(), tell, cancel.clone()));
    Running { state, cancel, task }
}

async fn next_frame(socket: &mut tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) -> Option<Frame> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(bytes) => return Frame::read(bytes).ok(),
            _ => continue,
        }
    }
}

fn script<F, Fut>(play: F) -> Script
where
    F: FnOnce(tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Box::new(move |socket| Box::pin(play(socket)))
}

#[tokio::test]
async fn events_are_acknowledged_after_the_sink_and_many_at_once() {
    let (done, mut is_done) = tokio::sync::mpsc::channel::<Vec<Frame>>(1);
    let play = script(move |mut socket| async move {
        assert_eq!(next_frame(&mut socket).await.unwrap(), Frame::ping(33_554_678));
        socket.send(Message::Text("ignored".into())).await.unwrap();
        socket.send(Message::Binary(Bytes::from_static(b"\xff\xff"))).await.unwrap();
        let mut events =
            vec![fragment("a", 1, 0, b"one"), fragment("b", 2, 1, b"EE"), fragment("b", 2, 0, b"THR")];
        events.push(fragment("c", 1, 0, b"two"));
        let mut card = fragment("d", 1, 0, b"{}");
        card.headers[0] = Header::new("type", "card");
        events.push(card);
        for event in events {
            socket.send(Message::Binary(event.written())).await.unwrap();
        }
        let mut acks = Vec::new();
        while acks.len() < 4 {
            acks.push(next_frame(&mut socket).await.unwrap());
        }
        done.send(acks).await.unwrap();
        next_frame(&mut socket).await;
    });
    let (server, _) = platform(vec![play]).await;
    let sink = Arc::new(Sink { together: 3, ..Sink::default() });
    let running = start(&server, &sink, &Network::direct());
    let acks = is_done.recv().await.unwrap();
    let mut ids: Vec<_> = acks.iter().map(|ack| ack.header("message_id").unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    for ack in &acks {
        assert!(ack.header("biz_rt").is_some());
        assert_eq!(ack.payload.as_deref(), Some(&br#"{"code":200}"#[..]));
    }
    assert_eq!(*sink.got.lock().unwrap(), ["one", "THREE", "two"]);
    assert!(matches!(&*running.state.borrow(), SocketState::Live { conn_id, .. } if conn_id == "77"));
    let asked = server.seen.lock().unwrap()[0].clone();
    assert_eq!(asked.line, "POST /callback/ws/endpoint");
    assert_eq!(asked.body, r#"{"AppID":"cli_a000000000000001","AppSecret":"s3cret"}"#);
    running.cancel.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_made_again_with_a_new_ticket() {
    let drops = || script(|socket| async move { drop(socket) });
    let (told, mut is_told) = tokio::sync::mpsc::channel(1);
    let stays = script(move |mut socket| async move {
        next_frame(&mut socket).await;
        told.send(()).await.unwrap();
        next_frame(&mut socket).await;
    });
    let (server, _) = platform(vec![drops(), stays]).await;
    let mut running = start(&server, &Arc::default(), &Network::direct());
    is_told.recv().await.unwrap();
    running.state.wait_for(|state| matches!(state, SocketState::Live { .. })).await.unwrap();
    assert_eq!(server.lines().len(), 2);
    running.cancel.cancel();
    running.task.await.unwrap();
}

async fn first_failure(script: testkit::Answer) -> SocketState {
    let server = Server::start([script]).await;
    let mut running = start(&server, &Arc::default(), &Network::direct());
    let failed = running
        .state
        .wait_for(|state| matches!(state, SocketState::Refused { .. } | SocketState::Reconnecting { .. }))
        .await
        .unwrap()
        .clone();
    running.cancel.cancel();
    failed
}

#[tokio::test]
async fn codes_that_pass_and_codes_that_stay() {
    for (status, body, is_fatal) in [
        (200, r#"{"code":1,"msg":"system busy"}"#, false),
        (200, r#"{"code":1000040343,"msg":"internal"}"#, false),
        (500, "<html>", false),
        (429, r#"{"code":99991400,"msg":"limit"}"#, false),
        (200, r#"{"code":1000040345,"msg":"bad secret"}"#, true),
        (400, r#"{"code":1000040344,"msg":"no credential"}"#, true),
        (200, r#"{"code":777,"msg":"?"}"#, true),
        (200, r#"{"code":0,"data":{}}"#, false),
    ] {
        let state = first_failure(answer(status, body)).await;
        assert_eq!(matches!(state, SocketState::Refused { .. }), is_fatal, "{body}: {state:?}");
    }
}

/// A socket server that refuses the handshake.
async fn refusing(head: &'static str) -> SocketState {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/?device_id=1&service_id=2", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    let body = json!({"code":0,"data":{"URL":url,"ClientConfig":{"PingInterval":1}}}).to_string();
    first_failure(ok(&body)).await
}

#[tokio::test]
async fn refused_handshakes_are_told_apart() {
    let full = "HTTP/1.1 400 Bad\r\nhandshake-status: 514\r\nHandshake-Msg: too many\r\nHandshake-Autherrcode: 1000040350\r\nContent-Length: 0\r\n\r\n";
    let state = refusing(full).await;
    assert!(
        matches!(&state, SocketState::Refused { reason, .. } if reason.contains("1000040350")),
        "{state:?}"
    );
    let forbidden = "HTTP/1.1 403 Forbidden\r\nHandshake-Status: 403\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(refusing(forbidden).await, SocketState::Refused { .. }));
    let ticket =
        "HTTP/1.1 400 Bad\r\nHandshake-Status: 514\r\nHandshake-Autherrcode: 1\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(refusing(ticket).await, SocketState::Reconnecting { .. }));
    assert!(matches!(refusing("HTTP/1.1 502 Oops\r\n\r\n").await, SocketState::Reconnecting { .. }));
}

#[tokio::test]
async fn the_websocket_goes_through_the_proxy_too() {
    let (told, mut is_told) = tokio::sync::mpsc::channel(1);
    let stays = script(move |mut socket| async move {
        next_frame(&mut socket).await;
        told.send(()).await.unwrap();
        next_frame(&mut socket).await;
    });
    let (server, sockets) = platform(vec![stays]).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let value = format!("http://{}", proxy.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn({
        let asked = asked.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut from, _) = proxy.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(from.read_u8().await.unwrap());
            }
            asked.lock().unwrap().extend_from_slice(&head);
            from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut to = tokio::net::TcpStream::connect(sockets).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        }
    });
    // Discovery goes direct, the socket does not: both are on loopback and told apart by port.
    let direct = server.base_url.strip_prefix("http://").unwrap().to_owned();
    let network = Network::from_vars(
        |name| match name {
            "HTTP_PROXY" => Some(value.clone()),
            "NO_PROXY" => Some(direct.replace("127.0.0.1", "localhost")),
            _ => None,
        },
        Timeouts::default(),
    )
    .unwrap();
    let server = Server { base_url: server.base_url.replace("127.0.0.1", "localhost"), ..server };
    let running = start(&server, &Arc::default(), &network);
    is_told.recv().await.unwrap();
    assert!(String::from_utf8(asked.lock().unwrap().clone()).unwrap().starts_with("CONNECT 127.0.0.1:"));
    running.cancel.cancel();
    running.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pong_re_tunes_and_silence_ends_the_connection() {
    let (told, mut is_told) = tokio::sync::mpsc::channel(8);
    let silent = script(move |mut socket| async move {
        next_frame(&mut socket).await;
        let config = ClientConfig { ping_interval: 3, ..ClientConfig::default() };
        socket.send(Message::Binary(Frame::pong(1, Some(&config)).written())).await.unwrap();
        while next_frame(&mut socket).await.is_some() {
            told.send(tokio::time::Instant::now()).await.unwrap();
        }
    });
    let (server, _) = platform(vec![silent]).await;
    let mut running = start(&server, &Arc::default(), &Network::direct());
    let first = is_told.recv().await.unwrap();
    let second = is_told.recv().await.unwrap();
    assert!(second - first <= Duration::from_secs(4), "{:?}", second - first);
    let lost = running
        .state
        .wait_for(|state| matches!(state, SocketState::Reconnecting { .. }))
        .await
        .unwrap()
        .clone();
    assert!(
        matches!(&lost, SocketState::Reconnecting { reason, .. } if reason.contains("silent")),
        "{lost:?}"
    );
    running.cancel.cancel();
    running.task.await.unwrap();
}
