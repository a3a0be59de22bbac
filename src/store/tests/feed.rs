use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::ids::Seq;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Three handles on one file write at once while one reads along: the reader's cursor never has to go back.
#[test]
fn a_reader_never_finds_rows_behind_its_cursor() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).await;
        let id = integration(&first).await;
        let follower = open(folder.path()).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..3usize {
            let (store, id) = (open(folder.path()).await, id.clone());
            writers.spawn(async move {
                for round in 0..40usize {
                    let number = writer * 1000 + round;
                    let items = vec![
                        item(&id, message(number, &chat(writer), 1000)),
                        item(&id, message(number + 500, &chat(9), 1000)),
                    ];
                    store.ingest(items).await.unwrap();
                }
            });
        }
        let mut watch = follower.watch();
        let (mut cursor, mut seen) = (Seq(0), Vec::new());
        loop {
            let is_done = writers.is_empty();
            let changes = follower.changes(cursor, 7).await.unwrap();
            for change in changes {
                assert!(change.seq > cursor, "{} came after {cursor}", change.seq);
                cursor = change.seq;
                seen.push(change.seq);
            }
            if is_done && follower.changes(cursor, 1).await.unwrap().is_empty() {
                break;
            }
            while let Some(done) = writers.try_join_next() {
                done.unwrap();
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        }
        let all: Vec<Seq> =
            first.changes(Seq(0), 10_000).await.unwrap().iter().map(|change| change.seq).collect();
        assert_eq!(seen, all, "nothing is missed and nothing comes twice");
        let messages = first.messages_after(Seq(0), None, 10_000).await.unwrap();
        assert_eq!(messages.len(), 240);
        assert!(messages.is_sorted_by_key(|message| message.seq));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_other_handles() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, follower) = (open(folder.path()).await, open(folder.path()).await);
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

#[tokio::test]
async fn numbers_outlive_pruned_rows() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let store = open_with(folder.path(), "ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    store.ingest((0..300).map(|n| item(&id, message(n, &chat(1), 1000))).collect()).await.unwrap();
    let head = store.head().await.unwrap();
    clock.forward(1000);
    while store.prune(clock.now(), head).await.unwrap() > 0 {}
    assert_eq!(store.changes(Seq(0), 10).await.unwrap(), []);
    assert_eq!(store.feed_floor().await.unwrap(), head);
    drop(store);
    let store = open(folder.path()).await;
    store.ingest(vec![item(&id, message(400, &chat(1), 1000))]).await.unwrap();
    assert!(store.changes(Seq(0), 10).await.unwrap().iter().all(|change| change.seq > head));
    assert_eq!(store.history(&chat(1), &super::super::Anchor::Latest, 1000).await.unwrap().len(), 301);
}

#[tokio::test]
async fn a_copy_is_another_generation() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let generation = store.generation().await.unwrap();
    store.close().await;
    assert_eq!(open(folder.path()).await.generation().await.unwrap(), generation);
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("store.db"), other.path().join("store.db")).unwrap();
    assert_ne!(open(other.path()).await.generation().await.unwrap(), generation);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The same messages in any order, in any groups, any number of times, by two handles: once each.
    #[test]
    fn ingest_under_reorder_and_repeat_stores_once(
        numbers in proptest::collection::vec(0usize..30, 1..120),
        cuts in proptest::collection::vec(1usize..20, 1..20),
    ) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let stores = [open(folder.path()).await, open(folder.path()).await];
            let id = integration(&stores[0]).await;
            let (mut rest, mut stored) = (numbers.as_slice(), 0);
            for (turn, cut) in cuts.iter().cycle().enumerate() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                let items = now.iter().map(|n| item(&id, message(*n, &chat(n % 3), 1000 + (*n as i64 * 7) % 11))).collect();
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
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
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
