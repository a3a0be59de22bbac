//! The store of a team, on both engines in one run: what comes in by one and by four processes, how soon another
//! process knows, and a console on 100,000 members and a million messages.
//!
//! `cargo bench --bench console -- shared [MESSAGES]`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use larkdeck::{
    core::{
        ids::Seq,
        message::{NewMessage, Sender, SenderKind, Via},
        time::Timestamp,
    },
    store::{Anchor, Incoming, IngestItem, Place, Store},
};

use super::{
    bed::{Bed, NEWEST, WIDE, open_store},
    postgres::{self, Settings},
    report::{mib, ms, share},
    search,
};

const MEMBERS: usize = 100_000;
/// Of one process.
const EVENTS: usize = 20_000;
/// Calls of one process that wait for their commit at the same time.
const IN_FLIGHT: usize = 256;
const SAID: usize = 200;
const SAID_EVERY: Duration = Duration::from_millis(20);
const STARTS: usize = 7;
const WORKER: &str = "LARKDECK_BENCH_WORKER";

fn line(what: &str, sqlite: &str, postgres: &str) {
    println!("{what:<62} {sqlite:>24} {postgres:>24}");
}

pub fn run() {
    let messages = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000);
    let server = postgres::start(&Settings::default());
    let urls = [None, server.as_ref().map(database)];
    println!();
    line("a store on each engine", "SQLite", "PostgreSQL");
    let mut beds: Vec<Option<Bed>> = Vec::new();
    for (at, url) in urls.into_iter().enumerate() {
        beds.push((at == 0 || url.is_some()).then(|| Bed::on(url)));
    }
    let each = |what: &str, figure: &dyn Fn(&Bed) -> String| {
        let figures: Vec<String> =
            beds.iter().map(|bed| bed.as_ref().map_or("not installed".to_owned(), figure)).collect();
        line(what, &figures[0], &figures[1]);
    };
    each("events committed, one process", &|bed| per_s(ingest(bed, 1)));
    each("events committed, four processes", &|bed| per_s(ingest(bed, 4)));
    each("commit to another process, p50 / p99", &|bed| latency(bed, "", SAID, SAID_EVERY));
    each("  the same without NOTIFY (behind a pooler)", &|bed| {
        if bed.store_url().starts_with("sqlite:") {
            return String::new();
        }
        latency(bed, "&pooler=transaction", 5, Duration::from_millis(1_700))
    });
    let filled = Instant::now();
    each(&format!("filled with {MEMBERS} members and {messages} messages"), &|bed| {
        let began = Instant::now();
        bed.fill(MEMBERS, messages);
        format!("{:.0} s", began.elapsed().as_secs_f64())
    });
    println!("  ({:.0} s for both)", filled.elapsed().as_secs_f64());
    each("start to first frame / to everything, median", &start);
    each("  resident memory then", &|bed| {
        let mut terminal = bed.console_in_room(WIDE);
        let usage = terminal.usage();
        terminal.settle(Duration::from_millis(100));
        terminal.leave("q");
        mib(usage.rss_kib)
    });
    each("newest page of 200 / one from the middle, median", &|bed| history(bed, messages));
    each("a search of all members, median / worst", &|bed| {
        let queries = ["wang", "petrov", "e", "anna", "9999"];
        let texts: Vec<String> = super::bed::people(MEMBERS)
            .map(|(name, email)| format!("{name} <{email}>").to_lowercase())
            .collect();
        let hits: Vec<usize> = queries.iter().map(|query| search::plain(&texts, query).1).collect();
        let took = search::answers(bed, &queries, &hits);
        format!("{:.1} / {:.1} ms", ms(share(&took, 50)), ms(share(&took, 100)))
    });
}

fn database(server: &postgres::Server) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(server.database()).url()
}

fn per_s(rate: f64) -> String {
    format!("{rate:.0} /s")
}

/// A process of this bench that works on the bed's store.
struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(bed: &Bed, task: &str, number: usize) -> Self {
        let key_file = bed.key_file();
        let order = [task, &bed.store_url(), key_file.to_str().unwrap(), bed.room(), &number.to_string()];
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(WORKER, order.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut worker = Self { child, orders, answers };
        worker.hear();
        worker
    }

    /// Waits for the next line.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    fn go(&mut self) {
        self.orders.write_all(b"go\n").unwrap();
    }

    fn end(mut self) {
        self.hear();
        drop(self.orders);
        self.child.wait().unwrap();
    }
}

/// Does what another process of the bench asks for, if it is one that was started for that.
pub fn is_worker() -> bool {
    let Ok(order) = std::env::var(WORKER) else { return false };
    let parts: Vec<&str> = order.split('\n').collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(work(parts[0], parts[1], &PathBuf::from(parts[2]), parts[3], parts[4].parse().unwrap()));
    true
}

