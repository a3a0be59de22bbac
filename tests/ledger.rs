//! The call ledger on its file and on PostgreSQL: several processes' worth of handles, the month, and a store that
//! goes away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "common/postgres.rs"]
mod postgres;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::AppKey,
        integration::Holder,
        permit::{
            Call, Class, Denied, Feature, Limit, LimitScope, MonthClass, Outcome, PermitSource, Target, limit,
        },
        quota::{BucketUse, QuotaReport, QuotaSource},
        time::SystemClock,
    },
    ledger::MonthRules,
    service::Ledger,
    store::{
        Store, StoreUrl,
        permit::{self, open_rows},
    },
};
use tempfile::TempDir;

const TIER_4: &[Limit] = &[limit(1000, 60), limit(50, 1)];

fn app(id: &str) -> AppKey {
    AppKey { base_url: "http://127.0.0.1:1".into(), app_id: id.parse().unwrap() }
}

fn call(month: MonthClass) -> Call {
    Call {
        app: app("cli_1"),
        endpoint: "im.message.create",
        limits: TIER_4,
        is_send: false,
        target: None,
        month,
        class: Class::Person,
        feature: Feature::Send,
        patience: None,
    }
}

/// Where the rows are.
struct Place {
    url: StoreUrl,
    _folder: TempDir,
}

fn me() -> Holder {
    Holder { user: "ann".to_owned(), host: "bastion".to_owned(), pid: 7 }
}

/// One on each engine.
async fn places() -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let file = StoreUrl::Sqlite(folder.path().join("store.db"));
    let mut places = vec![Place { url: file, _folder: folder }];
    if let Some(database) = postgres::database().await {
        let url: StoreUrl = database.url().parse().unwrap();
        Store::migrate(&url, me(), Arc::new(SystemClock)).await.unwrap();
        places.push(Place { url, _folder: tempfile::tempdir().unwrap() });
    }
    places
}

async fn open(place: &Place, limit: Option<u64>) -> Arc<Ledger> {
    let rows = permit::open(&place.url, &me()).await.unwrap();
    Ledger::open(rows, MonthRules { limit, ..MonthRules::default() }, Arc::new(SystemClock))
}

async fn spend(ledger: &Ledger, call: Call, outcome: Outcome) {
    let permit = ledger.acquire(call).await.unwrap();
    ledger.settle(permit, outcome).await;
}

fn bucket<'a>(report: &'a QuotaReport, name: &str) -> &'a BucketUse {
    report.buckets.iter().find(|bucket| bucket.name == name).unwrap()
}

