//! Permits: how many, what each costs, and how much of a limit several processes' worth of handles use.
//!
//! `cargo bench --bench ledger`. Figures are printed beside their floor or limit, never asserted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::AppKey,
        permit::{Call, Class, Feature, Limit, MonthClass, Outcome, PermitSource, limit},
        time::SystemClock,
    },
    ledger::MonthRules,
    service::Ledger,
    store::permit::open_rows,
};

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

async fn open(folder: &Path) -> Arc<Ledger> {
    Ledger::open(open_rows(folder).await.unwrap(), MonthRules::default(), Arc::new(SystemClock))
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// One permit after the other, each of another app so that no limit is in the way: what a decision costs.
async fn bare_cost() {
    const CALLS: u32 = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path()).await;
    let (began, spent) = (Instant::now(), cpu());
    for index in 0..CALLS {
        let permit =
            ledger.acquire(Call { class: Class::Person, ..call(index as usize / 40, FREE) }).await.unwrap();
        ledger.settle(permit, Outcome::Done).await;
    }
    let (took, spent) = (began.elapsed(), cpu() - spent);
    println!(
        "permits one by one:       {:>7.0} /s, {:>4.0} us of a processor each",
        f64::from(CALLS) / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / f64::from(CALLS)
    );
}

/// Handles that pull at one app's 50/s for some seconds, with answers after `rtt`.
async fn pull(handles: usize, in_flight: usize, rtt: Duration, limits: &'static [Limit], calls: usize) {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(tokio::sync::Semaphore::new(calls));
    let mut ledgers = Vec::new();
    for _ in 0..handles {
        ledgers.push(open(folder.path()).await);
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
                    let permit = ledger.acquire(call(1, limits)).await.unwrap();
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
        "{handles} handles, answers in {:>3} ms: {:>5.1} % of 50/s over {:.1} s; busiest second {most} of 50; \
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
    bare_cost().await;
    println!("floor of a guard of 20 ms: 98.04 % of 50/s in the long run");
    pull(1, 16, Duration::from_millis(5), FREE, 500).await;
    pull(1, 40, Duration::from_millis(300), FREE, 500).await;
    pull(4, 8, Duration::from_millis(30), FREE, 500).await;
    println!("linking 100,000 members: 1,000 calls, limit 20.0 s");
    pull(1, 16, Duration::from_millis(30), TIER_4, 1000).await;
}
