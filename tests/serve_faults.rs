//! Two gateways and three followers on one store, killed in turn under load: what was acknowledged is there, and
//! nothing is there twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Instant,
};

use common::{Home, PATIENCE, Sim, http};
use larkdeck::feishu::event::crypto::{encrypt, event_signature};
use serde_json::{Value, json};

const CHAT: &str = "oc_000000000000000000000000000000ff";
const MESSAGES: u32 = 300;

/// A gateway that is started again when it is killed.
struct Gateway<'a> {
    home: &'a Home,
    child: Child,
    base: String,
}

impl<'a> Gateway<'a> {
    fn start(home: &'a Home) -> Self {
        let mut child = home
            .command(&["serve", "--json", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        Self { home, child, base: first["listening"].as_str().unwrap().to_owned() }
    }

    fn die_and_rise(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(self.home);
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What a follower has printed: how often each message of the test, and the last number.
#[derive(Default)]
struct Seen {
    times: BTreeMap<String, u32>,
    last: i64,
}

/// A follower that goes on where it was when it is killed.
struct Follower<'a> {
    home: &'a Home,
    child: Child,
    reader: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
}

impl<'a> Follower<'a> {
    fn start(home: &'a Home) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (child, reader) = Self::follow(home, &seen);
        Self { home, child, reader: Some(reader), seen }
    }

    fn follow(home: &Home, seen: &Arc<Mutex<Seen>>) -> (Child, JoinHandle<()>) {
        let since = seen.lock().unwrap().last.to_string();
        let mut child = home
            .command(&["room", "tail", CHAT, "--since", &since, "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, seen) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(seen));
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Killed in the middle of a line, it has not said it.
                let Ok(message) = serde_json::from_str::<Value>(&line) else { return };
                let mut seen = seen.lock().unwrap();
                *seen.times.entry(message["message_id"].as_str().unwrap().to_owned()).or_default() += 1;
                let seq = message["seq"].as_i64().unwrap();
                assert!(seq > seen.last, "numbers grow");
                seen.last = seq;
            }
        });
        (child, reader)
    }

    fn die_and_rise(&mut self) {
        self.end();
        let (child, reader) = Self::follow(self.home, &self.seen);
        (self.child, self.reader) = (child, Some(reader));
    }

    fn end(&mut self) {
        _ = self.child.kill();
        self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().times.len()
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn message(sim: &Sim, no: u32) -> (String, Vec<u8>) {
    let id = format!("om_{no:032}");
    let event = json!({
        "schema": "2.0",
        "header": {"event_id": format!("e{no:031}"), "event_type": "im.message.receive_v1",
            "create_time": "1700000000123", "token": sim.verification_token, "app_id": sim.app_id,
            "tenant_key": "tk0000000000test"},
        "event": {
            "sender": {"sender_id": {"open_id": "ou_00000000000000000000000000000001"}, "sender_type": "user"},
            "message": {"message_id": id, "create_time": (1_700_000_000_000_u64 + u64::from(no)).to_string(),
                "chat_id": CHAT, "chat_type": "group", "message_type": "text",
                "content": format!("{{\"text\":\"line {no}\"}}")},
        },
    });
    let body =
        json!({"encrypt": encrypt(&sim.encrypt_key, event.to_string().as_bytes(), &[7; 16])}).to_string();
    let signature = event_signature("1700000000", "nonce", &sim.encrypt_key, body.as_bytes());
    let length = body.len().to_string();
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", &length),
        ("connection", "close"),
        ("x-lark-request-timestamp", "1700000000"),
        ("x-lark-request-nonce", "nonce"),
        ("x-lark-signature", &signature),
    ];
    (id, [http::head("POST", "PATH", &headers).as_bytes(), body.as_bytes()].concat())
}

/// Sends a request as the platform does; whether it was acknowledged.
fn push(base: &str, request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(base.trim_start_matches("http://")) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    stream.write_all(request).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.add(&sim);
    home.run(&["integration", "edit", "ops", "--receive", "both", "--no-check"]).expect(0);
    let id =
        home.run(&["integration", "show", "--json"]).expect(0).object()["id"].as_str().unwrap().to_owned();
    let mut gateways = [Gateway::start(&home), Gateway::start(&home)];
    let request = |no: u32| {
        let (message_id, request) = message(&sim, no);
        let text = String::from_utf8(request).unwrap();
        (message_id, text.replacen("PATH", &format!("/i/{id}/event"), 1).into_bytes())
    };
    // The room is there before anybody follows it.
    assert!(push(&gateways[0].base, &request(0).1));
    let mut followers = [Follower::start(&home), Follower::start(&home), Follower::start(&home)];

    let (bases, pushed) =
        (Arc::new(Mutex::new(gateways.each_ref().map(|one| one.base.clone()))), Mutex::new(0));
    std::thread::scope(|scope| {
        // Two senders: each message goes to one gateway, or to the other when that is dead, until it is
        // acknowledged; some of them to both.
        for sender in 0..2_u32 {
            let (bases, pushed, request) = (Arc::clone(&bases), &pushed, &request);
            scope.spawn(move || {
                for no in (1..MESSAGES).filter(|no| no % 2 == sender) {
                    let (_, request) = request(no);
                    let begun = Instant::now();
                    let mut at = usize::try_from(no / 2 % 2).unwrap();
                    while !push(&bases.lock().unwrap()[at].clone(), &request) {
                        assert!(begun.elapsed() < PATIENCE, "message {no} is never acknowledged");
                        at = 1 - at;
                    }
                    if no % 5 == 0 {
                        push(&bases.lock().unwrap()[1 - at].clone(), &request);
                    }
                    *pushed.lock().unwrap() += 1;
                }
            });
        }
        for round in 1..=5_u32 {
            let begun = Instant::now();
            while *pushed.lock().unwrap() < round * (MESSAGES - 1) / 6 {
                assert!(begun.elapsed() < PATIENCE, "the load stands still");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            match round {
                1 | 3 => {
                    let at = usize::try_from(round / 2).unwrap();
                    gateways[at].die_and_rise();
                    bases.lock().unwrap()[at].clone_from(&gateways[at].base);
                }
                2 => followers[0].die_and_rise(),
                4 => followers[1].die_and_rise(),
                _ => followers[2].die_and_rise(),
            }
        }
    });

    let stored = home.run(&["room", "history", CHAT, "--limit", "0", "--json"]).expect(0).objects();
    let mut ids: Vec<&str> = stored.iter().map(|row| row["message_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let wanted: Vec<String> = (0..MESSAGES).map(|no| request(no).0).collect();
    assert_eq!(ids, wanted, "each message once");
    for follower in &mut followers {
        let begun = Instant::now();
        while follower.count() < wanted.len() {
            assert!(begun.elapsed() < PATIENCE, "a follower lacks messages: {}", follower.count());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        follower.end();
        let seen = follower.seen.lock().unwrap();
        assert!(seen.times.values().all(|times| *times == 1), "a follower printed a message twice");
    }
}
