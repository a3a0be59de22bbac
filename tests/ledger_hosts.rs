//! The call ledger across hosts: processes of their own on one PostgreSQL, and the simulator as the judge.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "common/postgres.rs"]
mod postgres;
#[path = "common/wire.rs"]
mod wire;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::AppKey,
        integration::{AppCredentials, Holder},
        permit::{
            BoxFuture, Call, Class, Denied, Feature, Limit, MonthClass, Outcome, Permit, PermitSource, limit,
        },
        permit_rows::{BucketRow, PermitRows, RowsAsked, RowsChanged},
        secret::Secret,
        time::{Clock, SystemClock, Timestamp},
    },
    feishu::{Ask, Client, Network},
    ledger::{BootClock, MachineClock, MonthRules},
    service::Ledger,
    sim::{Scenario, Sim, SimOptions},
    store::{Store, StoreUrl, permit},
};
use postgres::{Database, Settings, Stop};
use serde::{Deserialize, Serialize};

/// Where this binary is run once more, as a process of the team.
const WORKER: &str = "LEDGER_WORKER";
const PATIENCE: Duration = Duration::from_secs(60);
const TIER_4: &[Limit] = &[limit(1000, 60), limit(50, 1)];

/// What a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Orders {
    store: String,
    base_url: String,
    app_id: String,
    app_secret: String,
    in_flight: usize,
    /// How much its clocks are ahead of the others'.
    ahead_ms: i64,
    /// It stops itself with the rows in its hands instead of pulling.
    stops: bool,
}

/// The clocks of a machine that nobody has set right.
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(SystemClock.now().ms() + self.0)
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

impl BootClock for Wrong {
    fn now_us(&self) -> i64 {
        MachineClock::new().now_us() + self.0 * 1000
    }

    fn boot_tag(&self) -> u64 {
        self.0.unsigned_abs()
    }
}

fn call(month: MonthClass, class: Class) -> Call {
    Call {
        app: AppKey { base_url: "http://127.0.0.1:1".into(), app_id: "cli_1".parse().unwrap() },
        endpoint: "im.message.create",
        limits: TIER_4,
        is_send: false,
        target: None,
        month,
        class,
        feature: Feature::Send,
        patience: None,
    }
}

fn me() -> Holder {
    Holder { user: "ann".to_owned(), host: "bastion".to_owned(), pid: std::process::id() }
}

async fn rows(store: &str) -> Box<dyn PermitRows> {
    permit::open(&store.parse().unwrap(), &me()).await.unwrap()
}

async fn open(store: &str) -> Arc<Ledger> {
    let rules = MonthRules { limit: None, ..MonthRules::default() };
    Ledger::open(rows(store).await, rules, Arc::new(SystemClock))
}

/// A store without anything in it.
async fn made(database: Database) -> Database {
    let url: StoreUrl = database.url().parse().unwrap();
    Store::migrate(&url, me(), Arc::new(SystemClock)).await.unwrap();
    database
}

/// One on the server that all tests share.
async fn shared() -> Option<Database> {
    Some(made(postgres::database().await?).await)
}

fn busiest(mut at: Vec<Instant>, window: Duration) -> usize {
    at.sort();
    (0..at.len())
        .map(|first| at[first..].iter().take_while(|one| **one < at[first] + window).count())
        .max()
        .unwrap()
}

/// A process of the team, which calls the platform as often as it may.
struct Worker {
    child: Child,
    lines: mpsc::Receiver<String>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// When requests left their processes: microseconds of the machine's clock.
type Left = Arc<Mutex<Vec<i64>>>;

impl Worker {
    fn start(orders: &Orders, left: &Left) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_worker_works", "--nocapture"])
            .env(WORKER, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let left = left.clone();
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(at) = line.strip_prefix("left ") {
                    left.lock().unwrap().push(at.parse().unwrap());
                } else if line.starts_with("worker ") {
                    _ = sender.send(line);
                }
            }
        });
        Self { child, lines, reader: Some(reader) }
    }

    #[track_caller]
    fn expect(&self, line: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).expect("a word of the worker"), line);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Lets it end by itself.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The instant on the clock that all processes share. Two clocks are read one after the other, on a machine that may
/// do something else in between.
fn on_the_machines_clock(at: Instant) -> i64 {
    loop {
        let before = MachineClock::new().now_us();
        let ago = i64::try_from(at.elapsed().as_micros()).unwrap();
        if MachineClock::new().now_us() - before < 100 {
            return before - ago;
        }
    }
}

/// Says when requests leave.
struct Telling(Arc<Ledger>);

