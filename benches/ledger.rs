//! Permits: how many, what each costs, and how much of a limit several processes' worth of handles use; on a
//! file and on a PostgreSQL of its own, side by side.
//!
//! `cargo bench --bench ledger`. Figures are printed beside their floor or limit, never asserted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../tests/common/postgres.rs"]
mod postgres;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::AppKey,
        integration::Holder,
        permit::{Call, Class, Feature, Limit, MonthClass, Outcome, PermitSource, limit},
        time::SystemClock,
    },
    ledger::MonthRules,
    service::Ledger,
    store::{Store, StoreUrl, permit},
};
use postgres::{Server, Settings};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;

/// The endpoint that linking calls.
const TIER_4: &[Limit] = &[limit(1000, 60), limit(50, 1)];
/// Where no limit of an endpoint is in the way.
const FREE: &[Limit] = &[];

fn call(app: usize, limits: &'static [Limit]) -> Call {
    Call {
        app: AppKey { base_url: "http://bench".into(), app_id: format!("cli_{app}").parse().unwrap() },
        endpoint: "contact.user.batch_get_id",
        limits,
        is_send: false,
        target: None,
        month: MonthClass::Exempt,
        class: Class::Linking,
        feature: Feature::Linking,
        patience: None,
    }
}

fn me() -> Holder {
    Holder { user: "ann".to_owned(), host: "bastion".to_owned(), pid: 7 }
}

/// Where the rows are.
struct Place {
    url: StoreUrl,
    _folder: Option<TempDir>,
}

