//! What the gateway takes in: events by webhook, encrypted and signed, each committed before its 200.
//!
//! `cargo bench --bench gateway [-- EVENTS]`. The gateway is a process of its own; the clients run beside it on
//! the same machine and take their share of it. Every figure is printed next to the floor or the limit that was
//! measured beside it; nothing is asserted but that nothing is lost and nothing is there twice.

#[path = "../tests/common/deck.rs"]
mod deck;

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::IntegrationId,
        integration::{LiveState, Receive},
        secret::Secret,
    },
    feishu::event::{
        EventKeys, Signed,
        crypto::{CipherKey, event_signature},
    },
    service::{CheckMode, Deck, IntegrationDraft},
    sim::{Control, Scenario, Sim, SimOptions, Speech},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const KEY: &str = "bench_encrypt_key_0001";
const TOKEN: &str = "bench_token_0001";
const CHAT: &str = "oc_00000000000000000000000000000001";

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let events = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(events))
}

async fn run(events: usize) -> Result<(), Failure> {
    line("what", "here", "beside it");
    let bare = bare_rate();
    line("decrypt + verify + parse, one thread, no HTTP", &per_s(bare), "");
    let folder = tempfile::tempdir()?;
    throughput(folder.path(), events, bare).await?;
    match tempfile::tempdir_in("/dev/shm") {
        Ok(memory) => without_disk(folder.path(), memory.path(), events).await?,
        Err(error) => line("the same without waiting for a disk", "not run", &error.to_string()),
    }
    let folder = tempfile::tempdir()?;
    both_ways(folder.path(), events.saturating_mul(5)).await
}

/// What one thread does of it without a socket and without a store.
fn bare_rate() -> f64 {
    let keys = EventKeys::new(Some(Secret::new(KEY)), Some(Secret::new(TOKEN)));
    let made: Vec<(String, String)> = (0..64).map(|no| sealed(&message(no, CHAT))).collect();
    let (begun, mut rounds) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(1) {
        for (body, signature) in &made {
            let signed = Signed { timestamp: "1700000001", nonce: "nonce", signature };
            black_box(keys.open(signed, body.as_bytes()).is_ok());
            rounds += 1;
        }
    }
    f64::from(rounds) / begun.elapsed().as_secs_f64()
}

async fn throughput(folder: &Path, events: usize, bare: f64) -> Result<(), Failure> {
    let deck = open(folder).await?;
    let id = add(&deck, "http://127.0.0.1:9", ("cli_a000000000000001", "s"), Receive::Webhook).await?;
    let gateway = Gateway::start(folder)?;
    let path = format!("/i/{id}/event");
    let mut next = 0_u64;
    for connections in [1, 8, 64] {
        let count = if connections == 1 { events / 4 } else { events };
        let begun = next;
        let committed = gateway
            .load(&requests(&path, count, connections, || {
                next += 1;
                message(next, CHAT)
            }))
            .await?;
        line(
            &format!("events committed before their 200, {connections} connection(s)"),
            &said(&committed),
            &format!("{:.0} % of bare", committed.rate / bare * 100.0),
        );
        let mut number = begun;
        let mut beside = async |what, make: fn(u64) -> String| {
            let make = || {
                number += 1;
                make(number)
            };
            let other = gateway.load(&requests(&path, count, connections, make)).await?;
            let share = format!("committed: {:.0} % of it", committed.rate / other.rate * 100.0);
            line(what, &said(&other), &share);
            Ok::<(), Failure>(())
        };
        beside("  the same with nothing to commit", uncommitted).await?;
        beside("  requests that end before the store", challenge).await?;
    }
    let stored = deck.history(&CHAT.parse()?, None, 0).await?.len();
    if u64::try_from(stored)? != next {
        return Err(format!("{stored} of {next} events stored").into());
    }
    let mut cpu = Vec::new();
    for (what, spoil) in REFUSALS {
        let load = requests_spoilt(&path, events / 2, 8, spoil, || {
            next += 1;
            message(next, CHAT)
        });
        let before = gateway.cpu_us()?;
        gateway.load(&load).await?;
        cpu.push((what, (gateway.cpu_us()? - before) / (events as f64 / 2.0)));
    }
    let accepted = cpu.first().map_or(0.0, |(_, us)| *us);
    for (what, us) in cpu {
        line(
            &format!("CPU of the gateway, {what}"),
            &format!("{us:.1} us"),
            &format!("{:.0} % of an accepted one", us / accepted * 100.0),
        );
    }
    line("memory of the gateway, at most", &gateway.memory()?, "goal 30 MiB");
    deck.shut().await;
    Ok(())
}