impl PermitSource for Telling {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        self.0.acquire(call)
    }

    fn settle(&self, permit: Permit, outcome: Outcome) -> BoxFuture<'_, ()> {
        // Those that ask for a token are no calls of the app's.
        if let Some(left) = permit.left_at.filter(|_| permit.call.endpoint == "im.chat.list") {
            println!("\nleft {}", on_the_machines_clock(left));
        }
        self.0.settle(permit, outcome)
    }
}

/// No test but the other side of them: see [`Worker`].
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_works() {
    let Ok(orders) = std::env::var(WORKER) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let mut rows = rows(&orders.store).await;
    if orders.stops {
        // As a decision would: every bucket of the call locked, and then nothing for a long time.
        let prefix = format!("{}|{}|", orders.base_url, orders.app_id);
        let keys = vec![format!("{prefix}app")];
        let asked = RowsAsked { keys: keys.clone(), ..RowsAsked::default() };
        let mut stop = |_| {
            println!("\nworker stops");
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::STOP).unwrap();
            // The signal may reach another thread first, and this one goes on for a moment.
            std::thread::sleep(Duration::from_millis(200));
            let row = BucketRow { key: keys[0].clone(), state: b"not granted".to_vec(), touched_us: 0 };
            Ok(RowsChanged { buckets: vec![row], ..RowsChanged::default() })
        };
        let outcome = rows.transact(&asked, &mut stop).await;
        println!("\nworker {}", if outcome.is_err() { "got nothing" } else { "wrote" });
        return;
    }
    let rules = MonthRules { limit: None, ..MonthRules::default() };
    let wrong = orders.ahead_ms;
    let ledger = Ledger::open_at(rows, rules, Arc::new(Wrong(wrong)), Arc::new(Wrong(wrong)));
    let app = AppCredentials {
        key: AppKey { base_url: orders.base_url.as_str().into(), app_id: orders.app_id.parse().unwrap() },
        app_secret: Secret::new(&orders.app_secret),
        encrypt_key: None,
        verification_token: None,
    };
    let client =
        Client::new(app, Arc::new(Telling(ledger.clone())), &Network::direct(), Arc::new(SystemClock))
            .unwrap();
    let client = Arc::new(client);
    let is_over = Arc::new(AtomicBool::new(false));
    let work = (0..orders.in_flight).map(|_| {
        let (client, is_over) = (client.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut is_first = true;
            while !is_over.load(Ordering::Relaxed) {
                let done = client.chats(Ask::new(Class::Linking, Feature::Linking), None).await;
                match &done {
                    Ok(_) if is_first => println!("\nworker goes"),
                    Ok(_) => {}
                    // Without the store nobody goes.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
                is_first &= done.is_err();
            }
        })
    });
    let work: Vec<_> = work.collect();
    // The end of the input is the end of the work.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
    is_over.store(true, Ordering::Relaxed);
    for task in work {
        task.await.unwrap();
    }
    ledger.close().await;
}

async fn platform() -> Sim {
    Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap()
}

fn orders(database: &Database, sim: &Sim) -> Orders {
    orders_at(database.url(), sim)
}

fn orders_at(store: String, sim: &Sim) -> Orders {
    let access = sim.access();
    Orders {
        store,
        base_url: access.base_url.clone(),
        app_id: access.app_id.clone(),
        app_secret: access.app_secret.clone(),
        in_flight: 3,
        ahead_ms: 0,
        stops: false,
    }
}

fn chats(sim: &Sim) -> u64 {
    let counters = sim.control().counters();
    counters.kinds.iter().find(|kind| kind.name == "im.chat.list").map_or(0, |kind| kind.calls)
}