async fn work(task: &str, url: &str, key_file: &Path, room: &str, number: usize) {
    let store = open_store(url, key_file).await;
    let integration = store.integrations().await.unwrap().remove(0).id;
    let item = |id: String, text: String| IngestItem {
        integration: integration.clone(),
        event_id: None,
        via: Via::Webhook,
        what: Incoming::Message { message: message(room, &id, &text), own: false },
    };
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match task {
        "ingest" => {
            let numbers = std::sync::atomic::AtomicUsize::new(0);
            let mut hands = Vec::new();
            for _ in 0..IN_FLIGHT {
                hands.push(async {
                    loop {
                        let n = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if n >= EVENTS {
                            return;
                        }
                        let mixed = ((number * EVENTS + n) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let id = format!("om_{mixed:016x}{number:016x}");
                        store.ingest(vec![item(id, super::bed::words(n))]).await.unwrap();
                    }
                });
            }
            futures_util::future::join_all(hands).await;
        }
        _ => {
            for n in 0..number {
                let said = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
                let id = format!("om_said_{}_{n}_{said}", std::process::id());
                store.ingest(vec![item(id, format!("said {said}"))]).await.unwrap();
                let every = if number == SAID { SAID_EVERY } else { Duration::from_millis(1_700) };
                tokio::time::sleep(every).await;
            }
        }
    }
    println!("done");
    store.close().await;
}

fn message(room: &str, id: &str, text: &str) -> NewMessage {
    NewMessage {
        chat_id: room.parse().unwrap(),
        message_id: id.parse().unwrap(),
        root_id: None,
        parent_id: None,
        thread_id: None,
        sender: Sender { id: format!("ou_{:032x}", 7), name: None, kind: SenderKind::User },
        msg_type: "text".to_owned(),
        content: format!("{{\"text\":\"{text}\"}}"),
        mentions: Vec::new(),
        created_at: Timestamp::from_ms(1_700_000_000_000),
        updated_at: None,
        edited: false,
        recalled: false,
    }
}

fn ingest(bed: &Bed, processes: usize) -> f64 {
    let first = if processes == 1 { 0 } else { 1 };
    let mut workers: Vec<Worker> =
        (first..first + processes).map(|number| Worker::start(bed, "ingest", number)).collect();
    let began = Instant::now();
    workers.iter_mut().for_each(Worker::go);
    workers.into_iter().for_each(Worker::end);
    (processes * EVENTS) as f64 / began.elapsed().as_secs_f64()
}

/// From before the commit in one process to the message read by another.
fn latency(bed: &Bed, option: &str, count: usize, every: Duration) -> String {
    let mut worker = Worker::start(bed, "talk", count);
    let took = bed.runtime.block_on(async {
        let store = open_store(&format!("{}{option}", bed.store_url()), &bed.key_file()).await;
        let mut cursor = store.head().await.unwrap();
        let mut watch = store.watch();
        // What listening needs is set up by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        worker.go();
        let mut took = Vec::new();
        while took.len() < count {
            let patience = every + Duration::from_secs(20);
            tokio::time::timeout(patience, watch.changed()).await.unwrap().unwrap();
            took.extend(hear(&store, &mut cursor).await);
        }
        store.close().await;
        took
    });
    worker.end();
    format!("{:.2} / {:.2} ms", ms(share(&took, 50)), ms(share(&took, 99)))
}

async fn hear(store: &Store, cursor: &mut Seq) -> Vec<Duration> {
    let messages = store.messages_after(*cursor, None, 1_000).await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let mut took = Vec::new();
    for message in messages {
        *cursor = message.seq;
        let text = message.body.content;
        let said: u128 = text.rsplit(' ').next().unwrap().trim_end_matches("\"}").parse().unwrap();
        took.push(Duration::from_nanos(u64::try_from(now.saturating_sub(said)).unwrap()));
    }
    took
}

fn start(bed: &Bed) -> String {
    let mut terminal = bed.console_in_room(WIDE);
    // What is open is kept 2 s after the last key, and later where the store still folds in what it was filled with.
    terminal.pass(Duration::from_secs(6));
    terminal.leave("q");
    let (mut first, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut terminal = bed.console(WIDE);
        first.push(terminal.wait("a frame", |text| !text.trim().is_empty()) - terminal.started);
        whole.push(terminal.wait_text(NEWEST) - terminal.started);
        bed.wait_connected();
        terminal.settle(Duration::from_millis(300));
        terminal.leave("q");
    }
    format!("{:.1} / {:.1} ms", ms(share(&first, 50)), ms(share(&whole, 50)))
}

fn history(bed: &Bed, messages: usize) -> String {
    bed.runtime.block_on(async {
        let store = open_store(&bed.store_url(), &bed.key_file()).await;
        let room = bed.room().parse().unwrap();
        let newest = store.history(&room, &Anchor::Latest, 200).await.unwrap();
        let last = &newest.last().unwrap().body;
        let middle = Anchor::Before(Place {
            // They lie a second apart.
            at: Timestamp::from_ms(last.created_at.ms() - i64::try_from(messages * 500).unwrap()),
            message_id: last.message_id.clone(),
        });
        let mut figures = Vec::new();
        for anchor in [Anchor::Latest, middle] {
            let mut took = Vec::new();
            for _ in 0..20 {
                let began = Instant::now();
                assert_eq!(store.history(&room, &anchor, 200).await.unwrap().len(), 200);
                took.push(began.elapsed());
            }
            figures.push(format!("{:.1}", ms(share(&took, 50))));
        }
        store.close().await;
        format!("{} ms", figures.join(" / "))
    })
}