/// What waiting for the disk costs: the same events into a store in memory, where nothing waits, in turns.
async fn without_disk(disk: &Path, memory: &Path, events: usize) -> Result<(), Failure> {
    let (mut waited, mut free) = (0.0, 0.0);
    for (round, home) in [disk, memory, disk, memory].into_iter().enumerate() {
        let folder = home.join(format!("round-{round}"));
        std::fs::create_dir(&folder)?;
        let deck = open(&folder).await?;
        let app = ("cli_a000000000000001", "s");
        let id = add(&deck, "http://127.0.0.1:9", app, Receive::Webhook).await?;
        let gateway = Gateway::start(&folder)?;
        let mut next = 0;
        let load = requests(&format!("/i/{id}/event"), events, 64, || {
            next += 1;
            message(next, CHAT)
        });
        let rate = gateway.load(&load).await?.rate;
        *(if home == disk { &mut waited } else { &mut free }) += rate / 2.0;
        deck.shut().await;
    }
    line(
        "the same with commits that wait for no disk, 64 connections",
        &per_s(free),
        &format!("with the disk {}: {:.0} % of it", per_s(waited), waited / free * 100.0),
    );
    Ok(())
}

/// Every event twice by webhook and twice by long connection, in another order each time, all at once: each is
/// stored once.
async fn both_ways(folder: &Path, events: usize) -> Result<(), Failure> {
    let sim = Sim::start(SimOptions::local(Scenario::still()?)).await?;
    let access = sim.access();
    let control = sim.control();
    let deck = open(folder).await?;
    let id = add(&deck, &access.base_url, (&access.app_id, &access.app_secret), Receive::Both).await?;
    let gateway = Gateway::start(folder)?;
    let live = async {
        loop {
            if deck.integration("ops").await?.live.state == LiveState::Live {
                return Ok::<(), Failure>(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), live).await??;
    let chat = control.chats().first().map(|chat| chat.0.clone()).ok_or("no chat")?;
    let path = format!("/i/{id}/event");
    let begun = Instant::now();
    let (mut repeats, mut copies, mut dice) = (Vec::new(), Vec::new(), 7_u64);
    let (mut said, mut by_webhook, mut by_connection) = (0, 0, 0);
    while said < events || !copies.is_empty() {
        // The first push by long connection leaves with the saying itself.
        let ids = say(&control, &chat, 500.min(events - said))?;
        said += ids.len();
        by_connection += ids.len();
        copies.extend(ids.iter().cloned());
        copies.extend(ids.iter().cloned());
        repeats.extend(ids);
        // Half of what is owed goes now and the other half later: some copies come thousands of events after.
        for id in draw(&mut repeats, &mut dice, said == events) {
            control.repeat(&id)?;
            by_connection += 1;
        }
        let now = draw(&mut copies, &mut dice, said == events);
        by_webhook += now.len();
        push(&gateway, &path, &chat, &now).await?;
    }
    if !control.wait_acked(Duration::from_secs(120)).await {
        return Err("not every push by long connection was acknowledged".into());
    }
    let took = begun.elapsed().as_secs_f64();
    let stored = deck.history(&chat.parse()?, None, 0).await?.len();
    line(
        &format!("{events} events, each twice by both ways, shuffled"),
        &format!("{stored} stored once"),
        &format!("of {by_connection} pushes by long connection, {by_webhook} by webhook; {took:.1} s"),
    );
    if stored != events || by_connection != events * 2 || by_webhook != events * 2 {
        return Err(format!("{stored} of {events} events are stored").into());
    }
    deck.shut().await;
    Ok(())
}

/// Shuffles what is owed and takes half of it, or all.
fn draw(owed: &mut Vec<String>, dice: &mut u64, is_last: bool) -> Vec<String> {
    shuffle(owed, dice);
    owed.split_off(if is_last { 0 } else { owed.len() / 2 })
}

fn say(control: &Control, chat: &str, count: usize) -> Result<Vec<String>, Failure> {
    let speech = Speech { chat: chat.to_owned(), text: "rolling back".to_owned(), ..Speech::default() };
    (0..count).map(|_| control.say(&speech).map_err(Into::into)).collect()
}

async fn push(gateway: &Gateway, path: &str, chat: &str, ids: &[String]) -> Result<(), Failure> {
    let mut ids = ids.iter();
    let load = requests(path, ids.len(), 8, || {
        let id = ids.next().map(String::as_str).unwrap_or_default();
        message_of(id, &format!("w-{id}"), chat)
    });
    gateway.load(&load).await.map(drop)
}

fn shuffle(rows: &mut [String], dice: &mut u64) {
    for at in (1..rows.len()).rev() {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        rows.swap(at, usize::try_from(*dice >> 33).unwrap_or_default() % (at + 1));
    }
}

/// A gateway in a process of its own.
struct Gateway {
    child: Child,
    address: String,
}

/// What came of a load.
struct Done {
    rate: f64,
    p99_ms: f64,
}

impl Gateway {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_larkdeck"))
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--store"])
            .arg(format!("sqlite:{}", folder.join("larkdeck.db").display()))
            .env("LARKDECK_KEY_FILE", folder.join("key"))
            .env("LARKDECK_LOG_LEVEL", "error")
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut first = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut first)?;
        let first: serde_json::Value = serde_json::from_str(&first)?;
        let address = first.get("listening").and_then(|url| url.as_str()).ok_or("no address")?;
        Ok(Self { child, address: address.trim_start_matches("http://").to_owned() })
    }

    /// Sends the requests of each connection one after the other, all connections at once.
    async fn load(&self, requests: &[Vec<Vec<u8>>]) -> Result<Done, Failure> {
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for requests in requests {
            tasks.push(send(&self.address, requests));
        }
        let mut took: Vec<Duration> = Vec::new();
        for done in futures_util::future::join_all(tasks).await {
            took.extend(done?);
        }
        let elapsed = begun.elapsed().as_secs_f64();
        took.sort_unstable();
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        Ok(Done { rate: took.len() as f64 / elapsed, p99_ms: p99.as_secs_f64() * 1000.0 })
    }

    fn cpu_us(&self) -> Result<f64, Failure> {
        let mut ns = 0.0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            ns += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
        }
        Ok(ns / 1000.0)
    }

    fn memory(&self) -> Result<String, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        Ok(format!("{:.1} MiB", kib("VmHWM:").unwrap_or_default() / 1024.0))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn send(address: &str, requests: &[Vec<u8>]) -> Result<Vec<Duration>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut took = Vec::with_capacity(requests.len());
    let mut answer = vec![0; 4096];
    for request in requests {
        let begun = Instant::now();
        stream.write_all(request).await?;
        // Answers are small: they come in one piece.
        let count = stream.read(&mut answer).await?;
        if count == 0 {
            return Err("the gateway closed the connection".into());
        }
        took.push(begun.elapsed());
    }
    Ok(took)
}