/// Waits until the workers have made so many calls more.
async fn calls(sim: &Sim, more: u64) {
    let (from, began) = (chats(sim), Instant::now());
    while chats(sim) < from + more {
        assert!(began.elapsed() < PATIENCE, "{} of {more} calls", chats(sim) - from);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Never over: as the requests left. A guard's half is for the way, and on a machine that does a dozen other
/// things the way to the simulator may take longer than that; so what that counted is printed.
#[track_caller]
fn nothing_was_over(sim: &Sim, left: &Left) {
    let (mut left, mut first, mut most) = (left.lock().unwrap().clone(), 0, 0);
    left.sort_unstable();
    for (last, at) in left.iter().enumerate() {
        while left[first] <= at - 1_000_000 {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    let counters = sim.control().counters();
    println!("{} calls left, at most {most} in a second; {} arrived over a limit", left.len(), counters.over);
    assert!(left.len() > 40 && most <= 50, "{most} of 50 in a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_share_the_second_whatever_their_clocks_say() {
    let Some(database) = shared().await else { return };
    // From four hours behind to five hours ahead.
    ten_share_the_second(database.url(), "PostgreSQL", |number| (number - 4) * 3_600_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_share_the_second_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    // All on a machine have its clock.
    ten_share_the_second(format!("sqlite:{}", file.display()), "SQLite", |_| 0).await;
}

async fn ten_share_the_second(store: String, engine: &str, ahead_ms: impl Fn(i64) -> i64) {
    let (sim, left) = (platform().await, Left::default());
    let workers: Vec<Worker> = (0..10_i64)
        .map(|number| {
            let orders = Orders { ahead_ms: ahead_ms(number), ..orders_at(store.clone(), &sim) };
            Worker::start(&orders, &left)
        })
        .collect();
    for worker in &workers {
        worker.expect("worker goes");
    }
    let began = Instant::now();
    calls(&sim, 400).await;
    // A free machine leaves 98 % and more; how much a busy one does is no matter of the ledger's.
    let share = 400.0 / 50.0 / began.elapsed().as_secs_f64() * 100.0;
    println!("{engine}: ten processes use {share:.1} % of 50/s");
    for worker in workers {
        worker.end();
    }
    nothing_was_over(&sim, &left);
    let report = open(&store).await.report(&sim_app(&sim)).await.unwrap();
    let counted = sim.control().counters().month_counted;
    assert_eq!(report.month.used, counted);
    assert_eq!(report.month.unknown, 0);
}

fn sim_app(sim: &Sim) -> AppKey {
    let access = sim.access();
    AppKey { base_url: access.base_url.as_str().into(), app_id: access.app_id.parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_goes_before_the_bulk_of_another_host() {
    let Some(database) = shared().await else { return };
    let (bulk, person) = (open(&database.url()).await, open(&database.url()).await);
    let went = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..60)
        .map(|_| {
            let (bulk, went) = (bulk.clone(), went.clone());
            tokio::spawn(async move {
                loop {
                    let permit = bulk.acquire(call(MonthClass::Exempt, Class::Linking)).await.unwrap();
                    went.lock().unwrap().push(permit.granted_at);
                    bulk.settle(permit, Outcome::Done).await;
                }
            })
        })
        .collect();
    while went.lock().unwrap().len() < 60 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for _ in 0..10 {
        let asked = Instant::now();
        let permit = person.acquire(call(MonthClass::Exempt, Class::Person)).await.unwrap();
        let first = permit.granted_at;
        person.settle(permit, Outcome::Done).await;
        let before = went.lock().unwrap().iter().filter(|at| (asked..first).contains(at)).count();
        // Sixty wait there; those go before that had their permits when the person came.
        assert!(before <= 10, "{before} of the bulk went first");
    }
    for task in tasks {
        task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_with_the_rows_in_hand_is_thrown_out() {
    let Some(database) = shared().await else { return };
    let (sim, left) = (platform().await, Left::default());
    let puller = Worker::start(&orders(&database, &sim), &left);
    puller.expect("worker goes");
    let stopped = Worker::start(&Orders { stops: true, ..orders(&database, &sim) }, &left);
    stopped.expect("worker stops");
    // The others wait for it, not for ever, and not for its waking up.
    calls(&sim, 60).await;
    stopped.signal(rustix::process::Signal::CONT);
    stopped.expect("worker got nothing");
    calls(&sim, 60).await;
    // Whoever was stopped at any moment and goes on uses no permit that has grown old.
    for _ in 0..20 {
        puller.signal(rustix::process::Signal::STOP);
        tokio::time::sleep(Duration::from_millis(30)).await;
        puller.signal(rustix::process::Signal::CONT);
        calls(&sim, 3).await;
    }
    puller.end();
    nothing_was_over(&sim, &left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_starts_anew_gives_nothing_twice() {
    let Some(server) = postgres::start(&Settings::default()) else { return };
    let database = made(server.database().await).await;
    let (sim, left) = (platform().await, Left::default());
    let workers: Vec<Worker> = (0..4).map(|_| Worker::start(&orders(&database, &sim), &left)).collect();
    for worker in &workers {
        worker.expect("worker goes");
    }
    let here = open(&database.url()).await;
    for how in [Stop::Immediate, Stop::Fast, Stop::Immediate] {
        calls(&sim, 60).await;
        // As short as a crash can be: what was given just before must not be forgotten.
        server.stop(how);
        if matches!(how, Stop::Fast) {
            // What was granted before leaves within a tenth of a second, and nothing after it.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let before = chats(&sim);
            for _ in 0..20 {
                let refused = here.acquire(call(MonthClass::Exempt, Class::Page)).await.unwrap_err();
                assert!(matches!(refused, Denied::StoreAway { .. }));
            }
            assert_eq!(chats(&sim), before);
        }
        server.start();
    }
    calls(&sim, 60).await;
    here.acquire(call(MonthClass::Exempt, Class::Page)).await.unwrap();
    for worker in workers {
        worker.end();
    }
    nothing_was_over(&sim, &left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stalls_is_away() {
    let Some(server) = postgres::start(&Settings::default()) else { return };
    let ledger = open(&made(server.database().await).await.url()).await;
    let permit = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap();
    ledger.settle(permit, Outcome::Done).await;
    server.pause();
    let refused = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap_err();
    assert!(matches!(refused, Denied::StoreAway { .. }));
    server.resume();
    let app = call(MonthClass::Counted, Class::Person).app;
    let permit = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap();
    ledger.settle(permit, Outcome::Done).await;
    assert_eq!(ledger.report(&app).await.unwrap().month.used, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_month_is_right_after_kills() {
    let Some(database) = shared().await else { return };
    let (sim, left) = (platform().await, Left::default());
    let mut killed = 0;
    for _ in 0..6 {
        let worker = Worker::start(&orders(&database, &sim), &left);
        worker.expect("worker goes");
        calls(&sim, 7).await;
        worker.kill();
        killed += 3;
    }
    let report = open(&database.url()).await.report(&sim_app(&sim)).await.unwrap();
    let counted = sim.control().counters().month_counted;
    // What was in flight may have been counted here and not have left.
    let used = report.month.used + report.month.unknown;
    assert!((counted..=counted + killed).contains(&used), "{used} here, {counted} there");
    nothing_was_over(&sim, &left);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts_once() {
    let Some(database) = shared().await else { return };
    let wire = wire::Wire::start(database.options.get_socket().unwrap());
    let ledger = open(&database.url_by(wire.folder())).await;
    let app = call(MonthClass::Counted, Class::Person).app;
    let spend = async |outcome| {
        let permit = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap();
        ledger.settle(permit, outcome).await;
    };
    let used = async || ledger.report(&app).await.unwrap().month.used;
    spend(Outcome::Done).await;
    // The permit is written and reaches nobody: it goes back.
    wire.cut_after(b"commit");
    let refused = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap_err();
    assert!(matches!(refused, Denied::StoreAway { .. }));
    assert_eq!(used().await, 2);
    spend(Outcome::Done).await;
    assert_eq!(used().await, 2);
    // What became of a call is written, and not once more.
    let permit = ledger.acquire(call(MonthClass::Counted, Class::Person)).await.unwrap();
    wire.cut_after(b"commit");
    ledger.settle(permit, Outcome::Failed).await;
    spend(Outcome::Done).await;
    assert_eq!(used().await, 3);
    assert_eq!(ledger.report(&app).await.unwrap().endpoints[0].failed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_clock_is_set_changes_nothing() {
    let Some(database) = shared().await else { return };
    // The database's clock as its sessions see it, with a hand on it.
    sqlx::raw_sql(
        "create schema clock; create table clock.hand (ahead interval); insert into clock.hand values ('0');
         create function clock.clock_timestamp() returns timestamptz language sql volatile
           as 'select pg_catalog.clock_timestamp() + ahead from clock.hand';
         create function clock.statement_timestamp() returns timestamptz language sql volatile
           as 'select pg_catalog.statement_timestamp() + ahead from clock.hand';",
    )
    .execute(&mut database.connect().await)
    .await
    .unwrap();
    let store = format!("{}&options=-csearch_path%3Dclock%2Cpg_catalog%2Cpublic", database.url());
    let went = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let ledger = open(&store).await;
        for _ in 0..4 {
            let (ledger, went) = (ledger.clone(), went.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    let permit = ledger.acquire(call(MonthClass::Exempt, Class::Person)).await.unwrap();
                    let left = Instant::now();
                    let outcome = if permit.is_stale(left) { Outcome::Unused } else { Outcome::Done };
                    if outcome == Outcome::Done {
                        went.lock().unwrap().push(left);
                    }
                    ledger.settle(permit, outcome).await;
                }
            }));
        }
    }
    let gone = async |more: usize| {
        let (from, began) = (went.lock().unwrap().len(), Instant::now());
        while went.lock().unwrap().len() < from + more {
            assert!(began.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut hand = database.connect().await;
    for ahead in ["1 hour", "-2 hours", "-2 hours 0.3 seconds"] {
        gone(70).await;
        sqlx::query("update clock.hand set ahead = $1::interval")
            .bind(ahead)
            .execute(&mut hand)
            .await
            .unwrap();
    }
    gone(70).await;
    for task in tasks {
        task.abort();
    }
    let went = went.lock().unwrap().clone();
    assert!(busiest(went, Duration::from_secs(1)) <= 50);
}