fn busiest(mut at: Vec<Instant>, window: Duration) -> usize {
    at.sort();
    (0..at.len())
        .map(|first| at[first..].iter().take_while(|one| **one < at[first] + window).count())
        .max()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_on_one_file_share_the_second() {
    for place in places().await {
        let mut tasks = Vec::new();
        for handle in 0..4 {
            let ledger = open(&place, None).await;
            for _ in 0..4 {
                let ledger = ledger.clone();
                tasks.push(tokio::spawn(async move {
                    let mut granted = Vec::new();
                    for _ in 0..6 {
                        let class = if handle % 2 == 0 { Class::Linking } else { Class::Person };
                        let permit =
                            ledger.acquire(Call { class, ..call(MonthClass::Counted) }).await.unwrap();
                        granted.push(permit.granted_at);
                        ledger.settle(permit, Outcome::Done).await;
                    }
                    granted
                }));
            }
        }
        let mut granted = Vec::new();
        for task in tasks {
            granted.extend(task.await.unwrap());
        }
        assert_eq!(granted.len(), 96);
        assert!(busiest(granted, Duration::from_secs(1)) <= 50);
        let report = open(&place, None).await.report(&app("cli_1")).await.unwrap();
        assert_eq!(report.month.used, 96);
        assert_eq!(report.minutes.iter().sum::<u32>(), 96);
        assert_eq!(report.minutes.len(), 60);
    }
}

#[tokio::test]
async fn the_month_counts_what_the_platform_counts() {
    for place in places().await {
        let ledger = open(&place, Some(10)).await;
        spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
        spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
        spend(&ledger, call(MonthClass::Counted), Outcome::Failed).await;
        spend(&ledger, call(MonthClass::Counted), Outcome::Unknown).await;
        spend(&ledger, call(MonthClass::Counted), Outcome::Unused).await;
        spend(&ledger, Call { feature: Feature::Linking, ..call(MonthClass::Exempt) }, Outcome::Done).await;
        drop(ledger.acquire(call(MonthClass::Counted)).await.unwrap());

        let report = ledger.report(&app("cli_1")).await.unwrap();
        let month = &report.month;
        // The permit that was dropped without a word may have been used: it counts.
        assert_eq!((month.used, month.exempt, month.unknown, month.limit), (3, 1, 1, Some(10)));
        assert_eq!(month.source, QuotaSource::CountedHere);
        assert_eq!(report.endpoints.len(), 1);
        assert_eq!((report.endpoints[0].counted, report.endpoints[0].failed), (3, 1));
        assert_eq!(report.features, [(Feature::Send, 3), (Feature::Linking, 1)]);
        let names: Vec<&str> = report.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        assert_eq!(names, ["app", "send", "webhook", "receiver", "im.message.create"]);
        let endpoint = bucket(&report, "im.message.create");
        assert_eq!((endpoint.limit, endpoint.window_s), (1000, 60));

        ledger.rebase_month(&app("cli_1"), 9).await.unwrap();
        let report = ledger.report(&app("cli_1")).await.unwrap();
        assert_eq!((report.month.used, report.month.source), (9, QuotaSource::Official));
        spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
        let refused = ledger.acquire(call(MonthClass::Counted)).await.unwrap_err();
        assert!(matches!(refused, Denied::MonthExhausted { .. }));
        spend(&ledger, call(MonthClass::Exempt), Outcome::Done).await;
    }
}

#[tokio::test]
async fn the_platform_closes_the_month_for_all_apps_of_the_tenant() {
    for place in places().await {
        let ledger = open(&place, None).await;
        let tenant = "tenant_1".parse().unwrap();
        ledger.set_tenant(&app("cli_1"), &tenant).await.unwrap();
        ledger.set_tenant(&app("cli_2"), &tenant).await.unwrap();
        spend(&ledger, call(MonthClass::Counted), Outcome::MonthExhausted).await;
        let other = Call { app: app("cli_2"), class: Class::Page, ..call(MonthClass::Counted) };
        let refused = open(&place, None).await.acquire(other.clone()).await.unwrap_err();
        assert!(matches!(refused, Denied::MonthExhausted { .. }));
        assert!(ledger.report(&app("cli_2")).await.unwrap().month.exhausted);
        ledger.rebase_month(&app("cli_2"), 5).await.unwrap();
        spend(&ledger, other, Outcome::Done).await;
        assert_eq!(ledger.report(&app("cli_1")).await.unwrap().month.used, 6);
    }
}

#[tokio::test]
async fn a_refusal_pauses_its_bucket_for_every_handle() {
    for place in places().await {
        let (one, two) = (open(&place, None).await, open(&place, None).await);
        let to = |chat: &str| Call {
            is_send: true,
            target: Some(Target::Receiver(chat.into())),
            patience: Some(Duration::from_millis(500)),
            ..call(MonthClass::Counted)
        };
        let limited = Outcome::Limited { scope: LimitScope::Target, wait: Duration::from_secs(30) };
        spend(&one, to("oc_1"), limited).await;
        spend(&two, to("oc_2"), Outcome::Done).await;
        let refused = two.acquire(to("oc_1")).await.unwrap_err();
        assert!(matches!(&refused, Denied::TooLong { bucket, .. } if bucket == "receiver"), "{refused:?}");
        let report = two.report(&app("cli_1")).await.unwrap();
        assert!(bucket(&report, "receiver").paused_until.is_some());
        assert!(bucket(&report, "send").paused_until.is_none());
    }
}

#[tokio::test]
async fn who_gives_up_waits_no_longer() {
    for place in places().await {
        let ledger = open(&place, None).await;
        let limited = Outcome::Limited { scope: LimitScope::Endpoint, wait: Duration::from_secs(30) };
        spend(&ledger, call(MonthClass::Counted), limited).await;
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.acquire(call(MonthClass::Counted)).await.map(drop) }
        });
        let waits =
            async || bucket(&ledger.report(&app("cli_1")).await.unwrap(), "im.message.create").waiting;
        while waits().await == 0 {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        while waits().await > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_was_counted_goes_along_when_a_store_moves() {
    let places = places().await;
    let [file, database] = places.as_slice() else { return };
    let ledger = open(file, None).await;
    ledger.set_tenant(&app("cli_1"), &"tenant_1".parse().unwrap()).await.unwrap();
    spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
    ledger.rebase_month(&app("cli_1"), 40).await.unwrap();
    spend(&ledger, call(MonthClass::Counted), Outcome::Failed).await;
    spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
    let here = ledger.report(&app("cli_1")).await.unwrap();
    // Twice: what is there stays, and is the same.
    for _ in 0..2 {
        let carried = permit::carry(&file.url, &database.url).await.unwrap();
        assert!(carried.iter().all(larkdeck::store::CopiedTable::is_same), "{carried:?}");
        assert_eq!(carried.len(), 4);
    }
    let there = open(database, None).await.report(&app("cli_1")).await.unwrap();
    assert_eq!((there.month.used, there.month.source), (41, QuotaSource::Official));
    assert_eq!(there.endpoints, here.endpoints);
    assert_eq!(there.minutes.iter().sum::<u32>(), 3);
    let back = tempfile::tempdir().unwrap();
    let back = StoreUrl::Sqlite(back.path().join("back.db"));
    let carried = permit::carry(&database.url, &back).await.unwrap();
    assert!(carried.iter().all(|table| table.is_same() && table.to.rows > 0), "{carried:?}");
    // Back to where it came from, where the old counts still are: not twice, and none of the new ones lost.
    let ledger = open(database, None).await;
    spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
    let away = ledger.report(&app("cli_1")).await.unwrap();
    let carried = permit::carry(&database.url, &file.url).await.unwrap();
    assert!(carried.iter().all(larkdeck::store::CopiedTable::is_same), "{carried:?}");
    let home = open(file, None).await.report(&app("cli_1")).await.unwrap();
    assert_eq!((home.month.used, home.endpoints), (away.month.used, away.endpoints));
}

#[tokio::test]
async fn without_the_store_nobody_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::create_dir(&path).unwrap();
    let rows = open_rows(&path).await.unwrap();
    let ledger = Ledger::open(rows, MonthRules::default(), Arc::new(SystemClock));
    spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
    std::fs::rename(&path, folder.path().join("gone")).unwrap();
    let refused = ledger.acquire(call(MonthClass::Counted)).await.unwrap_err();
    assert!(matches!(refused, Denied::StoreAway { .. }));
    assert!(ledger.report(&app("cli_1")).await.is_err());
    std::fs::rename(folder.path().join("gone"), &path).unwrap();
    spend(&ledger, call(MonthClass::Counted), Outcome::Done).await;
    assert_eq!(ledger.report(&app("cli_1")).await.unwrap().month.used, 2);
    ledger.close().await;
    assert!(ledger.acquire(call(MonthClass::Counted)).await.is_err());
}

#[tokio::test]
async fn files_that_are_none_of_ours_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ledger.db"), "not a database, and long enough to be looked at")
        .unwrap();
    let error = open_rows(folder.path()).await.err().unwrap();
    assert!(error.to_string().contains("ledger.db"), "{error}");
}

#[tokio::test]
async fn the_file_is_for_those_who_may_write_in_its_folder() {
    use std::os::unix::fs::PermissionsExt;
    for (folder_mode, wanted) in [(0o700, 0o600), (0o770, 0o660)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(folder_mode)).unwrap();
        drop(open_rows(folder.path()).await.unwrap());
        let mode = std::fs::metadata(folder.path().join("ledger.db")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "{folder_mode:o}");
    }
}