/// What makes a request one that is refused; the first leaves it as it is.
type Spoil = fn(&mut String, &mut String);

const REFUSALS: [(&str, Spoil); 4] = [
    ("an event accepted", |_, _| {}),
    ("refused: wrong signature", |_, signature| {
        signature.pop();
        signature.push('x');
    }),
    ("refused: no signature", |_, signature| signature.clear()),
    ("refused: in the clear", |body, _| {
        *body = message(1, CHAT);
    }),
];

fn requests(path: &str, count: usize, connections: usize, make: impl FnMut() -> String) -> Vec<Vec<Vec<u8>>> {
    requests_spoilt(path, count, connections, |_, _| {}, make)
}

fn requests_spoilt(
    path: &str,
    count: usize,
    connections: usize,
    spoil: Spoil,
    mut make: impl FnMut() -> String,
) -> Vec<Vec<Vec<u8>>> {
    let mut all = vec![Vec::with_capacity(count / connections + 1); connections];
    for at in 0..count {
        let (mut body, mut signature) = sealed(&make());
        spoil(&mut body, &mut signature);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {}\r\nx-lark-request-timestamp: 1700000001\r\nx-lark-request-nonce: nonce\r\n\
             x-lark-signature: {signature}\r\n\r\n",
            body.len()
        );
        if let Some(one) = all.get_mut(at % connections) {
            one.push([head.as_bytes(), body.as_bytes()].concat());
        }
    }
    all
}

