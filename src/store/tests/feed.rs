use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::ids::Seq;

on_each_engine! {
    a_reader_never_finds_rows_behind_its_cursor,
    a_commit_wakes_other_handles,
    numbers_outlive_pruned_rows,
    many_callers_share_commits,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// How many handles of each kind, each as another process has one, and how often each writer commits.
struct Crowd {
    writers: usize,
    readers: usize,
    rounds: usize,
    /// Messages of one commit.
    batch: usize,
}

/// Handles on one store write at once while others read along: no reader's cursor ever has to go back, and none
/// misses a row or sees one twice.
async fn write_and_read_along(bed: &Bed, crowd: &Crowd) {
    let first = bed.open().await;
    let id = integration(&first).await;
    let total = crowd.writers * crowd.rounds * crowd.batch;
    let mut tasks = tokio::task::JoinSet::new();
    let (done, is_done) = tokio::sync::watch::channel(false);
    for _ in 0..crowd.readers {
        let (store, is_done) = (bed.open().await, is_done.clone());
        tasks.spawn(async move { read_along(&store, &is_done).await });
    }
    let mut writing = tokio::task::JoinSet::new();
    for writer in 0..crowd.writers {
        let (store, id, rounds, batch) = (bed.open().await, id.clone(), crowd.rounds, crowd.batch);
        writing.spawn(async move {
            for round in 0..rounds {
                let first = (writer * rounds + round) * batch;
                let items =
                    (first..first + batch).map(|n| item(&id, message(n, &chat(n % 9), 1000))).collect();
                store.ingest(items).await.unwrap();
            }
            store.close().await;
        });
    }
    while let Some(ended) = writing.join_next().await {
        ended.unwrap();
    }
    done.send_replace(true);
    let mut counts = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        counts.push(ended.unwrap());
    }
    let (mut all, mut cursor) = ((0, 0), Seq(0));
    loop {
        let page = first.changes(cursor, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = last.seq;
        all = page.iter().fold(all, fold);
    }
    assert!(all.0 >= total, "{} rows for {total} messages", all.0);
    assert_eq!(counts, vec![all; crowd.readers], "nothing is missed and nothing comes twice");
}

/// Counts a row, and takes its number into a sum that tells one set of rows from another.
fn fold((count, sum): (usize, i64), change: &super::super::Change) -> (usize, i64) {
    (count + 1, sum.wrapping_mul(31).wrapping_add(change.seq.0))
}

async fn read_along(store: &Store, is_done: &tokio::sync::watch::Receiver<bool>) -> (usize, i64) {
    let mut watch = store.watch();
    let (mut cursor, mut seen) = (Seq(0), (0, 0));
    loop {
        let was_done = *is_done.borrow();
        let changes = store.changes(cursor, 997).await.unwrap();
        for change in &changes {
            assert!(change.seq > cursor, "{} came after {cursor}", change.seq);
            cursor = change.seq;
            seen = fold(seen, change);
        }
        if changes.is_empty() {
            if was_done {
                store.close().await;
                return seen;
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        }
    }
}

async fn a_reader_never_finds_rows_behind_its_cursor(bed: Bed) {
    let crowd = match bed.is_file() {
        true => Crowd { writers: 3, readers: 2, rounds: 40, batch: 2 },
        false => Crowd { writers: 8, readers: 8, rounds: 25, batch: 2 },
    };
    write_and_read_along(&bed, &crowd).await;
}

/// The same for a million rows on PostgreSQL: `cargo test --lib a_million_rows -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn a_million_rows_are_read_once_by_everybody() {
    runtime().block_on(async {
        let Some(bed) = Bed::postgres().await else { return };
        write_and_read_along(&bed, &Crowd { writers: 8, readers: 8, rounds: 977, batch: 128 }).await;
    });
}

async fn a_commit_wakes_other_handles(bed: Bed) {
    let (writer, follower) = (bed.open().await, bed.open().await);
    let id = integration(&writer).await;
    let mut watch = follower.watch();
    let mut own = writer.watch();
    for number in 0..20 {
        writer.ingest(vec![item(&id, message(number, &chat(1), 1000))]).await.unwrap();
        let head = writer.head().await.unwrap();
        // Well below the 5 s of the safety net.
        for watch in [&mut watch, &mut own] {
            let reached = async { while watch.changed().await.unwrap() < head {} };
            tokio::time::timeout(Duration::from_secs(3), reached).await.unwrap();
        }
    }
    // Beats and read marks are no news.
    let app = app("cli_a");
    let super::super::Acquired::Ours { epoch, .. } = writer.try_acquire(&app, None).await.unwrap() else {
        panic!()
    };
    let head = writer.head().await.unwrap();
    assert!(writer.beat(&app, epoch).await.unwrap());
    assert_eq!(writer.head().await.unwrap(), head);
    writer.close().await;
    let ended = async { while watch_ends(&mut own).await {} };
    tokio::time::timeout(Duration::from_secs(3), ended).await.unwrap();
}

async fn watch_ends(watch: &mut super::super::Watch) -> bool {
    watch.changed().await.is_ok()
}

async fn numbers_outlive_pruned_rows(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    store.ingest((0..300).map(|n| item(&id, message(n, &chat(1), 1000))).collect()).await.unwrap();
    let head = store.head().await.unwrap();
    store.mark_feed().await.unwrap();
    pass(&store, &clock, 1000).await;
    while store.prune_feed(store.now().await.unwrap()).await.unwrap() > 0 {}
    assert_eq!(store.changes(Seq(0), 10).await.unwrap(), []);
    assert_eq!(store.feed_floor().await.unwrap(), head);
    drop(store);
    let store = bed.open().await;
    store.ingest(vec![item(&id, message(400, &chat(1), 1000))]).await.unwrap();
    assert!(store.changes(Seq(0), 10).await.unwrap().iter().all(|change| change.seq > head));
    assert_eq!(store.history(&chat(1), &super::super::Anchor::Latest, 1000).await.unwrap().len(), 301);
}

#[tokio::test]
async fn a_copy_is_another_generation() {
    let (bed, other) = (Bed::sqlite(), Bed::sqlite());
    let store = bed.open().await;
    let generation = store.generation().await.unwrap();
    store.close().await;
    assert_eq!(bed.open().await.generation().await.unwrap(), generation);
    std::fs::copy(bed.path().join("store.db"), other.path().join("store.db")).unwrap();
    assert_ne!(other.open().await.generation().await.unwrap(), generation);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The same messages in any order, in any groups, any number of times, by two handles: once each.
    #[test]
    fn ingest_under_reorder_and_repeat_stores_once(
        numbers in proptest::collection::vec(0usize..30, 1..120),
        cuts in proptest::collection::vec(1usize..20, 1..20),
    ) {
        runtime().block_on(stores_once(&Bed::sqlite(), &numbers, &cuts));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn ingest_under_reorder_and_repeat_stores_once_on_postgres(
        numbers in proptest::collection::vec(0usize..30, 1..120),
        cuts in proptest::collection::vec(1usize..20, 1..20),
    ) {
        runtime().block_on(async {
            if let Some(bed) = Bed::postgres().await {
                stores_once(&bed, &numbers, &cuts).await;
            }
        });
    }
}

async fn stores_once(bed: &Bed, numbers: &[usize], cuts: &[usize]) {
    let stores = [bed.open().await, bed.open().await];
    let id = integration(&stores[0]).await;
    let (mut rest, mut stored) = (numbers, 0);
    for (turn, cut) in cuts.iter().cycle().enumerate() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        rest = later;
        let items =
            now.iter().map(|n| item(&id, message(*n, &chat(n % 3), 1000 + (*n as i64 * 7) % 11))).collect();
        let answers = stores[turn % 2].ingest(items).await.unwrap();
        assert_eq!(answers.len(), now.len());
        stored += answers.iter().filter(|answer| answer.is_new()).count();
    }
    let distinct: std::collections::BTreeSet<usize> = numbers.iter().copied().collect();
    assert_eq!(stored, distinct.len());
    let feed = stores[0].messages_after(Seq(0), None, 1000).await.unwrap();
    assert_eq!(feed.len(), distinct.len());
    let mut listed = 0;
    let mut unread = 0;
    for room in stores[1].rooms(&id, &reader("ann")).await.unwrap() {
        let page = stores[1].history(&room.chat_id, &super::super::Anchor::Latest, 1000).await.unwrap();
        assert!(page.is_sorted_by(|a, b| a.place() < b.place()));
        listed += page.len();
        unread += room.unread;
    }
    assert_eq!(listed, distinct.len());
    assert_eq!(unread as usize, distinct.len());
    for store in stores {
        store.close().await;
    }
}

async fn many_callers_share_commits(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500usize {
        let (store, item) = (store.clone(), item(&id, message(number, &chat(number % 5), 1000)));
        tasks.spawn(async move { store.ingest(vec![item]).await.unwrap() });
    }
    while let Some(done) = tasks.join_next().await {
        assert!(done.unwrap()[0].is_new());
    }
    assert_eq!(store.messages_after(Seq(0), None, 1000).await.unwrap().len(), 500);
}
