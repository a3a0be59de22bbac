//! Linking 45,000 members (900 calls, below a minute's limit) against the simulator: calls over the limit as it counts them, how much of the
//! limit is reached, and what a call costs.
//!
//! `cargo bench --bench linking`. Figures are printed beside their limit, never asserted.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, missing_docs)]

#[path = "../tests/common/deck.rs"]
mod deck;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use larkdeck::{
    core::{ids::IntegrationId, integration::Receive},
    service::{Deck, KeyOrigin, LinkScope, Opening},
    sim::{LatencyPlan, Scenario, Sim, SimOptions},
};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const MEMBERS: u32 = 45_000;
/// Calls a second that the endpoint allows.
const PER_SECOND: f64 = 50.0;

fn cpu(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().unwrap()
}

/// A simulator on a thread of its own, so that its cost can be told from the client's.
struct Platform {
    sim: Sim,
    runtime: tokio::runtime::Runtime,
}

impl Platform {
    fn start(round_trip: Duration) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ms = u64::try_from(round_trip.as_millis()).unwrap();
        let latency = LatencyPlan { min_ms: ms, max_ms: ms };
        let scenario = Scenario { latency, ..Scenario::still().unwrap() };
        let options = SimOptions { members: Some(MEMBERS), seed: Some(1), ..SimOptions::local(scenario) };
        let sim = runtime.block_on(runtime.spawn(Sim::start(options))).unwrap().unwrap();
        Self { sim, runtime }
    }

    /// Processor time of its thread so far.
    async fn cpu(&self) -> Duration {
        self.runtime.spawn(async { cpu(ClockId::ThreadCPUTime) }).await.unwrap()
    }
}

async fn open(folder: &Path, sim: &Sim) -> (Deck, IntegrationId) {
    let opening = Opening { key: KeyOrigin::Ephemeral, ..deck::opening(folder, "bench") };
    let deck = opening.open().await.unwrap();
    let integration = deck::connect(&deck, sim.access(), Receive::LongConnection).await;
    deck.import_members(sim.control().members_csv().as_bytes(), false).await.unwrap();
    (deck, integration)
}

async fn link(platform: &Platform, round_trip: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let (deck, integration) = open(folder.path(), &platform.sim).await;
    let plan = deck.plan_link(&integration, LinkScope::Unlinked).await.unwrap();
    let (progress, _looked_at) = mpsc::channel(8);
    let theirs = platform.cpu().await;
    let (began, ours) = (Instant::now(), cpu(ClockId::ProcessCPUTime));
    let summary = deck.run_link(plan, progress, CancellationToken::new()).await.unwrap();
    let (took, ours) = (began.elapsed(), cpu(ClockId::ProcessCPUTime) - ours);
    let ours = ours.saturating_sub(platform.cpu().await - theirs);
    let counters = platform.sim.control().counters();
    let counter = counters.kinds.iter().find(|kind| kind.name == "contact.batch_get_id").unwrap();
    let busiest = counter.windows.iter().find(|(span_s, ..)| *span_s == 1).map_or(0, |(_, most, _)| *most);
    // The last calls leave a round trip before the end; the first wait for the pace to be known.
    let sending = took.saturating_sub(round_trip).as_secs_f64();
    println!(
        "answers in {:>3} ms: {} linked, {} calls in {:.2} s: {:>5.1} % of {PER_SECOND}/s; \
         busiest second {busiest}; over the limit {}; {:>4.0} us of a processor a call, {:.0} of a member",
        round_trip.as_millis(),
        summary.linked,
        counter.calls,
        took.as_secs_f64(),
        100.0 * counter.calls as f64 / PER_SECOND / sending,
        counters.over,
        ours.as_secs_f64() * 1e6 / counter.calls as f64,
        ours.as_secs_f64() * 1e6 / f64::from(MEMBERS),
    );
    deck.shut().await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for ms in [5, 30, 140, 300] {
        let round_trip = Duration::from_millis(ms);
        let platform = Platform::start(round_trip);
        runtime.block_on(link(&platform, round_trip));
        platform.runtime.shutdown_background();
    }
}