/// The body of a request, and its signature.
fn sealed(plain: &str) -> (String, String) {
    let cipher = CipherKey::new(KEY);
    let body = format!(r#"{{"encrypt":"{}"}}"#, cipher.encrypt(plain.as_bytes(), b"0123456789abcdef"));
    let signature = event_signature("1700000001", "nonce", KEY, body.as_bytes());
    (body, signature)
}

fn message(number: u64, chat: &str) -> String {
    message_of(&format!("om_{number:032}"), &format!("e{number:031}"), chat)
}

fn message_of(message_id: &str, event_id: &str, chat: &str) -> String {
    format!(
        r#"{{"schema":"2.0","header":{{"event_id":"{event_id}","event_type":"im.message.receive_v1","create_time":"1700000000123","token":"{TOKEN}","app_id":"cli_a000000000000001","tenant_key":"tk0000000000test"}},"event":{{"sender":{{"sender_id":{{"union_id":"on_00000000000000000000000000000001","user_id":"u0000001","open_id":"ou_00000000000000000000000000000001"}},"sender_type":"user","tenant_key":"tk0000000000test"}},"message":{{"message_id":"{message_id}","create_time":"1700000000000","update_time":"1700000000000","chat_id":"{chat}","chat_type":"group","message_type":"text","content":"{{\"text\":\"@_user_1 rolling back pay-gw, 网关 p99 到 4.2 s 了\"}}","mentions":[{{"key":"@_user_1","id":{{"union_id":"on_00000000000000000000000000000009","open_id":"ou_00000000000000000000000000000009"}},"mentioned_type":"user","name":"Ann","tenant_key":"tk0000000000test"}}]}}}}}}"#
    )
}

/// The same of a one-to-one chat, without an id: it is read, queued and answered in groups as any other, and nothing
/// of it is stored.
fn uncommitted(number: u64) -> String {
    let group = message_of(&format!("om_{number:032}"), "", CHAT);
    group.replacen(r#""chat_type":"group""#, r#""chat_type":"p2p""#, 1)
}

/// A verification of the URL as long as a message: verified, decrypted, read and answered at once.
fn challenge(number: u64) -> String {
    let length = message(number, CHAT).len();
    json!({"challenge": "c".repeat(length.saturating_sub(80)), "token": TOKEN, "type": "url_verification"})
        .to_string()
}

async fn open(folder: &Path) -> Result<Deck, Failure> {
    deck::opening(folder, "bench").open().await.map_err(|fault| fault.message.into())
}

async fn add(
    deck: &Deck,
    base_url: &str,
    app: (&str, &str),
    receive: Receive,
) -> Result<IntegrationId, Failure> {
    let draft = IntegrationDraft {
        encrypt_key: Some(Secret::new(KEY)),
        verification_token: Some(Secret::new(TOKEN)),
        ..deck::draft(base_url, app.0, app.1, receive)
    };
    let view = deck.add_integration(draft, CheckMode::NoCheck).await.map_err(|fault| fault.message)?;
    Ok(view.integration.id)
}

fn said(done: &Done) -> String {
    format!("{}, p99 {:.1} ms", per_s(done.rate), done.p99_ms)
}

fn per_s(rate: f64) -> String {
    format!("{rate:.0} /s")
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn line(what: &str, here: &str, beside: &str) {
    println!("{what:<58} {here:<28} {beside}");
}
