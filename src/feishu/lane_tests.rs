//! When permits are taken and when bytes leave, against servers of a few lines that misbehave.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};

use super::{
    gate::{Freight, Sending},
    testkit::{ASK, Answer, Notes, Server, TOKEN, answer, client, client_by, ok},
    *,
};
use crate::core::{
    error::{Kind, Problem},
    ids::{AppKey, ChatId},
    permit::{BoxFuture, Call, Class, Denied, Feature, MonthClass, Outcome, Permit, PermitSource},
    time::{Clock, SystemClock, Timestamp},
};

const CHAT: &str = "im.chat.get";
const SEND: &str = "im.message.create";

fn chat_id() -> ChatId {
    "oc_1".parse().unwrap()
}

fn text() -> SendMessage {
    SendMessage {
        receive_id: "oc_1".into(),
        receive_id_type: ReceiverKind::ChatId,
        msg_type: "text".into(),
        content: r#"{"text":"hi"}"#.into(),
        uuid: None,
    }
}

/// A clock that is ahead of the machine's by what its script says, reading by reading.
#[derive(Default)]
struct Jumpy(Mutex<VecDeque<Duration>>);

impl Jumpy {
    fn next(&self, ahead_s: impl IntoIterator<Item = u64>) {
        *self.0.lock().unwrap() = ahead_s.into_iter().map(Duration::from_secs).collect();
    }
}

impl Clock for Jumpy {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
    fn instant(&self) -> Instant {
        Instant::now() + self.0.lock().unwrap().pop_front().unwrap_or_default()
    }
}

/// What a connection does with a request after the token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Answer,
    /// Answers, closes, and waits until the client has noticed.
    AnswerAndClose,
    /// Reads it and closes without a word.
    Swallow,
}

/// A server that keeps what arrived, to the byte: one text for each connection.
struct Raw {
    base_url: String,
    heard: Arc<Mutex<Vec<String>>>,
    /// A connection is over on both sides.
    closed: Arc<Notify>,
}