impl Place {
    fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: StoreUrl::Sqlite(folder.path().join("store.db")), _folder: Some(folder) }
    }

    async fn database(server: &Server) -> Self {
        let url: StoreUrl = server.database().await.url().parse().unwrap();
        Store::migrate(&url, me(), Arc::new(SystemClock)).await.unwrap();
        Self { url, _folder: None }
    }

    /// One on each engine, with what it is called; without the second where there is no server.
    async fn both(server: Option<&Server>) -> Vec<(&'static str, Self)> {
        let mut places = vec![("SQLite", Self::file())];
        if let Some(server) = server {
            places.push(("PostgreSQL", Self::database(server).await));
        }
        places
    }

    async fn open(&self) -> Arc<Ledger> {
        let rows = permit::open(&self.url, &me()).await.unwrap();
        Ledger::open(rows, MonthRules::default(), Arc::new(SystemClock))
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// One permit after the other, each of another app so that no limit is in the way.
async fn one_by_one(ledger: &Ledger, calls: u32) -> Vec<Duration> {
    let mut took = Vec::new();
    for index in 0..calls {
        let began = Instant::now();
        let permit =
            ledger.acquire(Call { class: Class::Person, ..call(index as usize / 40, FREE) }).await.unwrap();
        took.push(began.elapsed());
        ledger.settle(permit, Outcome::Done).await;
    }
    took.sort();
    took
}

/// What a decision costs.
async fn bare_cost(name: &str, place: &Place) {
    const CALLS: u32 = 2_000;
    let ledger = place.open().await;
    one_by_one(&ledger, 40).await;
    let (began, spent) = (Instant::now(), cpu());
    let each = one_by_one(&ledger, CALLS).await;
    let (took, spent) = (began.elapsed(), cpu() - spent);
    println!(
        "{name:<10} permits one by one: {:>6.0} /s, {:>4.0} us of a processor here each; {:.2} ms (p50), {:.2} ms (p99)",
        f64::from(CALLS) / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / f64::from(CALLS),
        each[each.len() / 2].as_secs_f64() * 1e3,
        each[each.len() * 99 / 100].as_secs_f64() * 1e3,
    );
}

/// What a permit costs the database, as the database counts it: alone, and while four handles pull at one limit.
async fn cost_of_the_database() {
    let counting = ["shared_preload_libraries = 'pg_stat_statements'", "log_statement = 'all'"];
    let settings = Settings { conf: &counting, ..Settings::default() };
    let Some(server) = postgres::start(&settings) else { return };
    let place = Place::database(&server).await;
    let StoreUrl::Postgres(url) = &place.url else { return };
    let mut watcher = url.connect_options().unwrap().connect().await.unwrap();
    sqlx::raw_sql("create extension pg_stat_statements").execute(&mut watcher).await.unwrap();
    for (what, handles, calls) in [("alone", 1, 400), ("four handles at 50/s", 4, 300)] {
        let mut ledgers = Vec::new();
        for _ in 0..handles {
            ledgers.push(place.open().await);
        }
        sqlx::raw_sql("select pg_stat_statements_reset()").execute(&mut watcher).await.unwrap();
        let (trips, written) = (trips(&server), written(&mut watcher).await);
        let wanted = Arc::new(tokio::sync::Semaphore::new(calls));
        let mut tasks = Vec::new();
        for ledger in &ledgers {
            for number in 0..6 {
                let (ledger, wanted) = (ledger.clone(), wanted.clone());
                let app = if handles == 1 { None } else { Some(0) };
                tasks.push(tokio::spawn(async move {
                    // Alone, only one goes at a time.
                    while (app.is_some() || number == 0)
                        && wanted.try_acquire().map(|one| one.forget()).is_ok()
                    {
                        let of = app.unwrap_or_else(|| 1 + wanted.available_permits() / 40);
                        let permit = ledger.acquire(call(of, FREE)).await.unwrap();
                        ledger.settle(permit, Outcome::Done).await;
                    }
                }));
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        let seen = "select sum(calls)::bigint, sum(calls) filter (where query ilike 'commit%')::bigint,
            sum(total_exec_time + total_plan_time)::float8 from pg_stat_statements";
        let (statements, commits, busy_ms): (i64, i64, f64) =
            sqlx::query_as(seen).fetch_one(&mut watcher).await.unwrap();
        let calls = calls as f64;
        println!(
            "PostgreSQL {what}: {:.2} round trips, {:.1} statements, {:.2} transactions, {:.0} us of the server's \
             statements and {:.0} bytes of log a permit",
            (crate::trips(&server) - trips) as f64 / calls,
            statements as f64 / calls,
            commits as f64 / calls,
            busy_ms * 1e3 / calls,
            (crate::written(&mut watcher).await - written) as f64 / calls,
        );
    }
}

/// Messages that the server was sent.
fn trips(server: &Server) -> usize {
    std::fs::read_to_string(server.folder().join("log")).unwrap().matches("LOG:  statement:").count()
}

/// Bytes of its log.
async fn written(watcher: &mut sqlx::PgConnection) -> i64 {
    let place = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
    sqlx::query_scalar(place).fetch_one(watcher).await.unwrap()
}

/// Handles that pull at one app's 50/s for some seconds, with answers after `rtt`.
async fn pull(
    (name, place): &(&str, Place),
    handles: usize,
    in_flight: usize,
    rtt: Duration,
    limits: &'static [Limit],
    calls: usize,
) {
    let left = Arc::new(tokio::sync::Semaphore::new(calls));
    let mut ledgers = Vec::new();
    for _ in 0..handles {
        ledgers.push(place.open().await);
    }
    let spent = cpu();
    let mut tasks = Vec::new();
    for ledger in &ledgers {
        for _ in 0..in_flight {
            let (ledger, left) = (ledger.clone(), left.clone());
            tasks.push(tokio::spawn(async move {
                let mut went = Vec::new();
                while let Ok(one) = left.try_acquire() {
                    one.forget();
                    let mut permit = ledger.acquire(call(1, limits)).await.unwrap();
                    permit.left(Instant::now());
                    went.push((permit.granted_at, Instant::now()));
                    tokio::time::sleep(rtt).await;
                    ledger.settle(permit, Outcome::Done).await;
                }
                went
            }));
        }
    }
    let mut went = Vec::new();
    for task in tasks {
        went.extend(task.await.unwrap());
    }
    let spent = cpu() - spent;
    let late = went.iter().map(|(granted, left)| left.saturating_duration_since(*granted));
    let mut late: Vec<Duration> = late.collect();
    late.sort();
    let mut left: Vec<Instant> = went.iter().map(|(_, left)| *left).collect();
    left.sort();
    let most = (0..left.len())
        .map(|first| {
            left.iter().skip(first).take_while(|at| **at < left[first] + Duration::from_secs(1)).count()
        })
        .max()
        .unwrap_or(0);
    let span = left[left.len() - 1] - left[0];
    println!(
        "{name:<10} {handles:>2} handles, answers in {:>3} ms: {:>5.1} % of 50/s over {:.1} s; busiest second {most} of 50; \
         {:>3.0} us of a processor each; leaves {:.1} ms late (p50), {:.1} ms (p99)",
        rtt.as_millis(),
        100.0 * (left.len() - 1) as f64 / 50.0 / span.as_secs_f64(),
        span.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / left.len() as f64,
        late[late.len() / 2].as_secs_f64() * 1e3,
        late[late.len() * 99 / 100].as_secs_f64() * 1e3,
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let server = postgres::shared();
    for (name, place) in Place::both(server).await {
        bare_cost(name, &place).await;
    }
    cost_of_the_database().await;
    println!("a guard of 20 ms leaves 98.04 % of 50/s in the long run; answers within 15 ms leave more");
    for (handles, in_flight, rtt_ms, limits, calls) in [
        (1, 16, 5, FREE, 500),
        (1, 40, 300, FREE, 500),
        (4, 8, 30, FREE, 500),
        (10, 4, 30, FREE, 500),
        // Linking 100,000 members: 1,000 calls, limit 20.0 s.
        (1, 16, 30, TIER_4, 1000),
    ] {
        for place in Place::both(server).await {
            pull(&place, handles, in_flight, Duration::from_millis(rtt_ms), limits, calls).await;
        }
    }
}