impl Raw {
    async fn start(script: impl IntoIterator<Item = Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let raw = Self { base_url, heard: Arc::default(), closed: Arc::default() };
        let (heard, closed) = (raw.heard.clone(), raw.closed.clone());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        tokio::spawn(async move {
            for index in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                heard.lock().unwrap().push(String::new());
                let (heard, script, closed) = (heard.clone(), script.clone(), closed.clone());
                tokio::spawn(async move {
                    serve(stream, index, &heard, &script).await;
                    closed.notify_one();
                });
            }
        });
        raw
    }

    fn requests(&self, line: &str) -> usize {
        self.heard.lock().unwrap().iter().map(|text| text.matches(line).count()).sum()
    }

    fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    index: usize,
    heard: &Mutex<Vec<String>>,
    script: &Mutex<VecDeque<Does>>,
) {
    let mut seen = 0;
    loop {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        let now = {
            let mut heard = heard.lock().unwrap();
            heard[index].push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            heard[index][seen..].to_owned()
        };
        let Some((head, body)) = now.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.map_or(0, |length| length.parse().unwrap()) {
            continue;
        }
        seen += now.len();
        let (does, body) = if head.contains("tenant_access_token") {
            (Does::Answer, TOKEN)
        } else {
            let does = script.lock().unwrap().pop_front().unwrap_or(Does::Answer);
            (does, r#"{"code":0,"data":{"chat_id":"oc_1"}}"#)
        };
        if does == Does::Swallow {
            return;
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        if does == Does::AnswerAndClose {
            stream.shutdown().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_nothing() {
    let server = Raw::start([Does::AnswerAndClose]).await;
    let notes = Arc::new(Notes::default());
    let client = client(&server.base_url, &notes, &Network::direct());
    client.chat(ASK, &chat_id()).await.unwrap();
    server.closed.notified().await;
    client.chat(ASK, &chat_id()).await.unwrap();
    assert_eq!(notes.outcomes(CHAT), [Outcome::Done, Outcome::Done]);
    assert_eq!((server.requests("GET /open-apis/im/v1/chats/oc_1"), server.connections()), (2, 2));
}

#[tokio::test]
async fn one_connection_serves_one_caller_after_the_other() {
    let server = Raw::start([]).await;
    let client = client(&server.base_url, &Arc::<Notes>::default(), &Network::direct());
    for _ in 0..5 {
        client.chat(ASK, &chat_id()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let id = chat_id();
    let calls = (0..8).map(|_| client.chat(ASK, &id));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    assert!((2..=8).contains(&server.connections()), "nobody waits for another's connection");
}

#[tokio::test]
async fn nothing_is_sent_a_second_time_by_itself() {
    // On a new connection, and on a kept one, where a client might think that it had been closed before.
    for script in [vec![Does::Swallow], vec![Does::Answer, Does::Swallow]] {
        let server = Raw::start(script.clone()).await;
        let notes = Arc::new(Notes::default());
        let client = client(&server.base_url, &notes, &Network::direct());
        if script.len() > 1 {
            client.chat(ASK, &chat_id()).await.unwrap();
        }
        let error = client.send(ASK, text()).await.unwrap_err();
        assert!(error.may_have_happened() && error.kind() == Kind::Offline, "{error}");
        assert_eq!(server.requests("POST /open-apis/im/v1/messages"), 1);
        assert_eq!(notes.outcomes(SEND), [Outcome::Unknown]);
    }
    let server = Raw::start([Does::Swallow]).await;
    let notes = Arc::new(Notes::default());
    let client = client(&server.base_url, &notes, &Network::direct());
    client.chat(ASK, &chat_id()).await.unwrap();
    assert_eq!(notes.outcomes(CHAT), [Outcome::Unknown, Outcome::Done], "a retry has a permit of its own");
    assert_eq!(server.requests("GET /open-apis/im/v1/chats/oc_1"), 2);
}

#[tokio::test]
async fn a_permit_that_goes_stale_at_the_last_moment_holds_the_request_back() {
    let server = Raw::start([]).await;
    let notes = Arc::new(Notes::default());
    let clock = Arc::new(Jumpy::default());
    let client = client_by(&server.base_url, &notes, &Network::direct(), clock.clone());
    client.chat(ASK, &chat_id()).await.unwrap();
    for is_send in [false, true] {
        let already = server.connections();
        // Read for the token, at the gate, before the write, and at the gate of the next connection.
        clock.next([0, 0, 10, 10]);
        let (line, endpoint) = if is_send {
            client.send(ASK, text()).await.unwrap_err();
            ("POST /open-apis/im/v1/messages", SEND)
        } else {
            client.chat(ASK, &chat_id()).await.unwrap();
            ("GET /open-apis/im/v1/chats/oc_1", CHAT)
        };
        let outcomes = notes.outcomes(endpoint);
        assert_eq!(outcomes[outcomes.len() - 2..], [Outcome::Unused, Outcome::Done], "{endpoint}");
        assert_eq!(server.connections(), already + 1);
        assert_eq!(server.requests(line), if is_send { 1 } else { 2 });
        let heard = server.heard.lock().unwrap().clone();
        assert_eq!(heard[already - 1].matches(line).count(), if is_send { 0 } else { 1 });
    }
}

#[tokio::test]
async fn the_body_of_a_request_is_the_last_look_at_its_permit() {
    let notes = Arc::new(Notes::default());
    let clock = Arc::new(Jumpy::default());
    for bytes in [Bytes::new(), Bytes::from_static(b"{}")] {
        let has_bytes = !bytes.is_empty();
        let sending = Sending::new(notes.clone(), clock.clone(), call());
        let mut freight = Freight::new(bytes, sending.gate().clone());
        let mut next = async || poll_fn(|cx| Pin::new(&mut freight).poll_frame(cx)).await;
        assert!(next().await.unwrap().is_err(), "no permit, no byte");
        assert!(!sending.gate().has_left() && sending.gate().was_held_back());
        assert!(sending.gate().open().await && !sending.gate().was_held_back());
        clock.next([10]);
        assert!(next().await.unwrap().is_err() && !sending.gate().has_left());
        assert!(next().await.unwrap().is_err(), "held back once is held back");
        assert!(sending.gate().open().await);
        assert_eq!(next().await.is_some(), has_bytes);
        assert!(sending.gate().has_left() && freight.is_end_stream());
        assert!(!sending.gate().open().await, "no second permit for what has left");
        sending.settle(Outcome::Done).await;
    }
    let sending = Sending::new(notes.clone(), clock, call());
    let freight = Freight::new(Bytes::new(), sending.gate().clone());
    assert!(sending.gate().open().await);
    drop(sending);
    assert!(!freight.is_end_stream(), "what nobody waits for does not leave");
    while notes.settled.lock().unwrap().len() < 3 {
        notes.told.notified().await;
    }
    assert_eq!(notes.outcomes(CHAT), [Outcome::Done, Outcome::Done, Outcome::Unused]);
    assert_eq!(
        notes.left.lock().unwrap().iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, true, false]
    );
}

fn call() -> Call {
    Call {
        app: AppKey { base_url: "http://x".into(), app_id: "cli_1".parse().unwrap() },
        endpoint: CHAT,
        limits: &[],
        is_send: false,
        target: None,
        month: MonthClass::Counted,
        class: Class::Person,
        feature: Feature::Setup,
        patience: None,
    }
}

/// A proxy that is asked for tunnels and answers each with `answer`, when told to.
async fn proxy(answer: &'static str) -> (String, mpsc::Receiver<String>, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, heads) = mpsc::channel(8);
    let go_on = Arc::new(Notify::new());
    let may = go_on.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            asked.send(String::from_utf8(head).unwrap()).await.unwrap();
            may.notified().await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, heads, go_on)
}

fn behind(proxy: &str) -> Network {
    let value = format!("http://user:hunter2@{proxy}");
    Network::from_vars(|name| (name == "HTTPS_PROXY").then(|| value.clone()), Timeouts::default()).unwrap()
}

/// Calls once while `script` goes on beside it.
async fn failing(client: &Client, script: impl Future<Output = ()>) -> FeishuError {
    let id = chat_id();
    // A token call: it comes first.
    let (result, ()) = tokio::join!(client.chat(ASK.within(Duration::ZERO), &id), script);
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    error
}

#[tokio::test]
async fn no_permit_is_taken_while_the_way_is_made() {
    let (address, mut heads, go_on) = proxy("HTTP/1.1 200 OK\r\n\r\nthis is no TLS at all").await;
    let notes = Arc::new(Notes::default());
    let client = client("https://open.feishu.cn", &notes, &behind(&address));
    let error = failing(&client, async {
        let head = heads.recv().await.unwrap();
        assert!(head.starts_with("CONNECT open.feishu.cn:443 HTTP/1.1\r\n"), "{head}");
        assert!(notes.granted.lock().unwrap().is_empty());
        go_on.notify_one();
    })
    .await;
    assert!(error.to_string().contains("no secure connection to open.feishu.cn: "), "{error}");
    assert!(!error.may_have_happened() && notes.granted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_is_quoted_when_it_refuses() {
    let (address, mut heads, go_on) = proxy("HTTP/1.1 403 Not this host\r\nX: y\r\n\r\n").await;
    let client = client("https://open.feishu.cn", &Arc::<Notes>::default(), &behind(&address));
    let error = failing(&client, async {
        // reqwest does not say why: the second time we ask ourselves.
        for _ in 0..2 {
            heads.recv().await.unwrap();
            go_on.notify_one();
        }
    })
    .await;
    let said =
        format!("the proxy {address} does not let us through to open.feishu.cn: HTTP 403 Not this host");
    assert!(error.to_string().contains(&said), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_and_a_proxy_that_is_away_are_named() {
    let server = Server::start([]).await;
    let secure = server.base_url.replace("http:", "https:");
    let direct = client(&secure, &Arc::<Notes>::default(), &Network::direct());
    let error = failing(&direct, async {}).await;
    let host = secure.strip_prefix("https://").unwrap();
    assert!(error.to_string().contains(&format!("no secure connection to {host}: ")), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    for url in ["https://open.feishu.cn", &format!("http://{nobody}")] {
        let client = client(url, &Arc::<Notes>::default(), &behind(&nobody));
        let error = failing(&client, async {}).await;
        assert!(error.to_string().contains(&format!("cannot reach {nobody}: Connection refused")), "{error}");
        assert!(!error.may_have_happened());
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        let moved = Answer {
            headers: vec![("location", format!("{}/open-apis/im/v1/messages", elsewhere.base_url))],
            ..answer(status, "")
        };
        let server = Server::start([moved]).await;
        let error = server.client(&Arc::default()).send(ASK, text()).await.unwrap_err();
        assert!(error.to_string().contains("it sends us elsewhere"), "{error}");
        assert_eq!(server.lines().len(), 1);
    }
    assert!(elsewhere.lines().is_empty());
}

/// Permits that take a minute.
struct Slow;

impl PermitSource for Slow {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let fresh_for = Duration::from_secs(1);
            Ok(Permit { id: 1, granted_at: Instant::now(), fresh_for, left_at: None, call })
        })
    }
    fn settle(&self, _: Permit, _: Outcome) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_permit_is_no_wait_for_the_server() {
    let server = Server::start([ok(r#"{"code":0,"data":{"chat_id":"oc_1"}}"#)]).await;
    let started = tokio::time::Instant::now();
    let client = client(&server.base_url, &Arc::new(Slow), &Network::direct());
    client.chat(ASK, &chat_id()).await.unwrap();
    client.chat(ASK, &chat_id()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(180), "the token's and two calls'");
}

#[tokio::test]
async fn an_id_that_leads_elsewhere_is_not_sent() {
    let server = Server::start([]).await;
    let notes = Arc::new(Notes::default());
    let client = server.client(&notes);
    let message = "om_1".parse().unwrap();
    let error = client.delete_reaction(ASK, &message, "..").await.unwrap_err();
    assert!(matches!(error, FeishuError::Usage { .. }), "{error}");
    assert!(server.lines().is_empty() && notes.outcomes("im.reaction.delete").is_empty());
}
